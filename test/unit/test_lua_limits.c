/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of Lua's library respect the limits of a call. */
#include "hook_unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

/* A record whose message is a request with `count` slashes, as any client can
 * send it. */
static void put_slashes(struct buf *json, int count)
{
	buf_put_text(json, "{\"go\":1,\"message\":\"GET ");
	for (int i = 0; i < count; i++)
		buf_put_text(json, "/");
	buf_put_text(json, "\"}");
}

/* Assert that a hook with this body, which uses text of 7,000 slashes, is
 * stopped, and that the next call is not affected. */
static void check_stopped(struct hook_unit *f, const char *body)
{
	char whole[600];
	struct buf json = {0};
	put_slashes(&json, 7000);
	snprintf(whole, sizeof whole,
		 "record.x = 1 if record.go then %s end return 1, ts, record",
		 body);
	hook_unit_open_body(f, whole, KEYS);
	hook_unit_give(f, buf_text(&json));
	if (hook_unit_failures(f, "time_limit") != 1)
		fail_msg("not stopped: %s", body);
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"x\":1}");
	assert_int_equal(hook_unit_all_failures(f), 1);
	buf_fini(&json);
}

static void an_endless_pattern_is_stopped(void **state)
{
	static const char *const bodies[] = {
		"(record.message):match('(.-)/(.-)/(.-)/index%.html$')",
		"for w in (record.message):gmatch('/*/*/*/*x') do end",
		"pcall(string.gsub, record.message, '.-/.-/.-/.-/x', '')",
		/* a large set is compared character by character */
		("local set = '[' .. ('ab'):rep(1e6) .. ']' "
		 "string.find(('x'):rep(1e6), set)"),
		"local s = ('x'):rep(1e6) string.find(s .. s, '(x*)%1y')",
	};
	for (size_t i = 0; i < COUNT(bodies); i++)
		check_stopped(*state, bodies[i]);
}

static void an_endless_table_function_is_stopped(void **state)
{
	static const char *const bodies[] = {
		"table.insert({1}, -1e15, 2)",
		"table.move({}, 1, 1e15, 2)",
		"table.move({1, 2}, -1e15, 1e15, -1e15 + 1)",
		/* comparing takes long */
		("local s, t = ('x'):rep(8e6), {} for i = 1, 1e5 do t[i] = s "
		 "end table.sort(t)"),
	};
	for (size_t i = 0; i < COUNT(bodies); i++)
		check_stopped(*state, bodies[i]);
}

/* These would be endless in Lua 5.4, but are not in LuaJIT. */
static void some_functions_are_never_endless(void **state)
{
	static const struct hook_case cases[] = {
		{"return 2, 0, {r = string.rep('', 1e15)}", "{}",
		 T_TEXT "{\"r\":\"\"}"},
		{"local s = ('a'):rep(4e6) return 2, 0, "
		 "{r = s:find(s:sub(1, 2e6) .. 'b', 1, true) or 'no'}",
		 "{}", T_TEXT "{\"r\":\"no\"}"},
		{"local t = {} table.insert(t, 1e15, 5) "
		 "return 2, 0, {r = t[1e15]}",
		 "{}", T_TEXT "{\"r\":5}"},
	};
	hook_unit_check(*state, cases, COUNT(cases), NULL);
}

static void a_script_cannot_set_a_finaliser(void **state)
{
	static const struct hook_case cases[] = {
		{"local t = setmetatable({}, {__gc = function() "
		 "while true do end end}) t = nil collectgarbage() "
		 "return 2, 0, {r = 1}",
		 "{}", T_TEXT "{\"r\":1}"},
		/* the metatable keeps its field */
		{"local m = {__gc = 5, __index = {x = 7}} "
		 "local t = setmetatable({}, m) "
		 "return 2, 0, {r = t.x + getmetatable(t).__gc}",
		 "{}", T_TEXT "{\"r\":12}"},
		{"getmetatable(io.stdout).__gc = error "
		 "debug.getmetatable(io.stdout).__gc = error "
		 "io.open('/dev/null') collectgarbage() "
		 "return 2, 0, {r = type(getmetatable(io.stdout).__index)}",
		 "{}", T_TEXT "{\"r\":\"table\"}"},
	};
	hook_unit_check(*state, cases, COUNT(cases), NULL);
}

/* The result is a list that contains the same table many times.  The table has
 * many keys, so reading the whole list would take very long. */
static void reading_a_result_is_bounded(void **state)
{
	static const struct hook_case cases[] = {
		{"local t, l = {1}, {} "
		 "for i = 1, 1e4 do t['k' .. i] = 1 l[i] = t end "
		 "return 2, 0, {x = l}",
		 "{}", T_TEXT "{}"},
	};
	hook_unit_check(*state, cases, COUNT(cases), "invalid_result");
}

/* A hook is called for each record that an earlier hook has made of a message,
 * and all results are in memory together: at most 16 MiB. */
static void the_results_for_one_message_are_bounded(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open_body(f, "return 2, 0, {r = string.rep('x', record.n)}",
			    KEYS);
	for (int call = 0; call < 4; call++)
		assert_true(strlen(hook_unit_give(f, "{\"n\":4000000}")) >
			    4000000);
	assert_int_equal(hook_unit_all_failures(f), 0);
	assert_string_equal(hook_unit_give(f, "{\"n\":4000000}"),
			    T_TEXT "{\"n\":4000000}");
	assert_int_equal(hook_unit_failures(f, "invalid_result"), 1);
	f->message = (struct message){0};
	assert_true(strlen(hook_unit_give(f, "{\"n\":4000000}")) > 4000000);
	assert_int_equal(hook_unit_all_failures(f), 1);
}

/* Call the hook until the counter is no longer 0, at most twenty times. */
static void give_until(struct hook_unit *f, const uint64_t *counter)
{
	for (int calls = 0; *counter == 0; calls++) {
		assert_true(calls < 20);
		hook_unit_give(f, "{}");
	}
}

static void a_script_that_keeps_too_much_is_loaded_again(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open(f, "kept = {} function hook(tag, ts, record) "
			  "kept[#kept + 1] = ('x'):rep(8e6) "
			  "record.x = #kept return 1, ts, record end");
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"x\":1}");
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"x\":2}");
	give_until(f, &f->filter->stats.script_loads_total);
	assert_int_equal(f->filter->stats.script_loads_total, 1);
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"x\":1}");
	assert_true(hook_unit_failures(f, "memory_limit") > 0);
}

/* Lua moves a table that grows into one of twice its size, so this one reaches
 * the limit when it takes up little more than a third of it. */
static void a_table_that_cannot_grow_is_lost(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open(f, "n, seen = 0, {} function hook(tag, ts, record) "
			  "for i = 1, 1e5 do n = n + 1 seen[n * 7.5] = n end "
			  "return 1, ts, {n = n} end");
	give_until(f, &f->filter->stats.script_loads_total);
	assert_int_equal(f->filter->stats.script_loads_total, 1);
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"n\":100000}");
}

static void a_script_that_catches_the_failure_is_loaded_again(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open(f, "kept = {} function hook(tag, ts, record) "
			  "pcall(function() "
			  "kept[#kept + 1] = ('x'):rep(8e6) end) "
			  "return 1, ts, {x = #kept} end");
	for (int calls = 0; f->filter->stats.script_loads_total == 0; calls++) {
		assert_true(calls < 10);
		hook_unit_give(f, "{}");
	}
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"x\":1}");
	assert_int_equal(hook_unit_all_failures(f), 0);
}

/* The script keeps little, so loading it again would not help. */
static void a_greedy_call_loses_no_variables(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open(f, "n = 0 function hook(tag, ts, record) n = n + 1 "
			  "if record.go then local s = ('x'):rep(4e7) end "
			  "return 1, ts, {n = n} end");
	for (int i = 0; i < 3; i++)
		assert_string_equal(hook_unit_give(f, "{\"go\":1}"),
				    T_TEXT "{\"go\":1}");
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"n\":4}");
	assert_int_equal(f->filter->stats.script_loads_total, 0);
}

/* Until the script can be loaded, its hook is not called. */
static void a_script_that_cannot_be_loaded_again_is_retried(void **state)
{
	struct hook_unit *f = *state;
	char mark[128];
	struct buf script = {0};
	snprintf(mark, sizeof mark, "%s/mark", f->dir);
	buf_printf(&script,
		   "if io.open('%s') then error('not now') end kept = {} "
		   "function hook(tag, ts, record) "
		   "kept[#kept + 1] = ('x'):rep(8e6) "
		   "record.x = #kept return 1, ts, record end",
		   mark);
	hook_unit_open(f, buf_text(&script));
	buf_fini(&script);
	file_write_text(mark, "");
	for (int calls = 0; hook_unit_failures(f, "not_loaded") == 0; calls++) {
		assert_true(calls < 20);
		assert_string_not_equal(hook_unit_give(f, "{\"a\":1}"), "");
	}
	assert_string_equal(buf_text(&f->out), T_TEXT "{\"a\":1}");
	assert_int_equal(f->filter->stats.script_loads_total, 0);
	unlink(mark);
	int64_t limit_ns = clock_mono_ns() + 240 * NS_PER_S;
	while (f->filter->stats.script_loads_total == 0) {
		assert_true(clock_mono_ns() < limit_ns);
		hook_unit_give(f, "{}");
	}
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"x\":2}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_endless_pattern_is_stopped),
		TEST(an_endless_table_function_is_stopped),
		TEST(some_functions_are_never_endless),
		TEST(a_script_cannot_set_a_finaliser),
		TEST(reading_a_result_is_bounded),
		TEST(the_results_for_one_message_are_bounded),
		TEST(a_script_that_keeps_too_much_is_loaded_again),
		TEST(a_table_that_cannot_grow_is_lost),
		TEST(a_script_that_catches_the_failure_is_loaded_again),
		TEST(a_greedy_call_loses_no_variables),
		TEST(a_script_that_cannot_be_loaded_again_is_retried),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
