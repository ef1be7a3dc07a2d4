/* SPDX-License-Identifier: Apache-2.0 */
#include "filter_unit.h"

#include <string.h>

bool filter_unit_init(struct filter_unit *u, const char *name, const char *keys,
		      struct err *e)
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

void filter_unit_fini(struct filter_unit *u)
{
	chain_free(u->chain);
	conf_free(u->conf);
	json_reader_free(u->reader);
	arena_free(u->arena);
	buf_fini(&u->out);
}

static bool is_unique(const struct record *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (record_first_at(r, r->fields[i].key, &(size_t){0}) !=
		    &r->fields[i].value)
			return false;
	return true;
}

static void on_out(void *data, struct record *r)
{
	struct filter_unit *u = data;
	assert_true(!r->has_unique_keys || is_unique(r));
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

struct record *filter_unit_read(struct filter_unit *u, const char *json)
{
	struct record *r = record_new(u->arena, NULL, SPAN("a.b"), 1);
	assert_int_equal(json_read(u->reader, span_of(json), r), JSON_READ);
	return r;
}

const char *filter_unit_give(struct filter_unit *u, struct record *r)
{
	buf_clear(&u->out);
	chain_run(u->chain, r, on_out, u);
	return buf_text(&u->out);
}

const char *filter_unit_run(struct filter_unit *u, const char *json)
{
	return filter_unit_give(u, filter_unit_read(u, json));
}

const struct filter_stats *filter_unit_stats(const struct filter_unit *u)
{
	const char *name;
	const struct filter *filter;
	assert_true(chain_filter(u->chain, 0, &name, &filter));
	return &filter->stats;
}

/* The answer must not depend on whether the keys are known to be unique. */
static void check_known(struct filter_unit *u, const struct filter_case *c)
{
	struct record *r = filter_unit_read(u, c->in);
	if (!is_unique(r))
		return;
	record_keep_last(r);
	assert_true(r->has_unique_keys);
	assert_string_equal(filter_unit_give(u, r), c->out);
}

void filter_unit_check(const char *name, const struct filter_case *cases,
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
		check_known(&u, &cases[i]);
		filter_unit_fini(&u);
	}
}

void filter_unit_mistakes(const char *name, const struct mistake_case *cases,
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
