/* SPDX-License-Identifier: Apache-2.0 */
#include "filter_unit.h"

#include "base/log.h"

#define NEST " Operation nest\n Nest_under n\n"
#define LIFT " Operation lift\n Nested_under m\n"

static void fields_go_into_a_map_at_the_end(void **state)
{
	(void)state;
	static const struct filter_case cases[] = {
		{NEST " Wildcard m_*\n Wildcard x\n",
		 "{\"m_a\":1,\"b\":2,\"x\":3,\"xx\":4}",
		 "{\"b\":2,\"xx\":4,\"n\":{\"m_a\":1,\"x\":3}}"},
		{NEST " Wildcard m*\n Remove_prefix m_\n",
		 "{\"m_a\":1,\"mb\":2,\"m_\":3}",
		 "{\"n\":{\"a\":1,\"mb\":2,\"\":3}}"},
		{NEST " Wildcard *\n Add_prefix p_\n", "{\"a\":1,\"\":2}",
		 "{\"n\":{\"p_a\":1,\"p_\":2}}"},
		{NEST " Wildcard a\n", "{\"n\":1,\"a\":2}",
		 "{\"n\":1,\"n\":{\"a\":2}}"},
		{NEST " Wildcard A*\n", "{\"a\":1}", "{\"a\":1}"},
	};
	filter_unit_check("nest", cases, COUNT(cases));
}

static void a_map_is_lifted_to_the_end(void **state)
{
	(void)state;
	static const struct filter_case cases[] = {
		{LIFT, "{\"m\":{\"a\":1,\"z\":2},\"z\":3}",
		 "{\"z\":3,\"a\":1,\"z\":2}"},
		{LIFT, "{\"m\":{},\"z\":3}", "{\"z\":3}"},
		{LIFT, "{\"m\":{\"a\":1},\"z\":2,\"m\":{\"b\":3}}",
		 "{\"z\":2,\"a\":1,\"b\":3}"},
		{LIFT, "{\"m\":{\"m\":{\"a\":1}}}", "{\"m\":{\"a\":1}}"},
		{LIFT, "{\"z\":1}", "{\"z\":1}"},
		{LIFT " Add_prefix m.\n", "{\"m\":{\"a\":1}}", "{\"m.a\":1}"},
		{LIFT " Prefix_with m.\n", "{\"m\":{\"a\":1}}", "{\"m.a\":1}"},
		{LIFT " Remove_prefix x_\n",
		 "{\"m\":{\"x_a\":1,\"x\":2},\"x_z\":3}",
		 "{\"x_z\":3,\"a\":1,\"x\":2}"},
	};
	filter_unit_check("nest", cases, COUNT(cases));
}

static void a_value_that_is_not_a_map_stays_and_is_counted(void **state)
{
	(void)state;
	struct filter_unit u;
	struct err e;
	assert_true(filter_unit_init(&u, "nest", LIFT, &e));
	assert_string_equal(
		filter_unit_run(&u, "{\"m\":\"text\",\"z\":1,\"m\":{\"a\":2}}"),
		"{\"m\":\"text\",\"z\":1,\"a\":2}");
	assert_int_equal(filter_unit_stats(&u)->failures[0], 1);
	filter_unit_fini(&u);
}

static void a_mistake_is_reported_with_the_correct_form(void **state)
{
	(void)state;
	static const struct mistake_case cases[] = {
		{" Nest_under n\n", "t.conf:1", "nest or lift"},
		{" Operation fold\n", "t.conf:4", "nest, lift"},
		{" Operation nest\n Wildcard a\n", "t.conf:1", "Nest_under"},
		{NEST, "t.conf:1", "Wildcard"},
		{" Operation lift\n", "t.conf:1", "Nested_under"},
		{LIFT " Add_prefix a\n Remove_prefix b\n", "t.conf:7",
		 "Add_prefix"},
		{LIFT " Add_prefi a\n", "t.conf:6", "\"Add_prefix\""},
	};
	filter_unit_mistakes("nest", cases, COUNT(cases));
}

int main(void)
{
	struct err e;
	if (!log_open(NULL, LOG_OFF, &e))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_go_into_a_map_at_the_end),
		cmocka_unit_test(a_map_is_lifted_to_the_end),
		cmocka_unit_test(
			a_value_that_is_not_a_map_stays_and_is_counted),
		cmocka_unit_test(a_mistake_is_reported_with_the_correct_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
