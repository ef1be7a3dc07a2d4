/* SPDX-License-Identifier: Apache-2.0 */
#include "filter_unit.h"

#include <string.h>

#include "base/log.h"

static void regex_keeps_and_exclude_drops_matching_records(void **state)
{
	(void)state;
	static const struct filter_case cases[] = {
		{" Regex l ^e\n", "{\"l\":\"err\"}", "{\"l\":\"err\"}"},
		{" Regex l ^e\n", "{\"l\":\"debug\"}", ""},
		{" Regex l ^e\n", "{\"m\":\"err\"}", ""},
		{" Exclude $l ^e\n", "{\"l\":\"err\"}", ""},
		{" Exclude $l ^e\n", "{\"m\":\"err\"}", "{\"m\":\"err\"}"},
		{" Regex a x\n Exclude b y\n", "{\"a\":\"x\",\"b\":\"y\"}",
		 "{\"a\":\"x\",\"b\":\"y\"}"},
		{" Exclude b y\n Regex a x\n", "{\"a\":\"x\",\"b\":\"y\"}", ""},
		{" Exclude b y\n Regex a x\n", "{\"a\":\"x\"}",
		 "{\"a\":\"x\"}"},
		{" Regex a x\n Regex b y\n", "{\"a\":\"z\",\"b\":\"y\"}", ""},
	};
	filter_unit_check("grep", cases, COUNT(cases));
}

static void a_logical_op_joins_all_rules(void **state)
{
	(void)state;
#define AND " Logical_Op and\n"
#define OR " Logical_Op OR\n"
	static const struct filter_case cases[] = {
		{AND " Regex a x\n Regex b y\n", "{\"a\":\"x\",\"b\":\"y\"}",
		 "{\"a\":\"x\",\"b\":\"y\"}"},
		{AND " Regex a x\n Regex b y\n", "{\"a\":\"x\"}", ""},
		{AND " Regex a x\n Regex b y\n", "{\"b\":\"y\"}", ""},
		{OR " Regex a x\n Regex b y\n", "{\"a\":\"x\"}",
		 "{\"a\":\"x\"}"},
		{OR " Regex a x\n Regex b y\n", "{\"b\":\"y\"}",
		 "{\"b\":\"y\"}"},
		{OR " Regex a x\n Regex b y\n", "{\"a\":\"y\"}", ""},
		{AND " Exclude a x\n Exclude b y\n",
		 "{\"a\":\"x\",\"b\":\"y\"}", ""},
		{AND " Exclude a x\n Exclude b y\n", "{\"a\":\"x\"}",
		 "{\"a\":\"x\"}"},
		{OR " Exclude a x\n Exclude b y\n", "{\"b\":\"y\"}", ""},
		{OR " Exclude a x\n Exclude b y\n", "{}", "{}"},
	};
	filter_unit_check("grep", cases, COUNT(cases));
}

static void only_string_values_match(void **state)
{
	(void)state;
	static const struct filter_case cases[] = {
		{" Regex a .\n", "{\"a\":5}", ""},
		{" Regex a .\n", "{\"a\":true}", ""},
		{" Regex a .\n", "{\"a\":{\"b\":\"x\"}}", ""},
		{" Regex $a['b'] .\n", "{\"a\":{\"b\":\"x\"}}",
		 "{\"a\":{\"b\":\"x\"}}"},
		{" Regex $a[1] x\n", "{\"a\":[0,\"x\"]}", "{\"a\":[0,\"x\"]}"},
	};
	filter_unit_check("grep", cases, COUNT(cases));
}

#define ENDLESS ENDLESS_REGEX "\n"

/* Nobody knows whether such a regex matches. */
static void a_record_is_kept_unless_a_rule_below_its_limit_decides(void **state)
{
	(void)state;
	static const struct {
		const char *keys;
		const char *b;
		bool is_kept;
		unsigned counted;
	} cases[] = {
		{" Regex a " ENDLESS, "", true, 1},
		{" Exclude a " ENDLESS, "", true, 1},
		{" Exclude a " ENDLESS " Exclude b x\n", "x", false, 0},
		{" Exclude a " ENDLESS " Exclude b x\n", "y", true, 1},
		{" Exclude a " ENDLESS " Regex b x\n", "y", false, 0},
		{" Exclude a " ENDLESS " Regex b x\n", "x", true, 1},
		{AND " Regex a " ENDLESS " Regex b x\n", "x", true, 1},
		{AND " Regex a " ENDLESS " Regex b x\n", "y", false, 0},
		{OR " Regex a " ENDLESS " Regex b x\n", "x", true, 0},
		{OR " Regex a " ENDLESS " Regex b x\n", "y", true, 1},
		{AND " Exclude a " ENDLESS " Exclude b x\n", "x", true, 1},
		{AND " Exclude a " ENDLESS " Exclude b x\n", "y", true, 0},
		{OR " Exclude a " ENDLESS " Exclude b x\n", "x", false, 0},
		{OR " Exclude a " ENDLESS " Exclude b x\n", "y", true, 1},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct filter_unit u;
		struct err e;
		struct buf in = {0};
		buf_printf(&in, "{\"a\":\"" ENDLESS_TEXT "\",\"b\":\"%s\"}",
			   cases[i].b);
		assert_true(filter_unit_init(&u, "grep", cases[i].keys, &e));
		const char *out = filter_unit_run(&u, buf_text(&in));
		const char *expected = cases[i].is_kept ? buf_text(&in) : "";
		if (strcmp(out, expected) != 0 ||
		    filter_unit_stats(&u)->failures[0] != cases[i].counted)
			fail_msg("%sb=%s: %s", cases[i].keys, cases[i].b, out);
		filter_unit_fini(&u);
		buf_fini(&in);
	}
}

static void a_mistake_is_reported_with_the_correct_form(void **state)
{
	(void)state;
	static const struct mistake_case cases[] = {
		{"", "t.conf:1", "Regex level"},
		{" Regex a\n", "t.conf:4", "KEY REGEX"},
		{" Regex a x\n Exclude a (\n", "t.conf:5", "Exclude"},
		{" Regex $a[ x\n", "t.conf:4", "$a"},
		{" Regex 1a x\n", "t.conf:4", "$name"},
		{" Regexp a x\n", "t.conf:4", "\"Regex\""},
		{" Regex a x\n Logical_Op xor\n", "t.conf:5", "OR"},
		{" Regex a x\n Logical_Op OR\n Exclude a y\n", "t.conf:6",
		 "all must be Exclude"},
	};
	filter_unit_mistakes("grep", cases, COUNT(cases));
}

int main(void)
{
	struct err e;
	if (!log_open(NULL, LOG_OFF, &e))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			regex_keeps_and_exclude_drops_matching_records),
		cmocka_unit_test(a_logical_op_joins_all_rules),
		cmocka_unit_test(only_string_values_match),
		cmocka_unit_test(
			a_record_is_kept_unless_a_rule_below_its_limit_decides),
		cmocka_unit_test(a_mistake_is_reported_with_the_correct_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
