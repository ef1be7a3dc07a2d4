/* SPDX-License-Identifier: Apache-2.0 */
/* lua_unit - a hook and what becomes of records, for the tests of the filter.
 *
 * A test writes a script, opens the filter with it and gives it JSON; the
 * outcome is told as "seconds.nanoseconds json", records with " | " between
 * them, or in a word. */
#ifndef UNIT_LUA_UNIT_H
#define UNIT_LUA_UNIT_H

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "filter/kinds.h"
#include "record/json.h"
#include "record/message.h"
#include "record/record.h"
#include "setup/embedded.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum { T_S = 1795219198 }; /* 2026-11-20 23:59:58 UTC */
static const int64_t T = T_S * NS_PER_S;
#define T_TEXT "1795219198.000000000 "

struct fixture {
	struct emit emit; /* the first member: next() finds the rest */
	char dir[64];
	char path[96];
	struct conf *conf;
	struct filter *filter;
	struct arena *arena;
	struct json_reader *json;
	struct message message;
	bool dead_letters;
	const char *sets; /* @SET, or NULL */
	struct buf out;
};

static inline void put_record(struct buf *out, const struct record *r)
{
	buf_printf(out, "%s%lld.%09lld ", out->len > 0 ? " | " : "",
		   (long long)(r->time_ns / NS_PER_S),
		   (long long)(r->time_ns % NS_PER_S));
	json_write_record(out, r);
}

static inline void on_next(struct emit *emit, struct record *r)
{
	struct fixture *f = (struct fixture *)emit;
	assert_ptr_equal(r->message, &f->message);
	assert_true(span_equals(r->tag, SPAN("kube.*")));
	put_record(&f->out, r);
}

static inline int start(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	f->emit.next = on_next;
	snprintf(f->dir, sizeof f->dir, "/tmp/test_lua.XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->path, sizeof f->path, "%s/hook.lua", f->dir);
	f->arena = arena_new(16384);
	f->json = json_reader_new();
	*state = f;
	return 0;
}

static inline void close_hook(struct fixture *f)
{
	if (f->filter != NULL)
		filter_lua.close(f->filter);
	f->filter = NULL;
	conf_free(f->conf);
	f->conf = NULL;
}

static inline int stop(void **state)
{
	struct fixture *f = *state;
	close_hook(f);
	json_reader_free(f->json);
	arena_free(f->arena);
	buf_fini(&f->out);
	unlink(f->path);
	int rc = rmdir(f->dir);
	free(f);
	return rc;
}

static inline bool open_with(struct fixture *f, const char *script,
			     const char *keys, struct err *e)
{
	close_hook(f);
	FILE *file = fopen(f->path, "w");
	assert_non_null(file);
	fputs(script, file);
	fclose(file);

	struct buf text = {0};
	buf_printf(&text, "%s[FILTER]\n%s", f->sets != NULL ? f->sets : "",
		   keys);
	f->conf = conf_read_text("t.conf", text.ptr, text.len, e);
	buf_fini(&text);
	assert_non_null(f->conf);
	struct conf_section *s = conf_section(f->conf, 0);
	const struct filter_env env = {.conf_dir = f->dir,
				       .lua_prelude = embedded_prelude_lua(),
				       .dead_letters = f->dead_letters};
	conf_declare(s, filter_lua.keys);
	f->filter = filter_lua.open(s, &env, e);
	if (f->filter == NULL)
		return false;
	f->filter->name = "lua.0";
	return conf_section_end(s, e);
}

#define KEYS " script hook.lua\n call hook\n"

static inline void open_script(struct fixture *f, const char *script)
{
	struct err e = {0};
	if (!open_with(f, script, KEYS, &e))
		fail_msg("%s", e.text);
}

/* The script is one function with this body. */
static inline void open_body(struct fixture *f, const char *body,
			     const char *keys)
{
	struct buf script = {0};
	buf_printf(&script, "function hook(tag, ts, record) %s end\n", body);
	struct err e = {0};
	if (!open_with(f, buf_text(&script), keys, &e))
		fail_msg("%s: %s", body, e.text);
	buf_fini(&script);
}

static const char *give_at(struct fixture *f, const char *json, int64_t time_ns)
{
	arena_reset(f->arena);
	buf_clear(&f->out);
	struct record *r =
		record_new(f->arena, &f->message, SPAN("kube.*"), time_ns);
	assert_int_equal(json_read(f->json, span_of(json), r), JSON_READ);
	switch (filter_lua.apply(f->filter, r, &f->emit)) {
	case FILTER_PASS:
		put_record(&f->out, r);
		break;
	case FILTER_DROP:
		buf_put_text(&f->out, "dropped");
		break;
	case FILTER_UNDECIDED:
		buf_put_text(&f->out, "undecided");
		break;
	case FILTER_DONE:
		break;
	}
	return buf_text(&f->out);
}

static const char *give(struct fixture *f, const char *json)
{
	return give_at(f, json, T);
}

static inline uint64_t failures(const struct fixture *f, const char *reason)
{
	for (size_t i = 0; filter_lua.failures[i] != NULL; i++)
		if (strcmp(filter_lua.failures[i], reason) == 0)
			return f->filter->stats.failures[i];
	fail_msg("no such reason: %s", reason);
	return 0;
}

static inline uint64_t all_failures(const struct fixture *f)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < FILTER_FAILURES_MAX; i++)
		sum += f->filter->stats.failures[i];
	return sum;
}

struct hook_case {
	const char *body;
	const char *in;
	const char *out;
};

static inline void check_cases(struct fixture *f, const struct hook_case *cases,
			       size_t count, const char *reason)
{
	for (size_t i = 0; i < count; i++) {
		const struct hook_case *c = &cases[i];
		open_body(f, c->body, KEYS);
		const char *out = give(f, c->in);
		if (strcmp(out, c->out) != 0)
			fail_msg("%s\n given: %s\n  want: %s\n   got: %s",
				 c->body, c->in, c->out, out);
		if (reason == NULL && all_failures(f) != 0)
			fail_msg("%s: counted as a failure", c->body);
		if (reason != NULL && failures(f, reason) != 1)
			fail_msg("%s: not counted as %s", c->body, reason);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

#endif
