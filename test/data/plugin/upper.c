/* SPDX-License-Identifier: Apache-2.0 */
/* The filter "upper": the example in src/README.md of how to add a filter.
 *
 *     Key  method       get -> GET
 *
 * It changes the ASCII letters of the fields with this key to upper case.
 * Fields that are not strings stay unchanged. */
#include "filter/kinds.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "record/record.h"

static const struct conf_key_spec keys[] = {
	{"Key", CONF_FIELD, .is_required = true,
	 .help = "The key of the fields that become upper case."},
	{.name = NULL},
};

struct upper {
	struct filter filter; /* the first member */
	struct span key;
};

static void close_filter(struct filter *filter)
{
	free(filter);
}

static struct filter *open_filter(struct conf_section *s,
				  const struct filter_env *env, struct err *e)
{
	(void)env;
	const char *key = NULL;
	if (!conf_get_text(s, "Key", &key, e))
		return NULL;
	if (key == NULL) {
		conf_err_missing(s, "Key", e, "for example `Key method`");
		return NULL;
	}
	struct upper *u = mem_new(1, sizeof *u);
	u->filter.ops = &filter_upper;
	u->key = span_of(key);
	return &u->filter;
}

/* A value may lie in the journal, so change a copy in the record's arena. */
static struct value upper_case(struct record *r, struct span text)
{
	char *copy = arena_take(r->arena, text.len);
	for (size_t i = 0; i < text.len; i++)
		copy[i] = (char)toupper((unsigned char)text.ptr[i]);
	return value_string(span_make(copy, text.len));
}

static enum filter_verdict apply(struct filter *filter, struct record *r,
				 struct emit *emit)
{
	const struct upper *u = (const struct upper *)filter;
	(void)emit;
	for (size_t i = 0; i < r->count; i++) {
		struct field *f = &r->fields[i];
		if (f->value.type == VALUE_STRING &&
		    span_equals(f->key, u->key))
			f->value = upper_case(r, f->value.string);
	}
	return FILTER_PASS;
}

const struct filter_ops filter_upper = {
	.name = "upper",
	.keys = keys,
	.open = open_filter,
	.apply = apply,
	.close = close_filter,
};
