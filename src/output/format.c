/* SPDX-License-Identifier: Apache-2.0 */
#include "output/format.h"

#include <stdio.h>
#include <strings.h>

#include "base/check.h"
#include "conf/conf.h"
#include "conf/conf_keys.h"
#include "output/format_text.h"
#include "output/kinds.h"

/* clang-format off */
const struct format_ops *const format_kinds[] = {
#define X(name) &format_##name##_ops,
	FORMAT_KINDS(X)
#undef X
	NULL,
};
/* clang-format on */

const struct conf_key_spec format_common_keys[] = {
	{"Format", CONF_CHOICE, .default_text = "out_file",
	 .help = "How a line looks: out_file, plain (JSON), template, csv or "
		 "ltsv."},
	{"Escape", CONF_CHOICE, .default_text = "on",
	 .help = "on escapes control characters inside values, so that a value "
		 "cannot forge a line; reversible also doubles each backslash; "
		 "off does neither."},
	{"UTF8", CONF_CHOICE, .default_text = "escape",
	 .help = "What a byte that is not UTF-8 becomes: escape (the text "
		 "\\xHH), replace (U+FFFD) or keep (unchanged, as in Fluent "
		 "Bit)."},
	{.name = NULL},
};

static bool has_key(const struct format_ops *kind, const char *key)
{
	for (const struct conf_key_spec *k = kind->keys;
	     k != NULL && k->name != NULL; k++)
		if (conf_key_covers(k, key))
			return true;
	return false;
}

/* Fluent Bit accepts the keys of all formats with every format. */
static void check_unused(struct conf_section *s, const struct format_ops *kind)
{
	char user[32], why[64];
	snprintf(user, sizeof user, "Format %s", kind->name);
	for (size_t i = 0; format_kinds[i] != NULL; i++) {
		const struct conf_key_spec *k = format_kinds[i]->keys;
		snprintf(why, sizeof why, "it is for Format %s",
			 format_kinds[i]->name);
		for (; k != NULL && k->name != NULL; k++)
			if (!has_key(kind, k->name))
				conf_unused(s, k->name, user, why);
	}
}

static const struct format_ops *find_kind(struct conf_section *s, struct err *e)
{
	const char *names[FORMAT_KIND_COUNT + 1] = {NULL};
	const char *name = NULL;
	size_t kind = 0;
	for (size_t i = 0; i < FORMAT_KIND_COUNT; i++)
		names[i] = format_kinds[i]->name;
	if (!conf_get_text(s, "Format", &name, e))
		return NULL;
	if (name != NULL && strcasecmp(name, "msgpack") == 0) {
		conf_err_key(s, "Format", e,
			     "Format msgpack has no lines; did you mean "
			     "\"plain\", which is JSON?");
		return NULL;
	}
	return conf_get_choice(s, "Format", names, &kind, e)
		       ? format_kinds[kind]
		       : NULL;
}

static bool read_escape(struct conf_section *s, bool *is_raw, unsigned *escape,
			struct err *e)
{
	static const char *const words[] = {"escape", "replace", "keep", NULL};
	static const unsigned bad[] = {FORMAT_BAD_ESCAPED, FORMAT_BAD_REPLACED,
				       FORMAT_RAW};
	const char *text = NULL;
	bool is_on = true;
	size_t word = 0;
	if (!conf_get_text(s, "Escape", &text, e) ||
	    !conf_get_choice(s, "UTF8", words, &word, e))
		return false;
	*escape = bad[word];
	if (text != NULL && strcasecmp(text, "reversible") == 0)
		*escape |= FORMAT_BACKSLASH;
	else if (!conf_get_bool(s, "Escape", &is_on, e))
		return false;
	*is_raw = !is_on;
	*escape |= is_on ? FORMAT_LINE : FORMAT_RAW;
	return true;
}

struct format *format_open(struct conf_section *s, struct err *e)
{
	bool is_raw;
	unsigned escape;
	conf_declare(s, format_common_keys);
	for (size_t i = 0; format_kinds[i] != NULL; i++)
		if (format_kinds[i]->keys != NULL)
			conf_declare(s, format_kinds[i]->keys);
	const struct format_ops *kind = find_kind(s, e);
	if (kind == NULL || !read_escape(s, &is_raw, &escape, e))
		return NULL;
	if (is_raw && kind->is_json) {
		conf_err_key(s, "Escape", e,
			     "Format %s does not use Escape off: JSON always "
			     "escapes",
			     kind->name);
		return NULL;
	}
	struct format *f = kind->open(s, e);
	if (f == NULL)
		return NULL;
	f->ops = kind;
	f->is_raw = is_raw;
	f->escape = escape;
	check_unused(s, kind);
	return f;
}

void format_close(struct format *f)
{
	if (f != NULL)
		f->ops->close(f);
}
