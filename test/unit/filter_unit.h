/* SPDX-License-Identifier: Apache-2.0 */
/* filter_unit - JSON through a chain: for the tests of the filters. */
#ifndef FILTER_UNIT_H
#define FILTER_UNIT_H

#include "unit.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"
#include "filter/chain.h"
#include "record/json.h"
#include "record/record.h"

struct filter_unit {
	struct conf *conf;
	struct chain *chain;
	struct arena *arena;
	struct json_reader *reader;
	struct buf out; /* the records that came out */
};

/* For one [FILTER], of that name, with these keys. */
static inline bool filter_unit_init(struct filter_unit *u, const char *name,
				    const char *keys, struct err *e)
{
	static const struct filter_env env = {.conf_dir = "."};
	struct buf text = {0};
	buf_printf(&text, "[FILTER]\n Name %s\n Match *\n%s", name, keys);
	*u = (struct filter_unit){
		.chain = chain_new(),
		.arena = arena_new(4096),
		.reader = json_reader_new(),
		.conf = conf_read_text("t.conf", text.ptr, text.len, e),
	};
	buf_fini(&text);
	return u->conf != NULL &&
	       chain_add(u->chain, conf_section(u->conf, 0), &env, e);
}

static inline void filter_unit_fini(struct filter_unit *u)
{
	chain_free(u->chain);
	conf_free(u->conf);
	json_reader_free(u->reader);
	arena_free(u->arena);
	buf_fini(&u->out);
}

static inline bool filter_unit_is_unique(const struct record *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (record_first_at(r, r->fields[i].key, &(size_t){0}) !=
		    &r->fields[i].value)
			return false;
	return true;
}

/* All fields, also of equal keys: of those json_write leaves the last. */
static inline void filter_unit_out(void *data, struct record *r)
{
	struct filter_unit *u = data;
	assert_true(!r->has_unique_keys || filter_unit_is_unique(r));
	buf_put_char(&u->out, '{');
	for (size_t i = 0; i < r->count; i++) {
		if (i > 0)
			buf_put_char(&u->out, ',');
		json_write_string(&u->out, r->fields[i].key);
		buf_put_char(&u->out, ':');
		json_write(&u->out, &r->fields[i].value);
	}
	buf_put_char(&u->out, '}');
}

static inline struct record *filter_unit_read(struct filter_unit *u,
					      const char *json)
{
	struct record *r = record_new(u->arena, NULL, SPAN("a.b"), 1);
	assert_int_equal(json_read(u->reader, span_of(json), r), JSON_READ);
	return r;
}

static inline const char *filter_unit_give(struct filter_unit *u,
					   struct record *r)
{
	buf_clear(&u->out);
	chain_run(u->chain, r, filter_unit_out, u);
	return buf_text(&u->out);
}

static inline const char *filter_unit_run(struct filter_unit *u,
					  const char *json)
{
	return filter_unit_give(u, filter_unit_read(u, json));
}

static inline const struct filter_stats *filter_unit_stats(
	const struct filter_unit *u)
{
	const char *name;
	const struct filter *filter;
	assert_true(chain_filter(u->chain, 0, &name, &filter));
	return &filter->stats;
}

struct filter_case {
	const char *keys, *in, *out; /* out "": it was dropped */
};

/* What is known of a record's keys changes nothing. */
static inline void filter_unit_check_known(struct filter_unit *u,
					   const struct filter_case *c)
{
	struct record *r = filter_unit_read(u, c->in);
	if (!filter_unit_is_unique(r))
		return;
	record_keep_last(r);
	assert_true(r->has_unique_keys);
	assert_string_equal(filter_unit_give(u, r), c->out);
}

static inline void filter_unit_check(const char *name,
				     const struct filter_case *cases,
				     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct filter_unit u;
		struct err e = {0};
		if (!filter_unit_init(&u, name, cases[i].keys, &e))
			fail_msg("%s", e.text);
		const char *out = filter_unit_run(&u, cases[i].in);
		if (strcmp(out, cases[i].out) != 0)
			fail_msg("%s%s: %s", cases[i].keys, cases[i].in, out);
		filter_unit_check_known(&u, &cases[i]);
		filter_unit_fini(&u);
	}
}

struct mistake_case {
	const char *keys, *place, *says;
};

static inline void filter_unit_mistakes(const char *name,
					const struct mistake_case *cases,
					size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct filter_unit u;
		struct err e = {0};
		assert_false(filter_unit_init(&u, name, cases[i].keys, &e));
		if (strstr(e.text, cases[i].place) == NULL ||
		    strstr(e.text, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].keys, e.text);
		filter_unit_fini(&u);
	}
}

#endif
