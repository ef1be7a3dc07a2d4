/* SPDX-License-Identifier: Apache-2.0 */
#include "output/format.h"

#include <strings.h>

#include "base/check.h"
#include "conf/conf.h"
#include "output/kinds.h"

static const struct format_ops *const kinds[] = {
	&format_out_file_ops, /* the default, as in Fluent Bit */
	&format_plain_ops,    &format_template_ops,
	&format_csv_ops,      &format_ltsv_ops,
};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

/* Fluent Bit takes these keys with every format. */
static const struct {
	const char *key;
	const struct format_ops *users[2];
	const char *why;
} keys[] = {
	{"Template", {&format_template_ops}, "only Format template uses it"},
	{"Delimiter",
	 {&format_csv_ops, &format_ltsv_ops},
	 "only Format csv and ltsv use it"},
	{"Label_Delimiter", {&format_ltsv_ops}, "only Format ltsv uses it"},
	{"csv_column_names", {&format_csv_ops}, "only Format csv uses it"},
};

static void ignore_keys(struct conf_section *s, const struct format_ops *kind)
{
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (kind != keys[i].users[0] && kind != keys[i].users[1])
			conf_ignore(s, keys[i].key, keys[i].why);
}

static const struct format_ops *find_kind(struct conf_section *s, struct err *e)
{
	const char *names[KIND_COUNT + 1] = {NULL};
	const char *name = NULL;
	size_t kind = 0;
	for (size_t i = 0; i < KIND_COUNT; i++)
		names[i] = kinds[i]->name;
	if (!conf_get_text(s, "Format", &name, e))
		return NULL;
	if (name != NULL && strcasecmp(name, "msgpack") == 0) {
		conf_err_key(s, "Format", e,
			     "Format msgpack is no text of lines; "
			     "did you mean \"plain\", which is JSON?");
		return NULL;
	}
	return conf_get_choice(s, "Format", names, &kind, e) ? kinds[kind]
							     : NULL;
}

struct format *format_open(struct conf_section *s, struct err *e)
{
	bool escape = true;
	const struct format_ops *kind = find_kind(s, e);
	if (kind == NULL || !conf_get_bool(s, "Escape", &escape, e))
		return NULL;
	struct format *f = kind->open(s, e);
	if (f == NULL)
		return NULL;
	f->ops = kind;
	f->is_raw = !escape;
	ignore_keys(s, kind);
	return f;
}

void format_close(struct format *f)
{
	if (f != NULL)
		f->ops->close(f);
}
