/* SPDX-License-Identifier: Apache-2.0 */
/* The filter "nest": move fields into a map, or the fields of a map out of it.
 *
 *     Operation nest, Wildcard m_*, Nest_under m, Remove_prefix m_
 *     m_a=1 b=2 m_c=3   ->   b=2 m={a=1 c=3}
 *
 *     Operation lift, Nested_under m, Add_prefix m_
 *     m={a=1 c=3} b=2   ->   b=2 m_a=1 m_c=3
 *
 * New fields are appended; the other fields keep their order, even if one has
 * the same key as a new field.  If no field matches, the record passes
 * unchanged.  A field that should be lifted but is not a map stays where it is
 * and is counted. */
#include "filter/kinds.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "filter/wildcard.h"
#include "record/record.h"

enum { NOT_A_MAP };

static const char *const failures[] = {[NOT_A_MAP] = "not_a_map", NULL};

enum { NEST, LIFT, NONE };

static const struct conf_key_spec keys[] = {
	{"Operation", CONF_CHOICE, .is_required = true,
	 .help = "nest moves fields into a map, lift moves the fields of a map "
		 "to the top level."},
	{"Wildcard", CONF_TEXT, .is_repeatable = true,
	 .help = "With nest: the key of the fields to move; * at the end "
		 "stands for the rest of a key. Required."},
	{"Nest_under", CONF_TEXT,
	 .help = "With nest: the key of the new map. Required."},
	{"Nested_under", CONF_TEXT,
	 .help = "With lift: the key of the map. Required."},
	{"Add_prefix", CONF_TEXT,
	 .help = "Put this in front of the key of each moved field."},
	{"Prefix_with", CONF_TEXT, .help = "An older name of Add_prefix."},
	{"Remove_prefix", CONF_TEXT,
	 .help = "Remove this from the start of the key of each moved field."},
	{.name = NULL},
};

struct nest {
	struct filter filter;
	size_t operation;
	struct wildcard *wildcards;
	size_t wildcard_count;
	struct span map; /* its key */
	struct span add_prefix;
	struct span remove_prefix;
	struct log_rate rate;
};

static void close_filter(struct filter *filter)
{
	struct nest *n = (struct nest *)filter;
	free(n->wildcards);
	free(n);
}

static bool get_span(struct conf_section *s, const char *key, struct span *out,
		     struct err *e)
{
	const char *text = NULL;
	if (!conf_get_text(s, key, &text, e))
		return false;
	if (text != NULL)
		*out = span_of(text);
	return true;
}

static void get_wildcards(struct nest *n, struct conf_section *s)
{
	const char *text;
	while ((text = conf_get_each(s, "Wildcard", n->wildcard_count)) !=
	       NULL) {
		n->wildcards = mem_grow(n->wildcards, n->wildcard_count + 1,
					sizeof *n->wildcards);
		n->wildcards[n->wildcard_count++] = wildcard_of(text);
	}
}

static bool read_nest(struct nest *n, struct conf_section *s, struct err *e)
{
	get_wildcards(n, s);
	conf_unused(s, "Nested_under", "Operation nest",
		    "it is for Operation lift");
	if (!get_span(s, "Nest_under", &n->map, e))
		return false;
	if (n->map.len == 0)
		return conf_err_missing(s, "Nest_under", e,
					"set it to the key of the new map");
	if (n->wildcard_count == 0)
		return conf_err_missing(s, "Wildcard", e,
					"set it to the fields to move, for "
					"example `Wildcard http_*`");
	return true;
}

static bool read_lift(struct nest *n, struct conf_section *s, struct err *e)
{
	conf_unused(s, "Wildcard", "Operation lift",
		    "it is for Operation nest");
	conf_unused(s, "Nest_under", "Operation lift",
		    "it is for Operation nest");
	if (!get_span(s, "Nested_under", &n->map, e))
		return false;
	if (n->map.len == 0)
		return conf_err_missing(s, "Nested_under", e,
					"set it to the key of the map to lift");
	return true;
}

static bool read_prefixes(struct nest *n, struct conf_section *s, struct err *e)
{
	if (!get_span(s, "Prefix_with", &n->add_prefix, e) ||
	    !get_span(s, "Add_prefix", &n->add_prefix, e) ||
	    !get_span(s, "Remove_prefix", &n->remove_prefix, e))
		return false;
	if (n->add_prefix.len > 0 && n->remove_prefix.len > 0)
		return conf_err_key(s, "Remove_prefix", e,
				    "Remove_prefix and Add_prefix exclude "
				    "each other; use one of them");
	return true;
}

static struct filter *open_filter(struct conf_section *s,
				  const struct filter_env *env, struct err *e)
{
	(void)env;
	static const char *const operations[] = {"nest", "lift", NULL};
	struct nest *n = mem_new(1, sizeof *n);
	n->filter.ops = &filter_nest;
	n->operation = NONE;

	if (!conf_get_choice(s, "Operation", operations, &n->operation, e))
		goto fail;
	if (n->operation == NONE) {
		conf_err_missing(s, "Operation", e, "set it to nest or lift");
		goto fail;
	}
	if (!(n->operation == NEST ? read_nest : read_lift)(n, s, e) ||
	    !read_prefixes(n, s, e))
		goto fail;
	return &n->filter;
fail:
	close_filter(&n->filter);
	return NULL;
}

static struct span new_key(const struct nest *n, struct arena *a,
			   struct span key)
{
	struct span prefix = n->remove_prefix;
	if (n->add_prefix.len > 0) {
		size_t len = n->add_prefix.len + key.len;
		char *room = arena_take(a, len);
		memcpy(room, n->add_prefix.ptr, n->add_prefix.len);
		if (key.len > 0)
			memcpy(room + n->add_prefix.len, key.ptr, key.len);
		return span_make(room, len);
	}
	if (prefix.len > 0 && key.len >= prefix.len &&
	    memcmp(key.ptr, prefix.ptr, prefix.len) == 0)
		return span_make(key.ptr + prefix.len, key.len - prefix.len);
	return key;
}

static bool is_to_nest(const struct nest *n, const struct field *f)
{
	for (size_t i = 0; i < n->wildcard_count; i++)
		if (wildcard_matches(&n->wildcards[i], f->key))
			return true;
	return false;
}

static void nest(const struct nest *n, struct record *r)
{
	size_t count = 0, kept = 0;
	for (size_t i = 0; i < r->count; i++)
		count += is_to_nest(n, &r->fields[i]);
	if (count == 0)
		return;
	struct value map = {
		.type = VALUE_MAP,
		.fields = arena_take(r->arena, count * sizeof(struct field)),
	};
	for (size_t i = 0; i < r->count; i++) {
		struct field f = r->fields[i];
		if (!is_to_nest(n, &f)) {
			r->fields[kept++] = f;
			continue;
		}
		f.key = new_key(n, r->arena, f.key);
		map.fields[map.count++] = f;
	}
	r->count = kept;
	record_add(r, n->map, map);
}

static bool is_to_lift(struct nest *n, const struct field *f)
{
	if (!span_equals(f->key, n->map))
		return false;
	if (f->value.type == VALUE_MAP)
		return true;
	n->filter.stats.failures[NOT_A_MAP]++;
	log_rated(&n->rate, LOG_WARN, "nest",
		  "filter=%s key=%.*s err=%s action=\"field left as it is\"",
		  n->filter.name, (int)n->map.len, n->map.ptr,
		  failures[NOT_A_MAP]);
	return false;
}

static void lift(struct nest *n, struct record *r)
{
	struct record *maps = NULL; /* the fields to lift */
	size_t kept = 0;
	for (size_t i = 0; i < r->count; i++) {
		struct field f = r->fields[i];
		if (!is_to_lift(n, &f)) {
			r->fields[kept++] = f;
			continue;
		}
		if (maps == NULL)
			maps = record_new(r->arena, NULL, r->tag, 0);
		record_add(maps, f.key, f.value);
	}
	r->count = kept;
	for (size_t i = 0; maps != NULL && i < maps->count; i++) {
		struct value map = maps->fields[i].value;
		for (size_t k = 0; k < map.count; k++)
			record_add(r, new_key(n, r->arena, map.fields[k].key),
				   map.fields[k].value);
	}
}

static enum filter_verdict apply(struct filter *filter, struct record *r,
				 struct emit *emit)
{
	struct nest *n = (struct nest *)filter;
	(void)emit;
	if (n->operation == NEST)
		nest(n, r);
	else
		lift(n, r);
	return FILTER_PASS;
}

const struct filter_ops filter_nest = {
	.name = "nest",
	.keys = keys,
	.failures = failures,
	.open = open_filter,
	.apply = apply,
	.close = close_filter,
};
