/* SPDX-License-Identifier: Apache-2.0 */
/* What a script can use: its libraries, its numbers and its limits. */
#include "hook_unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

#define IN "{\"a\":1}"
#define KEPT T_TEXT IN

/* The unchanged script, and the time zone it runs in. */
static void the_date_hook_routes_by_day(void **state)
{
	static const char script[] =
		"-- create-log-file-path.lua\n"
		"function create_log_file_path(tag, timestamp, record)\n"
		"  new_record = record\n"
		"  new_record[\"log_file_path\"] = os.date(\"%Y-%m%d\","
		"timestamp)..\"/istio-ingressgateway-access.log\"\n"
		"  return 1, timestamp, new_record\n"
		"end\n";
	static const char *const zones[][2] = {{NULL, "2026-1120"},
					       {"Asia/Tokyo", "2026-1121"}};
	struct hook_unit *f = *state;
	for (size_t i = 0; i < COUNT(zones); i++) {
		if (zones[i][0] == NULL)
			unsetenv("TZ");
		else
			setenv("TZ", zones[i][0], 1);
		tzset();
		struct err e = {0};
		if (!hook_unit_try_open(f, script,
					" script hook.lua\n"
					" call create_log_file_path\n",
					&e))
			fail_msg("%s", e.text);
		/* With a fraction, which must be exact in the result. */
		for (int64_t ns = 0; ns < 3; ns++) {
			char want[200];
			snprintf(want, sizeof want,
				 "%d.%09lld {\"vhost\":\"ex.com\","
				 "\"log_file_path\":\"%s/"
				 "istio-ingressgateway-access.log\"}",
				 T_S, (long long)(ns * 123456789), zones[i][1]);
			assert_string_equal(
				hook_unit_give_at(f, "{\"vhost\":\"ex.com\"}",
						  T + ns * 123456789),
				want);
		}
		assert_int_equal(hook_unit_all_failures(f), 0);
	}
	unsetenv("TZ");
	tzset();
}

static void dates_follow_time_and_format(void **state)
{
	struct hook_unit *f = *state;
	unsetenv("TZ");
	tzset();
	hook_unit_open_body(
		f,
		"local t = os.date('!*t', ts) t.day = t.day + 1 "
		"return 2, 0, {d = os.date('%d %H:%M:%S', ts), "
		"e = os.date('!%j', ts), s = os.date('%d', tostring(ts)), "
		"day = os.date('*t', ts).day, now = #os.date('%Y'), "
		"u = os.date('%s|%k|', 3600), "
		"v = tostring(os.date('%Y', 1e300)), "
		"c = #os.date() > 10}",
		KEYS);
	/* More different seconds than the cache holds, in two rounds. */
	for (int round = 0; round < 2; round++)
		for (int s = 0; s < 20; s++) {
			char want[160];
			snprintf(want, sizeof want,
				 "%d.700000000 {\"c\":true,"
				 "\"d\":\"20 23:59:%02d\",\"day\":20,"
				 "\"e\":\"324\",\"now\":4,\"s\":\"20\","
				 "\"u\":\"3600| 1|\",\"v\":\"nil\"}",
				 T_S - 40 + s, 18 + s);
			assert_string_equal(
				hook_unit_give_at(f, "{}",
						  T + (s - 40) * NS_PER_S +
							  700000000),
				want);
		}
}

struct endless {
	struct hook_unit *f;
	struct buf outcome;
};

/* In a thread that blocks all signals, as the pipeline thread does. */
static void *give_endless(void *data)
{
	struct endless *e = data;
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	buf_put_text(&e->outcome, hook_unit_give(e->f, "{}"));
	buf_put_text(&e->outcome, hook_unit_give(e->f, "{\"go\":1}"));
	buf_put_text(&e->outcome, hook_unit_give(e->f, "{}"));
	return NULL;
}

static void an_endless_hook_is_stopped(void **state)
{
	static const char *const bodies[] = {
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"coroutine.wrap(function() while true do end end)()",
		"xpcall(error, function() while true do end end)",
		"xpcall(function() while true do end end, "
		"function() while true do end end)",
		("pcall(debug.sethook) coroutine.wrap(function() "
		 "pcall(debug.sethook) while true do end end)()"),
	};
	struct hook_unit *f = *state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		char body[200];
		snprintf(body, sizeof body,
			 "record.x = 1 if record.go then %s end "
			 "return 1, ts, record",
			 bodies[i]);
		hook_unit_open_body(f, body, KEYS);
		pthread_t thread;
		struct endless e = {.f = f};
		assert_int_equal(
			pthread_create(&thread, NULL, give_endless, &e), 0);
		pthread_join(thread, NULL);
		/* The next call is not affected. */
		assert_string_equal(buf_text(&e.outcome),
				    T_TEXT "{\"x\":1}" T_TEXT
					   "{\"go\":1}" T_TEXT "{\"x\":1}");
		assert_int_equal(hook_unit_failures(f, "time_limit"), 1);
		assert_int_equal(hook_unit_all_failures(f), 1);
		buf_fini(&e.outcome);
	}
}

/* With large pieces, to reach the memory limit long before the time limit. */
static void a_greedy_hook_is_refused_memory(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open_body(
		f,
		"record.x = 1 if record.go then "
		"local t, s = {}, ('x'):rep(1024) for i = 1, 1e9 do "
		"t[i] = {s:rep(64)} end end return 1, ts, record",
		KEYS);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(hook_unit_give(f, "{\"go\":1}"),
				    T_TEXT "{\"go\":1}");
		assert_string_equal(hook_unit_give(f, "{}"),
				    T_TEXT "{\"x\":1}");
	}
	assert_int_equal(hook_unit_failures(f, "memory_limit"), 2);
	static const struct hook_case cases[] = {
		{"return 1, ts, {s = ('x'):rep(1e9)}", IN, KEPT},
		{"local function f() return f() .. 'x' end f()", IN, KEPT},
	};
	hook_unit_check(f, cases, COUNT(cases), "memory_limit");
}

static void scripts_of_lua_5_1_find_their_functions(void **state)
{
	static const struct hook_case cases[] = {
		{"local a, b = unpack({1, 2}) local n = 0 "
		 "for w in string.gfind('a b', '%a') do n = n + 1 end "
		 "return 2, 0, {a=a, b=b, n=n, g=table.getn({1,2,3}), "
		 "m=table.maxn({1,[7]=1}), p=math.pow(2, 3), "
		 "d=math.mod(7, 4), l=loadstring('return 5')()}",
		 "{}",
		 T_TEXT "{\"a\":1,\"b\":2,\"d\":3,\"g\":3,\"l\":5,\"m\":7,"
			"\"n\":2,\"p\":8}"},
		{"local c = coroutine.create(function(a) "
		 "local b = coroutine.yield(a + 1) return b * 2 end) "
		 "local _, x = coroutine.resume(c, 1) "
		 "local _, y = coroutine.resume(c, 5) "
		 "return 2, 0, {x=x, y=y, s=coroutine.status(c)}",
		 "{}", T_TEXT "{\"s\":\"dead\",\"x\":2,\"y\":10}"},
	};
	hook_unit_check(*state, cases, COUNT(cases), NULL);
}

static void a_script_can_require_a_module_beside_it(void **state)
{
	struct hook_unit *f = *state;
	char path[128];
	snprintf(path, sizeof path, "%s/beside_it.lua", f->dir);
	file_write_text(path, "return {x = 5}");
	hook_unit_open(f, "local m = require('beside_it')\n"
			  "function hook() return 2, 0, m end\n");
	unlink(path);
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"x\":5}");
}

/* Each of these scripts fails, and its record stays unchanged. */
static void a_hook_cannot_disable_its_limits(void **state)
{
	static const struct hook_case cases[] = {
		{"debug.sethook()", IN, KEPT},
		{"debug.debug()", IN, KEPT},
		{"debug.getregistry()", IN, KEPT},
		{"debug.setmetatable(io.stdout, {})", IN, KEPT},
		{"debug.setupvalue(next, 1, 5)", IN, KEPT},
		{"local keep = error error = function() end "
		 "debug.setupvalue(string.rep, 1, nil) error = keep "
		 "return 1, ts, {r = ('x'):rep(2)}",
		 IN, KEPT},
		{"debug.upvaluejoin(hook, 1, debug.setupvalue, 1)", IN, KEPT},
		{"local _, set for i = 1, 9 do _, set = "
		 "debug.getupvalue(debug.setupvalue, i) "
		 "if type(set) == 'function' then "
		 "set(string.rep, 1, nil) end end "
		 "error(('x'):rep(2))",
		 IN, KEPT},
		/* The metamethods of a record check their arguments. */
		{"local set xpcall(function() record[nil] = 1 end, function() "
		 "set = debug.getinfo(3, 'f').func end) set(5, 'x', 1)",
		 IN, KEPT},
		/* The values that a C function of ours works with are its own.
		 */
		{"table.sort({3, 2, 1}, function(a, b) "
		 "debug.setlocal(2, 1, 5) return a < b end)",
		 IN, KEPT},
		{"('abc'):gsub('.', function() debug.setlocal(2, 1, 5) end)",
		 IN, KEPT},
		{"debug.setlocal(2, 3, 5)", IN, KEPT},
		{"local co = coroutine.create(table.sort) "
		 "coroutine.resume(co, {3, 2, 1}, coroutine.yield) "
		 "debug.setlocal(co, 0, 1, 5) coroutine.resume(co)",
		 IN, KEPT},
		{"('abc'):gsub('.', function() debug.getlocal(2, 1) end)", IN,
		 KEPT},
		/* A script cannot call the function that called it. */
		{"debug.getinfo(2, 'f').func()", IN, KEPT},
		{"debug.getinfo(2, 'f').func(io.stdout)", IN, KEPT},
		{"setfenv(2, {})()", IN, KEPT},
		{"os.exit(0)", IN, KEPT},
	};
	hook_unit_check(*state, cases, COUNT(cases), "error");
}

static void the_debug_library_still_shows_locals(void **state)
{
	static const struct hook_case cases[] = {
		{"local a = 5 local n, v = debug.getlocal(1, 4) "
		 "debug.setlocal(1, 4, v + 2) return 2, 0, {[n] = a}",
		 IN, T_TEXT "{\"a\":7}"},
		{"local function f() local n = debug.getlocal(2, 4) "
		 "return n end return 2, 0, {r = f()}",
		 IN, T_TEXT "{\"r\":\"f\"}"},
		{"local co = coroutine.create(function(a) coroutine.yield() "
		 "return a end) coroutine.resume(co, 1) "
		 "debug.setlocal(co, 1, 1, 7) "
		 "return 2, 0, {r = select(2, coroutine.resume(co))}",
		 IN, T_TEXT "{\"r\":7}"},
	};
	hook_unit_check(*state, cases, COUNT(cases), NULL);
}

static void a_table_may_have_the_largest_length(void **state)
{
	static const struct hook_case cases[] = {
		{"local m, t = math.maxinteger, {} t[m] = 1 "
		 "for i = 0, 62 do t[1 << i] = 1 end "
		 "pcall(table.insert, t, 1) pcall(table.sort, t) "
		 "local f = ipairs(t) "
		 "return 2, 0, {r = tostring(f(t, m))}",
		 IN, T_TEXT "{\"r\":\"nil\"}"},
	};
	hook_unit_check(*state, cases, COUNT(cases), NULL);
}

/* Assert that each expression yields its text. */
static void check_texts(struct hook_unit *f, const char *const texts[][2],
			size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char body[400], want[400];
		snprintf(body, sizeof body, "return 2, 0, {r = '' .. %s}",
			 texts[i][0]);
		snprintf(want, sizeof want, T_TEXT "{\"r\":\"%s\"}",
			 texts[i][1]);
		hook_unit_open_body(f, body, KEYS);
		const char *got = hook_unit_give(f, "{\"f\":2.0,\"i\":10}");
		if (strcmp(got, want) != 0)
			fail_msg("%s\nwant: %s\n got: %s", texts[i][0], want,
				 got);
	}
}

static void there_is_one_kind_of_number(void **state)
{
	static const char *const texts[][2] = {
		{"10 / 2", "5"},
		{"7 / 2", "3.5"},
		{"1.0", "1"},
		{"1e3", "1000"},
		{"0.5 + 0.5", "1"},
		{"ts - ts % 60", "1795219140"},
		{"('0.250' * 1000) .. 'ms'", "250ms"},
		{"record.f * record.i / 4", "5"},
		{"-10 / 2", "-5"},
		{"2 ^ 31", "2147483648"},
		{"2 ^ 53", "9.007199254741e+15"},
		{"(1.005 * 1000) .. 'ms'", "1005ms"},
		{"0.57 * 100", "57"},
		{"tostring(0.57 * 100)", "57"},
		{"table.concat({0.57 * 100, 1.005 * 1000}, '/')", "57/1005"},
		{"string.format('%s|%5s|%q', 0.57 * 100, 1.0, 2.0)",
		 "57|    1|\\\"2\\\""},
		{"string.len(0.57 * 100) .. string.rep(5.0, 2)", "255"},
		{"string.gsub('a', 'a', 0.57 * 100)", "57"},
		{"(function(s) for i = ('1 3'):match('%d'), "
		 "('1 3'):match('%d$') do s = s .. i .. ',' end return s "
		 "end)('')",
		 "1,2,3,"},
		{"-0.0", "-0"},
		{"100000000000.125", "100000000000.13"},
		{"12345678901234567", "12345678901234567"},
		{"1 / 0", "inf"},
		{"0 / 0", "nan"},
		{"1e100", "1e+100"},
		{"(function(a) return a * 0.5 end)(10)", "5"},
		{"table.concat({4 / 2, 2.5, tonumber('3.0')}, ' ')", "2 2.5 3"},
		{"tostring(math.sqrt(16))", "4"},
		{"math.max('10', 5)", "10"},
		{"math.modf(3.7)", "3"},
		{"loadstring('return 6 / 3')()", "2"},
		{"tonumber('nan')", "nan"},
		{"tostring(tonumber('x'))", "nil"},
		{"('x'):rep(4 / 2)", "xx"},
		{"('abcdef'):sub(3 / 2, 9 / 2)", "abcd"},
		{"string.format('%d %s %x', 1.5, 4 / 2, 255.9)", "1 2 ff"},
		{"string.format('%u|%05s|%.1f', 7, 'a', 0.25)", "7|    a|0.3"},
		{"0xffffffffffffffff", "1.844674407371e+19"},
		{"bit.bxor(bit.lshift(1, 31), 0xff)", "-2147483393"},
		{"bit.tohex(-1)", "ffffffff"},
	};
	check_texts(*state, texts, COUNT(texts));
}

/* The error message names the value that cannot be concatenated. */
static void an_operand_of_the_wrong_type_is_named(void **state)
{
	static const char *const pairs[][2] = {
		{"'x' .. record.none .. 'y'",
		 "hook.lua:3: attempt to concatenate a nil value "
		 "(record.none)"},
		{"record .. 1", "hook.lua:3: attempt to concatenate a table "
				"value (record)"},
		{"'x' .. (nil)", "hook.lua:3: attempt to concatenate a nil "
				 "value"},
		{"1.5 .. setmetatable({}, {__concat = function(a, b) "
		 "return math.type(a) end})",
		 "float"},
	};
	struct hook_unit *f = *state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		char script[400], want[400];
		snprintf(script, sizeof script,
			 "function hook(tag, ts, record)\n"
			 "local ok, r = pcall(function()\nreturn %s end)\n"
			 "return 2, 0, {r = r:gsub('^.*/', '')} end\n",
			 pairs[i][0]);
		snprintf(want, sizeof want, T_TEXT "{\"r\":\"%s\"}",
			 pairs[i][1]);
		hook_unit_open(f, script);
		assert_string_equal(hook_unit_give(f, "{}"), want);
	}
}

static void patterns_match_as_in_lua_5_1(void **state)
{
	static const char *const texts[][2] = {
		{"('abc'):gsub('%w*', 'x')", "xx"},
		{"('a-b'):gsub('-', '%-')", "a-b"},
		{"('x=1'):gsub('(%w)=(%w)', '%2=%1')", "1=x"},
		{"('abc'):gsub('b*', {b = 'B', [''] = '.'})", ".aB.c."},
		{"('abc'):gsub('(b*)', '<%1>', 2)", "<>a<b>c"},
		{"('abc'):gsub('[a-c]', function(c) return c == 'b' and 5/1 "
		 "end)",
		 "a5c"},
		{"tostring(pcall(string.gsub, 'abc', '%w*', '%2'))", "false"},
		{"(function(s) for w in ('a,,b'):gmatch('([^,]*)') do "
		 "s = s .. '<' .. w .. '>' end return s end)('')",
		 "<a><><><b><>"},
		{"(function(s) for k, v in ('a=1'):gmatch('(%w*)=?(%d*)') do "
		 "s = s .. k .. ':' .. v .. ' ' end return s end)('')",
		 "a:1 : "},
		{"('abc'):find('', 10)", "4"},
		{"('abc'):find('b', 1.9)", "2"},
	};
	check_texts(*state, texts, COUNT(texts));
}

static void functions_have_environments(void **state)
{
	static const char *const texts[][2] = {
		{"setfenv(function() return x end, {x = 5})()", "5"},
		{"(function() setfenv(1, {y = 6}) return y end)()", "6"},
		{"tostring(getfenv(1) == _G)", "true"},
		{"tostring(pcall(setfenv, 0, {}))", "false"},
		{"(function() module('m', package.seeall) "
		 "function f() return _NAME end return _G.m.f() end)()",
		 "m"},
	};
	check_texts(*state, texts, COUNT(texts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_date_hook_routes_by_day),
		TEST(dates_follow_time_and_format),
		TEST(an_endless_hook_is_stopped),
		TEST(a_greedy_hook_is_refused_memory),
		TEST(scripts_of_lua_5_1_find_their_functions),
		TEST(a_script_can_require_a_module_beside_it),
		TEST(a_hook_cannot_disable_its_limits),
		TEST(the_debug_library_still_shows_locals),
		TEST(a_table_may_have_the_largest_length),
		TEST(there_is_one_kind_of_number),
		TEST(an_operand_of_the_wrong_type_is_named),
		TEST(patterns_match_as_in_lua_5_1),
		TEST(functions_have_environments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
