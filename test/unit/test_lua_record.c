/* SPDX-License-Identifier: Apache-2.0 */
/* The record as a hook sees it, in the same call and in later ones. */
#include "hook_unit.h"

#include <stdio.h>

static void the_record_behaves_like_a_table(void **state)
{
	static const struct hook_case cases[] = {
		{"return 1, ts, {t=type(record), n=record.none, a=record.a, "
		 "s=record['s'], i=record[1]}",
		 "{\"a\":1,\"s\":\"x\",\"1\":2}",
		 T_TEXT "{\"a\":1,\"s\":\"x\",\"t\":\"table\"}"},
		/* assigned: in place, and appended */
		{"record.b = 'B' record.z = true record.y = 1.5 "
		 "return 1, ts, record",
		 "{\"a\":1,\"b\":2,\"c\":3}",
		 T_TEXT "{\"a\":1,\"b\":\"B\",\"c\":3,\"y\":1.5,\"z\":true}"},
		/* read after being written */
		{"record.a = 2 record.n = record.a + 1 record.n = record.n+1 "
		 "return 1, ts, record",
		 "{\"a\":1}", T_TEXT "{\"a\":2,\"n\":4}"},
		/* removed, also after being written */
		{"record.a = nil record.b = 5 record.b = nil record.x = 1 "
		 "record.x = nil record.c2 = record.a == nil and "
		 "record.b == nil return 1, ts, record",
		 "{\"a\":1,\"b\":2,\"c\":3}", T_TEXT "{\"c\":3,\"c2\":true}"},
		/* removed and assigned again: it keeps its position */
		{"record.a = nil record.a = 9 return 1, ts, record",
		 "{\"a\":1,\"b\":2}", T_TEXT "{\"a\":9,\"b\":2}"},
		/* nested */
		{"record.m.x = 2 record.m.l[2] = 'q' return 1, ts, record",
		 "{\"m\":{\"x\":1,\"l\":[1,2,3]},\"b\":1}",
		 T_TEXT "{\"m\":{\"x\":2,\"l\":[1,\"q\",3]},\"b\":1}"},
		{"local m = record.m m.x = nil return 1, ts, record",
		 "{\"m\":{\"x\":1}}", T_TEXT "{\"m\":{}}"},
		{"local t = {} record.t = t t.x = 1 return 1, ts, record", "{}",
		 T_TEXT "{\"t\":{\"x\":1}}"},
		{"record.l[#record.l + 1] = 4 return 1, ts, record",
		 "{\"l\":[1,2,3]}", T_TEXT "{\"l\":[1,2,3,4]}"},
		/* of two equal keys, the hook sees the last */
		{"record.c = record.a return 1, ts, record",
		 "{\"a\":1,\"b\":2,\"a\":3}",
		 T_TEXT "{\"b\":2,\"a\":3,\"c\":3}"},
		{"record.a = nil return 1, ts, record",
		 "{\"a\":1,\"b\":2,\"a\":3}", T_TEXT "{\"b\":2}"},
		/* pairs, next, rawget, rawset */
		{"local s = '' for k, v in pairs(record) do "
		 "s = s .. k .. '=' .. tostring(v) .. ';' end "
		 "return 1, ts, {s = s}",
		 "{\"b\":1,\"a\":\"x\",\"b\":2,\"n\":null,\"f\":1.0}",
		 T_TEXT "{\"s\":\"a=x;b=2;f=1;\"}"},
		{"record.c = nil record.a = 'A' record.z = 'Z' local s = '' "
		 "for k, v in pairs(record) do s = s .. k .. v end "
		 "return 1, ts, {s = s}",
		 "{\"a\":1,\"b\":2,\"c\":3}", T_TEXT "{\"s\":\"aAb2zZ\"}"},
		{"for k, v in pairs(record) do record[k] = v .. '!' end "
		 "return 1, ts, record",
		 "{\"a\":\"1\",\"b\":\"2\"}",
		 T_TEXT "{\"a\":\"1!\",\"b\":\"2!\"}"},
		{"for k, v in pairs(record) do record[k] = nil end "
		 "return 1, ts, record",
		 "{\"a\":\"1\",\"b\":{\"c\":1}}", T_TEXT "{}"},
		{"for k, v in next, record do if k == 'a' then v.x = 2 end "
		 "end return 1, ts, record",
		 "{\"a\":{\"x\":1},\"b\":2}",
		 T_TEXT "{\"a\":{\"x\":2},\"b\":2}"},
		{"rawset(record, 'a', rawget(record, 'a') + 1) "
		 "rawset(record, 'b', nil) record.e = next({}) == nil "
		 "return 1, ts, record",
		 "{\"a\":1,\"b\":2}", T_TEXT "{\"a\":2,\"e\":true}"},
		{"return 1, ts, {e = next(record) == nil}", "{\"n\":null}",
		 T_TEXT "{\"e\":true}"},
		{"local n = 0 for i, v in ipairs(record) do n = n + 1 end "
		 "return 1, ts, {n = n, len = #record}",
		 "{\"a\":1}", T_TEXT "{\"len\":0,\"n\":0}"},
		/* a metatable of its own */
		{"setmetatable(record, {__index = function(t, k) "
		 "return 'no ' .. k end}) record.r = record.zz .. record.a "
		 "return 1, ts, record",
		 "{\"a\":1,\"n\":null}", T_TEXT "{\"a\":1,\"r\":\"no zz1\"}"},
		{"return 1, ts, {g = getmetatable(record) == nil and "
		 "getmetatable(record.l) == nil and "
		 "debug.getmetatable(record) == nil and "
		 "debug.getmetatable(record.l) == nil and "
		 "type(getmetatable('')) == 'table'}",
		 "{\"l\":[]}", T_TEXT "{\"g\":true}"},
		{"local m = setmetatable({}, {__metatable = 'mine'}) "
		 "return 1, ts, {g = getmetatable(m), "
		 "s = pcall(setmetatable, m, {})}",
		 "{}", T_TEXT "{\"g\":\"mine\",\"s\":false}"},
		/* functions of the table library */
		{"return 1, ts, {m = table.maxn(record), "
		 "g = table.getn(record), u = select('#', unpack(record)), "
		 "f = table.foreach(record, function(k, v) "
		 "return k .. v end)}",
		 "{\"a\":1}", T_TEXT "{\"f\":\"a1\",\"g\":0,\"m\":0,\"u\":0}"},
		{"record[-1] = 'm' record[true] = 't' return 1, ts, record",
		 "{\"a\":1}", T_TEXT "{\"a\":1,\"-1\":\"m\",\"true\":\"t\"}"},
	};
	hook_unit_check(*state, cases, COUNT(cases), NULL);
}

/* A hook must not see where an assigned value is stored, or that it moved. */
static void assigned_values_are_found_wherever_they_are_stored(void **state)
{
	static const struct hook_case cases[] = {
		/* values of each type in the order of the names: in the view,
		 * past its end, and in the table */
		{"record.k = true record.j = 1.5 record.i = 'i' record.h = {1} "
		 "record.g = 7 record.f = 'f' record.e = 'e' record.d = 'd' "
		 "record.c = 2.0 record.b = 'b' return 1, ts, record",
		 "{\"z\":1,\"b\":2}",
		 T_TEXT "{\"z\":1,\"b\":\"b\",\"c\":2,\"d\":\"d\",\"e\":\"e\","
			"\"f\":\"f\",\"g\":7,\"h\":[1],\"i\":\"i\",\"j\":1.5,"
			"\"k\":true}"},
		/* from one type to another and back */
		{"record.n = 'x' record.n = 2.5 record.n = {} record.n = 3 "
		 "record.a = 2.5 record.a = 'x' record.a = {1} record.a = 4 "
		 "return 1, ts, record",
		 "{\"a\":1,\"b\":2}", T_TEXT "{\"a\":4,\"b\":2,\"n\":3}"},
		{"record.n = 'x' record.n = {} record.n = nil record.m = 2.5 "
		 "record.m = nil record.m = 'm' record.a = {} record.a = nil "
		 "return 1, ts, record",
		 "{\"a\":1,\"b\":2}", T_TEXT "{\"b\":2,\"m\":\"m\"}"},
		/* a float stays a float */
		{"record.a = 2^60 record.n = 2^60 record.s = "
		 "string.format('%.0f %.0f', record.a / 3, record.n / 3) "
		 "return 1, ts, record",
		 "{\"a\":1}",
		 T_TEXT "{\"a\":1152921504606846976,\"n\":1152921504606846976,"
			"\"s\":\"384307168202282304 384307168202282304\"}"},
		/* more than the view can hold: one long text, many short
		 * ones */
		{"record.n = ('x'):rep(70000) record.n = record.n:len() "
		 "record.a = ('x'):rep(70000) record.a = #record.a "
		 "return 1, ts, record",
		 "{\"a\":1}", T_TEXT "{\"a\":70000,\"n\":70000}"},
		{"for i = 1, 9999 do record.n = 'number ' .. i end "
		 "for i = 1, 9999 do record.a = 'number ' .. i end "
		 "record.b = true return 1, ts, record",
		 "{\"a\":1}",
		 T_TEXT "{\"a\":\"number 9999\",\"b\":true,"
			"\"n\":\"number 9999\"}"},
		/* a loop over the record sees them, and may assign more */
		{"record.n = 'n' record.gone = 1 record.gone = nil "
		 "local s = '' for k, v in pairs(record) do s = s .. k .. v end "
		 "record.n = s record.o = next(record) return 1, ts, record",
		 "{\"a\":1}", T_TEXT "{\"a\":1,\"n\":\"a1nn\",\"o\":\"a\"}"},
		{"local n = 0 for k in pairs(record) do n = n + 1 "
		 "if k == 'a' or k == 'b' then record['x_' .. k] = n end end "
		 "record.more = 'm' return 1, ts, record",
		 "{\"a\":1,\"b\":2}",
		 T_TEXT "{\"a\":1,\"b\":2,\"more\":\"m\",\"x_a\":1,\"x_b\":2}"},
		/* in other tables, in a list, and with a metatable */
		{"record.n = 'n' return 1, ts, {r = record, n = record.n}",
		 "{\"a\":1}",
		 T_TEXT "{\"n\":\"n\",\"r\":{\"a\":1,\"n\":\"n\"}}"},
		{"record.n = 'n' return 1, ts, {record, {n = 1, a = 2, m = 3}}",
		 "{\"a\":1}",
		 T_TEXT "{\"a\":1,\"n\":\"n\"} | " T_TEXT
			"{\"a\":2,\"m\":3,\"n\":1}"},
		{"record.n = 'n' setmetatable(record, {}) "
		 "record.m = rawget(record, 'n') return 1, ts, record",
		 "{\"a\":1}", T_TEXT "{\"a\":1,\"m\":\"n\",\"n\":\"n\"}"},
		/* the record of a hook is a copy */
		{"record.a = 'x' record.n = 'n' return 0, 0, record",
		 "{\"a\":1}", T_TEXT "{\"a\":1}"},
	};
	hook_unit_check(*state, cases, COUNT(cases), NULL);
}

/* In the first calls records are kept differently from later ones. */
static void records_behave_the_same_after_many_calls(void **state)
{
	static const char body[] =
		"record.n = record.a record.m = 1.5 record.a = 'x' "
		"record.l = {record.l[2]} record.b = nil return 1, ts, record";
	static const char in[] =
		"{\"l\":[1,2],\"a\":1,\"f\":1.0,\"b\":1,\"0\":null}";
	static const char out[] =
		T_TEXT "{\"l\":[2],\"a\":\"x\",\"f\":1,\"m\":1.5,\"n\":1}";
	struct hook_unit *f = *state;
	hook_unit_open_body(f, body, KEYS);
	for (int i = 0; i < 1100; i++)
		assert_string_equal(hook_unit_give(f, in), out);
	assert_int_equal(hook_unit_all_failures(f), 0);
}

/* The test reads the record in each possible way first. */
static void a_record_of_an_earlier_call_can_be_read(void **state)
{
	static const char *const uses[] = {
		"old.v",
		"rawget(old, 'v')",
		"next(old) and old.v",
		("(function(t) for k, v in pairs(old) do t[k] = v end "
		 "return t end)({}).v"),
		"(rawset(old, 'w', 1) and old.v)",
		"(function() old.w = 1 return old.v end)()",
		"getmetatable(setmetatable(old, {v = old.v})).v",
	};
	struct hook_unit *f = *state;
	for (size_t i = 0; i < COUNT(uses); i++) {
		char body[200];
		snprintf(body, sizeof body,
			 "local last = old and %s old = record "
			 "record.last = last return 2, 0, record",
			 uses[i]);
		hook_unit_open_body(f, body, KEYS);
		hook_unit_give(f, "{\"v\":[1],\"gone\":1}");
		assert_string_equal(hook_unit_give(f, "{\"v\":2}"),
				    T_TEXT "{\"v\":2,\"last\":[1]}");
		assert_string_equal(hook_unit_give(f, "{\"v\":3}"),
				    T_TEXT "{\"v\":3,\"last\":2}");
		assert_string_equal(hook_unit_give(f, "{\"v\":4}"),
				    T_TEXT "{\"v\":4,\"last\":3}");
		assert_int_equal(hook_unit_all_failures(f), 0);
	}
}

static void records_can_be_kept_and_returned_later(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open(f, "kept = {}\n"
			  "function hook(tag, ts, record)\n"
			  "  record.seen = true\n"
			  "  record.b = nil\n"
			  "  kept[#kept + 1] = record\n"
			  "  if #kept < 3 then return -1, 0, 0 end\n"
			  "  local all = kept\n"
			  "  kept = {}\n"
			  "  return 2, 0, all\n"
			  "end\n");
	for (int round = 0; round < 2; round++) {
		assert_string_equal(hook_unit_give(f, "{\"a\":1,\"b\":1}"),
				    "dropped");
		assert_string_equal(hook_unit_give(f, "{\"a\":2}"), "dropped");
		assert_string_equal(
			hook_unit_give(f, "{\"a\":3,\"b\":{\"c\":1}}"),
			T_TEXT "{\"a\":1,\"seen\":true} | " T_TEXT
			       "{\"a\":2,\"seen\":true} | " T_TEXT
			       "{\"a\":3,\"seen\":true}");
	}
	assert_int_equal(hook_unit_all_failures(f), 0);
	/* Inside another record. */
	hook_unit_open_body(
		f, "local r = old or {} old = record return 2, 0, {r = r}",
		KEYS);
	hook_unit_give(f, "{\"a\":1}");
	assert_string_equal(hook_unit_give(f, "{\"a\":2}"),
			    T_TEXT "{\"r\":{\"a\":1}}");
	assert_string_equal(hook_unit_give(f, "{\"a\":3}"),
			    T_TEXT "{\"r\":{\"a\":2}}");
}

/* After many calls that read no earlier record, records are no longer kept. */
static void a_record_of_an_earlier_call_may_be_read_too_late(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open_body(f,
			    "local last = record.look and old.v old = record "
			    "record.last = last return 2, 0, record",
			    KEYS);
	for (int i = 0; i < 1010; i++)
		hook_unit_give(f, "{\"v\":1}");
	assert_string_equal(hook_unit_give(f, "{\"v\":2,\"look\":1}"),
			    T_TEXT "{\"v\":2,\"look\":1}");
	assert_int_equal(hook_unit_failures(f, "error"), 1);
	/* This happens only once; from now on records are kept again. */
	hook_unit_give(f, "{\"v\":3}");
	assert_string_equal(hook_unit_give(f, "{\"v\":4,\"look\":1}"),
			    T_TEXT "{\"v\":4,\"look\":1,\"last\":3}");
	assert_int_equal(hook_unit_all_failures(f), 1);
}

/* If a hook first reads an earlier record as part of a late result, that result
 * stays unchanged. */
static void a_record_of_an_earlier_call_may_be_part_of_a_late_result(
	void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open_body(
		f,
		"old = old or record record.last = record.v == 2 and old "
		"return 2, 0, record",
		KEYS);
	for (int i = 0; i < 1010; i++)
		hook_unit_give(f, "{\"v\":1}");
	assert_string_equal(hook_unit_give(f, "{\"v\":2}"),
			    T_TEXT "{\"v\":2,\"last\":{\"last\":false,"
				   "\"v\":1}}");
	assert_string_equal(hook_unit_give(f, "{\"v\":3}"),
			    T_TEXT "{\"v\":3,\"last\":false}");
	assert_int_equal(hook_unit_all_failures(f), 0);
}

#define REQ "\"req\":{\"uri\":\"/\",\"method\":\"GET\",\"args\":\"x=1\"}"

static void a_map_keeps_the_order_of_its_fields(void **state)
{
	static const struct hook_case cases[] = {
		/* only read */
		{"record.seen = record.req.method return 2, 0, record",
		 "{\"z\":1," REQ ",\"o\":{\"b\":1,\"a\":2}}",
		 T_TEXT "{\"z\":1," REQ ",\"o\":{\"b\":1,\"a\":2},"
			"\"seen\":\"GET\"}"},
		/* changed: new fields follow */
		{"local r = record.req r.b = 1 r.a = 2 r.method = nil "
		 "r.uri = '/x' return 2, 0, record",
		 "{" REQ "}",
		 T_TEXT "{\"req\":{\"uri\":\"/x\",\"args\":\"x=1\","
			"\"a\":2,\"b\":1}}"},
		/* deep, in an array, and under another name */
		{"local x = record.l[1].m.z record.n = record.l[1].m "
		 "return 2, 0, record",
		 "{\"l\":[{\"y\":1,\"m\":{\"z\":1,\"b\":2,\"a\":3}}]}",
		 T_TEXT "{\"l\":[{\"y\":1,\"m\":{\"z\":1,\"b\":2,\"a\":3}}],"
			"\"n\":{\"z\":1,\"b\":2,\"a\":3}}"},
		/* in a copy of the record, and in a list of records */
		{"local n = {} for k, v in pairs(record) do n[k] = v end "
		 "return 2, 0, n",
		 "{" REQ ",\"a\":1}", T_TEXT "{" REQ ",\"a\":1}"},
		{"local x = record.req.uri return 2, 0, {record, {r=record}}",
		 "{" REQ ",\"a\":1}",
		 T_TEXT "{" REQ ",\"a\":1} | " T_TEXT "{\"r\":{" REQ
			",\"a\":1}}"},
		/* of equal keys, the last one counts */
		{"local x = record.m.a return 2, 0, record",
		 "{\"m\":{\"b\":0,\"a\":1,\"b\":2}}",
		 T_TEXT "{\"m\":{\"a\":1,\"b\":2}}"},
	};
	hook_unit_check(*state, cases, COUNT(cases), NULL);
}

/* Only the tables of the current call have the order of the record's fields.  A
 * table that the hook kept from an earlier call is sorted by its keys. */
static void a_map_of_an_earlier_call_is_sorted(void **state)
{
	struct hook_unit *f = *state;
	hook_unit_open_body(f,
			    "kept = kept or record.m local x = record.m.z "
			    "return 2, 0, {k = kept, m = record.m}",
			    KEYS);
	assert_string_equal(hook_unit_give(f, "{\"m\":{\"z\":1,\"a\":2}}"),
			    T_TEXT "{\"m\":{\"z\":1,\"a\":2},"
				   "\"k\":{\"z\":1,\"a\":2}}");
	assert_string_equal(hook_unit_give(f, "{\"m\":{\"z\":3,\"a\":4}}"),
			    T_TEXT "{\"m\":{\"z\":3,\"a\":4},"
				   "\"k\":{\"a\":2,\"z\":1}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_map_keeps_the_order_of_its_fields),
		TEST(a_map_of_an_earlier_call_is_sorted),
		TEST(the_record_behaves_like_a_table),
		TEST(assigned_values_are_found_wherever_they_are_stored),
		TEST(records_behave_the_same_after_many_calls),
		TEST(a_record_of_an_earlier_call_can_be_read),
		TEST(records_can_be_kept_and_returned_later),
		TEST(a_record_of_an_earlier_call_may_be_read_too_late),
		TEST(a_record_of_an_earlier_call_may_be_part_of_a_late_result),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
