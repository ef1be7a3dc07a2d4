/* SPDX-License-Identifier: Apache-2.0 */
/* What a hook returns, what the filter does with it, and the keys of the
 * filter. */
#include "hook_unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "files.h"

static void the_return_code_decides_what_happens_to_the_record(void **state)
{
	static const struct hook_case cases[] = {
		{"record.a = 2 return 0, ts, record", "{\"a\":1}",
		 T_TEXT "{\"a\":1}"},
		{"return 1, 123.5, {a=1}", "{\"b\":1}",
		 "123.500000000 {\"a\":1}"},
		{"return 2, 0, {a=1}", "{}", T_TEXT "{\"a\":1}"},
		{"return -1, 0, 0", "{\"a\":1}", "dropped"},
		{"return 1, ts, {}", "{\"a\":1}", T_TEXT "{}"},
		{"return '1', ts, {a=1}", "{}", T_TEXT "{\"a\":1}"},
		{"return 1.0, ts, {a=1}", "{}", T_TEXT "{\"a\":1}"},
		{"return 1.9, ts, {a=1}", "{}", T_TEXT "{\"a\":1}"},
		{"return nil, ts, {a=1}", "{}", T_TEXT "{}"},
		{"return", "{\"a\":1}", T_TEXT "{\"a\":1}"},
		{"return 1, '77.25', record", "{}", "77.250000000 {}"},
		{"return 1, 4e9, record", "{}", "4000000000.000000000 {}"},
		{"return 1, ts, {{a=1},{b=2}}", "{}",
		 T_TEXT "{\"a\":1} | " T_TEXT "{\"b\":2}"},
		{"return 1, 5, {{a=1},{}}", "{}",
		 "5.000000000 {\"a\":1} | 5.000000000 {}"},
		{"return 2, 5, {record, record, {in_it=record}}",
		 "{\"a\":1,\"m\":{\"x\":1}}",
		 T_TEXT "{\"a\":1,\"m\":{\"x\":1}} | " T_TEXT
			"{\"a\":1,\"m\":{\"x\":1}} | " T_TEXT
			"{\"in_it\":{\"a\":1,\"m\":{\"x\":1}}}"},
	};
	hook_unit_check(*state, cases, COUNT(cases), NULL);
}

static void a_returned_record_equals_one_after_a_round_trip(void **state)
{
	static const struct hook_case cases[] = {
		{"return 1, ts, record",
		 "{\"f\":1.0,\"n\":null,\"a\":[],\"a2\":[1,null,3]}",
		 T_TEXT "{\"f\":1,\"a\":[],\"a2\":[1,null,3]}"},
		/* the same if the hook read the values */
		{"local x = record.f, record.n, record.a, record.a2 "
		 "return 1, ts, record",
		 "{\"f\":1.0,\"n\":null,\"a\":[],\"a2\":[1,null,3]}",
		 T_TEXT "{\"f\":1,\"a\":[],\"a2\":[1,null,3]}"},
		{"return 2, ts, record",
		 "{\"m\":{\"f\":2.0,\"n\":null,\"d\":1,\"d\":2,\"e\":{}},"
		 "\"a\":[1.5,2.0,{\"n\":null},null,null]}",
		 T_TEXT "{\"m\":{\"f\":2,\"d\":2,\"e\":{}},"
			"\"a\":[1.5,2,{}]}"},
		{"return 1, ts, {f=1.0, z=-0.0, i=7, h=0.5, s='x', b=false, "
		 "big=9007199254740993, e={}, l={'a',nil,'c'}}",
		 "{}",
		 T_TEXT "{\"b\":false,\"big\":9007199254740993,\"e\":{},"
			"\"f\":1,\"h\":0.5,\"i\":7,\"l\":[\"a\",null,\"c\"],"
			"\"s\":\"x\",\"z\":0}"},
		{"return 1, ts, {l={[1]='a', x='y'}, m={[0]='o', [-1]='m', "
		 "[1.5]='h', [true]='t', x='y'}}",
		 "{}",
		 T_TEXT "{\"l\":[\"a\"],\"m\":{\"-1\":\"m\",\"0\":\"o\","
			"\"1.5\":\"h\",\"true\":\"t\",\"x\":\"y\"}}"},
		/* first the order of the record, then the order of the names */
		{"local n = {} for k, v in pairs(record) do n[k] = v end "
		 "n.b2 = 1 n.a2 = 1 return 1, ts, n",
		 "{\"z\":1,\"y\":2,\"x\":3}",
		 T_TEXT "{\"z\":1,\"y\":2,\"x\":3,\"a2\":1,\"b2\":1}"},
		{"return 1, ts, {outer = record}",
		 "{\"b\":1,\"a\":{\"x\":1.0}}",
		 T_TEXT "{\"outer\":{\"b\":1,\"a\":{\"x\":1}}}"},
		{"return 1, ts, record",
		 "{\"i\":9007199254740993,\"s\":\"\\u0000\xff\"}",
		 T_TEXT "{\"i\":9007199254740993,"
			"\"s\":\"\\u0000\\ufffd\"}"},
	};
	hook_unit_check(*state, cases, COUNT(cases), NULL);
}

#define IN "{\"a\":1,\"a\":2,\"f\":1.0,\"n\":null}"
#define KEPT T_TEXT "{\"a\":2,\"f\":1.0,\"n\":null}"

static void an_invalid_result_leaves_the_record_unchanged(void **state)
{
	static const struct hook_case cases[] = {
		{"return 1, ts, 'x'", IN, KEPT},
		{"return 1, ts", IN, KEPT},
		{"return 1, ts, {1, 2}", IN, KEPT},
		{"return 1, ts, {{a=1}, nil, {b=1}}", IN, KEPT},
		{"return 1, ts, {{{a=1}}}", IN, KEPT},
		{"return 1, ts, {[1e9]={}}", IN, KEPT},
		{"return 1, ts, {l={[1e9]=1}}", IN, KEPT},
		{"return 1, ts, {l={[math.maxinteger]=1}}", IN, KEPT},
		{"return 1, ts, {f=print}", IN, KEPT},
		{"return 1, ts, {f=io.stdout}", IN, KEPT},
		{"return 1, ts, {[{}]=1}", IN, KEPT},
		{"record.a = 5 record.f = print return 1, ts, record", IN,
		 KEPT},
		{"record[1] = 'x' return 1, ts, record", IN, KEPT},
		{"record.me = record return 1, ts, record", IN, KEPT},
		{"record.x = {record} record.y = {record} "
		 "return 1, ts, record",
		 IN, KEPT},
		{"local t = {} t.t = t return 1, ts, t", IN, KEPT},
		{"local t = {} t.a = t t.b = t return 1, ts, {t = t}", IN,
		 KEPT},
		/* 2^40 values, without a cycle */
		{"local t = {} for i = 1, 40 do t = {a = t, b = t} end "
		 "return 1, ts, t",
		 IN, KEPT},
		{"return 1, ts, {s = ('x'):rep(9 * 1024 * 1024)}", IN, KEPT},
	};
	hook_unit_check(*state, cases, COUNT(cases), "invalid_result");
}

/* Each record of the list may have all the names of the given record. */
static void a_list_of_records_with_many_names_is_bounded(void **state)
{
	struct hook_unit *f = *state;
	struct buf json = {0};
	buf_put_text(&json, "{\"k\":0");
	for (int i = 0; i < 1000; i++)
		buf_printf(&json, ",\"k%d\":1", i);
	buf_put_text(&json, "}");
	hook_unit_open_body(f,
			    "local list = {} for i = 1, record.n or 2000 do "
			    "list[i] = {k = i} end return 1, ts, list",
			    KEYS);
	hook_unit_give(f, buf_text(&json));
	assert_int_equal(hook_unit_failures(f, "invalid_result"), 1);
	assert_string_equal(hook_unit_give(f, "{\"n\":2}"),
			    T_TEXT "{\"k\":1} | " T_TEXT "{\"k\":2}");
	buf_fini(&json);
}

/* lua_concat of Lua 5.4.4 loses the stack if a metamethod makes it grow. */
static void a_metamethod_of_concatenation_may_need_much_stack(void **state)
{
	static const struct hook_case deep[] = {
		{"local function f(n) return n == 0 and 'x' or (f(n - 1)) end "
		 "local o = setmetatable({}, {__concat = function() "
		 "return f(3000) end}) record = {k = 1 .. o .. 2 .. 'y'} "
		 "return 2, ts, record",
		 IN, T_TEXT "{\"k\":\"1x\"}"},
	};
	hook_unit_check(*state, deep, COUNT(deep), NULL);
}

static void a_failing_call_leaves_the_record_unchanged(void **state)
{
	static const struct hook_case errors[] = {
		{"record.a = 3 record.b = 4 error('no')", IN, KEPT},
		{"return record.x.y", IN, KEPT},
		{"error({})", IN, KEPT},
		{"error()", IN, KEPT},
		{"error(setmetatable({}, {__tostring = error}))", IN, KEPT},
		{"os.exit(0)", IN, KEPT},
		{"hook = nil undefined()", IN, KEPT},
		{"return 1, ts, os.date('%Y', {})", IN, KEPT},
	};
	hook_unit_check(*state, errors, COUNT(errors), "error");
	static const struct hook_case codes[] = {
		{"return 3, ts, record", IN, KEPT},
		{"return -2, ts, record", IN, KEPT},
		{"return 1e300, ts, record", IN, KEPT},
	};
	hook_unit_check(*state, codes, COUNT(codes), "bad_code");
}

/* The returned record is used and keeps its time. */
static void an_invalid_time_is_ignored_and_counted(void **state)
{
	static const struct hook_case times[] = {
		{"return 1, -1, {}", IN, T_TEXT "{}"},
		{"return 1, -0.5, {}", IN, T_TEXT "{}"},
		{"return 1, 0/0, {}", IN, T_TEXT "{}"},
		{"return 1, 1/0, {}", IN, T_TEXT "{}"},
		{"return 1, 1e12, {}", IN, T_TEXT "{}"},
		{"return 1, record.missing, {}", IN, T_TEXT "{}"},
		{"return 1, true, {}", IN, T_TEXT "{}"},
		{"return 1, 'soon', {}", IN, T_TEXT "{}"},
		{"return 1, {a=1}, {}", IN, T_TEXT "{}"},
		{"return 1, nil, {{b=1},{c=1}}", IN,
		 T_TEXT "{\"b\":1} | " T_TEXT "{\"c\":1}"},
	};
	hook_unit_check(*state, times, COUNT(times), "bad_time");
}

static void with_dead_letters_a_failing_call_is_undecided(void **state)
{
	struct hook_unit *f = *state;
	static const struct {
		const char *reason, *body;
	} cases[] = {
		{"error", "record.a = 3 error('no')"},
		{"memory_limit", "return 1, ts, {s = ('x'):rep(1e9)}"},
		{"bad_code", "return 3, ts, record"},
		{"invalid_result", "return 1, ts, 7"},
		{"bad_time", "return 1, -1, record"},
	};
	f->dead_letters = true;
	for (size_t i = 0; i < COUNT(cases); i++) {
		hook_unit_open_body(f, cases[i].body, KEYS);
		const char *out = hook_unit_give(f, "{\"a\":1}");
		if (strcmp(out, "undecided") != 0)
			fail_msg("%s: %s", cases[i].body, out);
		assert_int_equal(hook_unit_failures(f, cases[i].reason), 1);
	}
	hook_unit_open_body(f, "if record.a then return -1 end return 0", KEYS);
	assert_string_equal(hook_unit_give(f, "{\"a\":1}"), "dropped");
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{}");
}

static void a_hook_that_failed_is_called_again(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open(f, "c = 0\n"
			  "function hook(tag, ts, record)\n"
			  "  c = c + 1\n"
			  "  if c == 2 then error('two') end\n"
			  "  return 2, 0, {c = c, tag = tag}\n"
			  "end\n");
	assert_string_equal(hook_unit_give(f, "{}"),
			    T_TEXT "{\"c\":1,\"tag\":\"kube.*\"}");
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{}");
	assert_string_equal(hook_unit_give(f, "{}"),
			    T_TEXT "{\"c\":3,\"tag\":\"kube.*\"}");
	assert_int_equal(hook_unit_failures(f, "error"), 1);
}

static void the_hook_gets_the_tag_of_each_record(void **state)
{
	static const struct {
		const char *tag, *result;
	} cases[] = {
		{"a", T_TEXT "{\"tag\":\"a\"}"},
		{"a", T_TEXT "{\"tag\":\"a\"}"},
		{"b", T_TEXT "{\"tag\":\"b\"}"},
		{"a.b", T_TEXT "{\"tag\":\"a.b\"}"},
		{"", T_TEXT "{\"tag\":\"\"}"},
		{"a", T_TEXT "{\"tag\":\"a\"}"},
	};
	struct hook_unit *f = *state;
	hook_unit_open_body(f, "collectgarbage() return 2, 0, {tag = tag}",
			    KEYS);
	for (size_t i = 0; i < COUNT(cases); i++) {
		f->tag = span_of(cases[i].tag);
		assert_string_equal(hook_unit_give(f, "{}"), cases[i].result);
	}
}

static void the_message_of_an_error_is_logged(void **state)
{
	struct hook_unit *f = *state;
	char log[128];
	struct buf content = {0};
	snprintf(log, sizeof log, "%s/log", f->dir);
	struct err e;
	assert_true(log_open(log, LOG_WARN, &e));
	hook_unit_open(f, "function hook(tag, ts, record)\n"
			  "  error('wrong \"thing\"')\n"
			  "end\n");
	hook_unit_give(f, "{\"secret\":\"s3cret\"}");
	hook_unit_give(f, "{}"); /* too soon to be logged again */
	assert_true(log_open("/dev/stderr", LOG_INFO, &e));
	wait_for_log();
	assert_true(file_read(log, &content));
	unlink(log);
	const char *text = buf_text(&content);
	assert_non_null(strstr(text, "hook.lua:2: wrong \\\"thing\\\""));
	assert_non_null(strstr(text, "filter=lua.0 call=hook failure=error"));
	assert_null(strstr(text, "s3cret"));
	assert_ptr_equal(strchr(text, '\n'), text + content.len - 1);
	buf_fini(&content);
	assert_int_equal(hook_unit_failures(f, "error"), 2);
}

static void the_time_may_be_a_table(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open_body(
		f,
		"record.s = ts.sec record.n = ts.nsec ts.nsec = ts.nsec + 1 "
		"return 1, ts, record",
		KEYS " time_as_table on\n");
	assert_string_equal(hook_unit_give_at(f, "{}", T + 123456789),
			    "1795219198.123456790 "
			    "{\"n\":123456789,\"s\":1795219198}");
	assert_int_equal(hook_unit_all_failures(f), 0);
	/* As in Fluent Bit, only a table is accepted as a time, even if the
	 * code says that the time does not change. */
	hook_unit_open_body(f, "record.x = 1 return record.code, 5, record",
			    KEYS " time_as_table on\n");
	assert_string_equal(hook_unit_give(f, "{\"code\":1}"),
			    T_TEXT "{\"code\":1}");
	assert_string_equal(hook_unit_give(f, "{\"code\":2}"),
			    T_TEXT "{\"code\":2}");
	assert_int_equal(hook_unit_failures(f, "bad_time"), 2);
}

static void a_whole_time_is_an_integer(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open_body(f, "return 2, 0, {t = tostring(ts)}", KEYS);
	assert_string_equal(hook_unit_give(f, "{}"),
			    T_TEXT "{\"t\":\"1795219198\"}");
	assert_string_equal(hook_unit_give_at(f, "{}", T + 250000000),
			    "1795219198.250000000 {\"t\":\"1795219198.25\"}");
}

static void a_deeply_nested_record_passes(void **state)
{
	struct hook_unit *f = *state;
	struct buf json = {0}, want = {0};
	for (int i = 0; i < 500; i++)
		buf_put_text(&json, i % 2 ? "[" : "{\"m\":");
	buf_put_text(&json, "\"x\"");
	for (int i = 500; i-- > 0;)
		buf_put_text(&json, i % 2 ? "]" : "}");
	buf_printf(&want, T_TEXT "%s", buf_text(&json));
	hook_unit_open_body(f, "return 1, ts, record", KEYS);
	assert_string_equal(hook_unit_give(f, buf_text(&json)),
			    buf_text(&want));
	hook_unit_open_body(f, "local x = record.m return 1, ts, record", KEYS);
	assert_string_equal(hook_unit_give(f, buf_text(&json)),
			    buf_text(&want));
	assert_int_equal(hook_unit_all_failures(f), 0);
	buf_fini(&json);
	buf_fini(&want);
}

static void mistakes_are_reported_at_set_up(void **state)
{
	static const struct {
		const char *script;
		const char *keys;
		const char *part; /* of the message */
	} cases[] = {
		{"function hook(", KEYS, "hook.lua:1: <name>"},
		{"x = nil + 1", KEYS, "hook.lua:1: attempt to perform"},
		{"function b() end function a() end x = print", KEYS,
		 "no global function \"hook\"; it has a, b"},
		{"hook = 1", KEYS, "no global function \"hook\""},
		{"\x1bLua", KEYS, "attempt to load a binary chunk"},
		{"", " script none.lua\n call hook\n", "t.conf:2: [FILTER]"},
		{"", " script none.lua\n call hook\n", "none.lua"},
		{"", " call hook\n", "Script is missing"},
		{"", " script hook.lua\n", "Call is missing"},
		{"function hook() end", KEYS " cal x\n", "cal"},
		{"local t = {} for i = 1, 1e9 do t[i] = {} end", KEYS,
		 "not enough memory"},
		{"while true do end", KEYS,
		 "hook.lua:1: stopped after more than 3000 ms of CPU"},
		{"\n\nx = a + * 2", KEYS, "hook.lua:3: unexpected symbol"},
		{"", " call hook\n code x = = 1\n",
		 "t.conf:3: [FILTER] Code: Code:1: unexpected symbol"},
		{"require('ffi')", KEYS, "ffi is part of LuaJIT"},
	};
	struct hook_unit *f = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = {0};
		if (hook_unit_try_open(f, cases[i].script, cases[i].keys, &e))
			fail_msg("%s: opened", cases[i].script);
		if (strstr(e.text, cases[i].part) == NULL)
			fail_msg("%s: %s", cases[i].script, e.text);
	}
}

static void protected_mode_off_does_not_end_the_process(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open_body(f, "error('x')", KEYS " protected_mode off\n");
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{}");
	assert_int_equal(hook_unit_failures(f, "error"), 1);
}

static void listed_fields_become_integers(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open_body(f,
			    "if record.n then record.n = record.n / 4 end "
			    "return 2, 0, record",
			    KEYS " type_int_key i  n\n");
	static const char *const pairs[][2] = {
		{"{\"i\":3.7,\"in\":3.7}", "{\"i\":3,\"in\":3.7}"},
		{"{\"i\":-3.7,\"n\":7}", "{\"i\":-3,\"n\":1}"},
		{"{\"m\":[{\"i\":1.5}],\"o\":{\"n\":2.5}}",
		 "{\"m\":[{\"i\":1}],\"o\":{\"n\":2}}"},
		{"{\"i\":\"3.7\",\"x\":[1.5]}", "{\"i\":\"3.7\",\"x\":[1.5]}"},
		{"{\"i\":1e300}", "{\"i\":-9223372036854775808}"},
	};
	for (size_t i = 0; i < COUNT(pairs); i++) {
		char want[200];
		snprintf(want, sizeof want, T_TEXT "%s", pairs[i][1]);
		assert_string_equal(hook_unit_give(f, pairs[i][0]), want);
	}
}

static void listed_empty_tables_become_arrays(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open_body(f,
			    "record.new = {} record.b = {} return 2, 0, record",
			    KEYS " type_array_key a b\n");
	assert_string_equal(
		hook_unit_give(f, "{\"a\":{},\"m\":{\"a\":{}},\"c\":{}}"),
		T_TEXT "{\"a\":[],\"m\":{\"a\":[]},\"c\":{},"
		       "\"b\":[],\"new\":{}}");
	assert_string_equal(hook_unit_give(f, "{\"a\":{\"x\":1},\"m\":[]}"),
			    T_TEXT "{\"a\":{\"x\":1},\"m\":[],\"b\":[],"
				   "\"new\":{}}");
}

static void nulls_can_be_kept(void **state)
{
	struct hook_unit *f = *state;
	static const struct hook_case cases[] = {
		{"return 2, 0, record",
		 "{\"n\":null,\"m\":{\"x\":null},\"a\":[1,null]}",
		 T_TEXT "{\"n\":null,\"m\":{\"x\":null},\"a\":[1,null]}"},
		{"local m, a, n = record.m, record.a, 0 "
		 "for k, v in pairs(record) do n = n + 1 end "
		 "record.e = record.n == flb_null and m.x == flb_null "
		 "record.l = #a record.c = n return 2, 0, record",
		 "{\"n\":null,\"m\":{\"x\":null},\"a\":[1,null]}",
		 T_TEXT "{\"n\":null,\"m\":{\"x\":null},\"a\":[1,null],"
			"\"c\":3,\"e\":true,\"l\":2}"},
		{"record.n = nil record.b = flb_null return 2, 0, record",
		 "{\"n\":null,\"a\":1}", T_TEXT "{\"a\":1,\"b\":null}"},
		{"return 2, 0, {record, {n = record.n}}", "{\"n\":null}",
		 T_TEXT "{\"n\":null} | " T_TEXT "{\"n\":null}"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		hook_unit_open_body(f, cases[i].body,
				    KEYS " enable_flb_null on\n");
		assert_string_equal(hook_unit_give(f, cases[i].in),
				    cases[i].out);
		assert_int_equal(hook_unit_all_failures(f), 0);
	}
	hook_unit_open_body(f, "return 2, 0, {t = type(flb_null)}", KEYS);
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"t\":\"nil\"}");
}

static void the_script_may_be_in_the_configuration(void **state)
{
	struct hook_unit *f = *state;
	struct err e = {0};
	if (!hook_unit_try_open(f, "not looked at",
				" call hook\n script none.lua\n"
				" code function hook(tag, ts, r) r.a = 9 / 3 "
				"return 2, 0, r end\n",
				&e))
		fail_msg("%s", e.text);
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"a\":3}");
}

static void variables_of_the_configuration_are_in_a_table(void **state)
{
	struct hook_unit *f = *state;
	setenv("HOSTNAME", "box", 1);
	f->sets = "@SET X=old\n@SET Y=y\n@SET X=new\n";
	hook_unit_open_body(f,
			    "return 2, 0, {r = FLB_ENV.X .. FLB_ENV.Y .. "
			    "FLB_ENV.HOSTNAME}",
			    KEYS);
	assert_string_equal(hook_unit_give(f, "{}"),
			    T_TEXT "{\"r\":\"newybox\"}");
}

static void a_hook_with_five_parameters_gets_metadata(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open(f, "function hook(tag, ts, group, metadata, record)\n"
			  "  record.g, record.m = next(group), type(metadata)\n"
			  "  return record.code, 5, metadata, record\n"
			  "end\n");
	assert_string_equal(hook_unit_give(f, "{\"code\":1}"),
			    "5.000000000 {\"code\":1,\"m\":\"table\"}");
	assert_string_equal(hook_unit_give(f, "{\"code\":-1}"), "dropped");
	assert_string_equal(hook_unit_give(f, "{\"code\":0}"),
			    T_TEXT "{\"code\":0}");
	hook_unit_open(f, "function hook(...)\n"
			  "  return 2, 0, {n = select('#', ...)}\n"
			  "end\n");
	assert_string_equal(hook_unit_give(f, "{}"), T_TEXT "{\"n\":3}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_return_code_decides_what_happens_to_the_record),
		TEST(a_returned_record_equals_one_after_a_round_trip),
		TEST(an_invalid_result_leaves_the_record_unchanged),
		TEST(a_list_of_records_with_many_names_is_bounded),
		TEST(a_metamethod_of_concatenation_may_need_much_stack),
		TEST(a_failing_call_leaves_the_record_unchanged),
		TEST(an_invalid_time_is_ignored_and_counted),
		TEST(with_dead_letters_a_failing_call_is_undecided),
		TEST(a_hook_that_failed_is_called_again),
		TEST(the_hook_gets_the_tag_of_each_record),
		TEST(the_message_of_an_error_is_logged),
		TEST(the_time_may_be_a_table),
		TEST(a_whole_time_is_an_integer),
		TEST(a_deeply_nested_record_passes),
		TEST(mistakes_are_reported_at_set_up),
		TEST(protected_mode_off_does_not_end_the_process),
		TEST(listed_fields_become_integers),
		TEST(listed_empty_tables_become_arrays),
		TEST(nulls_can_be_kept),
		TEST(the_script_may_be_in_the_configuration),
		TEST(variables_of_the_configuration_are_in_a_table),
		TEST(a_hook_with_five_parameters_gets_metadata),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
