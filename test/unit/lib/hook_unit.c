/* SPDX-License-Identifier: Apache-2.0 */
#include "hook_unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/kinds.h"
#include "setup/embedded.h"

static void put_record(struct buf *out, const struct record *r)
{
	buf_printf(out, "%s%lld.%09lld ", out->len > 0 ? " | " : "",
		   (long long)(r->time_ns / NS_PER_S),
		   (long long)(r->time_ns % NS_PER_S));
	json_write_record(out, JSON_BAD_REPLACED, r);
}

static void on_next(struct emit *emit, struct record *r)
{
	struct hook_unit *u = (struct hook_unit *)emit;
	assert_ptr_equal(r->message, &u->message);
	assert_true(span_equals(r->tag, u->tag));
	put_record(&u->out, r);
}

int hook_unit_set_up(void **state)
{
	struct hook_unit *u = calloc(1, sizeof *u);
	u->emit.next = on_next;
	u->tag = SPAN("kube.*");
	*state = u;
	if (!temp_dir_make(u->dir, "/tmp", "test_lua"))
		return -1;
	snprintf(u->path, sizeof u->path, "%s/hook.lua", u->dir);
	u->arena = arena_new(16384);
	u->json = json_reader_new();
	return 0;
}

void hook_unit_close(struct hook_unit *u)
{
	if (u->filter != NULL)
		filter_lua.close(u->filter);
	u->filter = NULL;
	conf_free(u->conf);
	u->conf = NULL;
}

int hook_unit_tear_down(void **state)
{
	struct hook_unit *u = *state;
	hook_unit_close(u);
	json_reader_free(u->json);
	arena_free(u->arena);
	buf_fini(&u->out);
	int rc = temp_dir_remove(u->dir);
	free(u);
	return rc;
}

bool hook_unit_try_open(struct hook_unit *u, const char *script,
			const char *keys, struct err *e)
{
	hook_unit_close(u);
	file_write_text(u->path, script);
	struct buf text = {0};
	buf_printf(&text, "%s[FILTER]\n%s", u->sets != NULL ? u->sets : "",
		   keys);
	u->conf = conf_read_text("t.conf", text.ptr, text.len, e);
	buf_fini(&text);
	assert_non_null(u->conf);
	struct conf_section *s = conf_section(u->conf, 0);
	const struct filter_env env = {.lua_prelude = embedded_prelude_lua(),
				       .conf_dir = u->dir,
				       .dead_letters = u->dead_letters};
	conf_declare(s, filter_lua.keys);
	u->filter = filter_lua.open(s, &env, e);
	if (u->filter == NULL)
		return false;
	u->filter->name = "lua.0";
	return conf_section_end(s, e);
}

void hook_unit_open(struct hook_unit *u, const char *script)
{
	struct err e = {0};
	if (!hook_unit_try_open(u, script, KEYS, &e))
		fail_msg("%s", e.text);
}

void hook_unit_open_body(struct hook_unit *u, const char *body,
			 const char *keys)
{
	struct buf script = {0};
	buf_printf(&script, "function hook(tag, ts, record) %s end\n", body);
	struct err e = {0};
	if (!hook_unit_try_open(u, buf_text(&script), keys, &e))
		fail_msg("%s: %s", body, e.text);
	buf_fini(&script);
}

const char *hook_unit_give_at(struct hook_unit *u, const char *json,
			      int64_t time_ns)
{
	arena_reset(u->arena);
	buf_clear(&u->out);
	struct record *r = record_new(u->arena, &u->message, u->tag, time_ns);
	assert_int_equal(json_read(u->json, span_of(json), r), JSON_READ);
	switch (filter_lua.apply(u->filter, r, &u->emit)) {
	case FILTER_PASS:
		put_record(&u->out, r);
		break;
	case FILTER_DROP:
		buf_put_text(&u->out, "dropped");
		break;
	case FILTER_UNDECIDED:
		buf_put_text(&u->out, "undecided");
		break;
	case FILTER_DONE:
		break;
	}
	return buf_text(&u->out);
}

const char *hook_unit_give(struct hook_unit *u, const char *json)
{
	return hook_unit_give_at(u, json, T);
}

uint64_t hook_unit_failures(const struct hook_unit *u, const char *reason)
{
	for (size_t i = 0; filter_lua.failures[i] != NULL; i++)
		if (strcmp(filter_lua.failures[i], reason) == 0)
			return u->filter->stats.failures[i];
	fail_msg("no such reason: %s", reason);
	return 0;
}

uint64_t hook_unit_all_failures(const struct hook_unit *u)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < FILTER_FAILURES_MAX; i++)
		sum += u->filter->stats.failures[i];
	return sum;
}

void hook_unit_check(struct hook_unit *u, const struct hook_case *cases,
		     size_t count, const char *reason)
{
	for (size_t i = 0; i < count; i++) {
		const struct hook_case *c = &cases[i];
		hook_unit_open_body(u, c->body, KEYS);
		const char *out = hook_unit_give(u, c->in);
		if (strcmp(out, c->out) != 0)
			fail_msg("%s\n given: %s\n  want: %s\n   got: %s",
				 c->body, c->in, c->out, out);
		if (reason == NULL && hook_unit_all_failures(u) != 0)
			fail_msg("%s: counted as a failure", c->body);
		if (reason != NULL && hook_unit_failures(u, reason) != 1)
			fail_msg("%s: not counted as %s", c->body, reason);
	}
}
