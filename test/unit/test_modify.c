/* SPDX-License-Identifier: Apache-2.0 */
#include "filter_unit.h"

#include <string.h>

#include "base/log.h"

static void every_rule_changes_the_record_as_documented(void **state)
{
	(void)state;
	static const struct filter_case cases[] = {
		{" Set k v\n", "{\"a\":1}", "{\"a\":1,\"k\":\"v\"}"},
		{" Set k v\n", "{\"k\":1,\"a\":2,\"k\":3}",
		 "{\"a\":2,\"k\":\"v\"}"},
		{" Add k v\n", "{\"a\":1}", "{\"a\":1,\"k\":\"v\"}"},
		{" Add k v\n", "{\"k\":null}", "{\"k\":null}"},
		{" Add_if_not_present k v\n", "{}", "{\"k\":\"v\"}"},
		{" Remove k\n", "{\"k\":1,\"a\":2,\"k\":3,\"kk\":4}",
		 "{\"a\":2,\"kk\":4}"},
		{" Remove_wildcard m_\n",
		 "{\"m_a\":1,\"m_\":2,\"m\":3,\"am_\":4}",
		 "{\"m\":3,\"am_\":4}"},
		{" Remove_regex \\d$\n", "{\"a1\":1,\"1a\":2}", "{\"1a\":2}"},
		{" Rename k l\n", "{\"a\":1,\"k\":2,\"b\":3,\"k\":4}",
		 "{\"a\":1,\"l\":2,\"b\":3,\"l\":4}"},
		{" Rename k l\n", "{\"k\":1,\"l\":2}", "{\"k\":1,\"l\":2}"},
		{" Hard_rename k l\n", "{\"l\":1,\"k\":2,\"a\":3,\"l\":4}",
		 "{\"l\":2,\"a\":3}"},
		{" Hard_rename k l\n", "{\"l\":1}", "{\"l\":1}"},
		{" Copy k l\n", "{\"k\":1,\"a\":2}",
		 "{\"k\":1,\"l\":1,\"a\":2}"},
		{" Copy k l\n", "{\"k\":1,\"k\":2}", "{\"k\":1,\"k\":2}"},
		{" Copy k l\n", "{\"k\":1,\"l\":2}", "{\"k\":1,\"l\":2}"},
		{" Copy k l\n", "{\"a\":1}", "{\"a\":1}"},
		{" Hard_copy k l\n", "{\"l\":1,\"k\":2,\"a\":3}",
		 "{\"k\":2,\"l\":2,\"a\":3}"},
		{" Hard_copy k l\n", "{\"l\":1,\"k\":2,\"l\":3}",
		 "{\"l\":1,\"k\":2,\"l\":3}"},
		{" Hard_copy k l\n", "{\"k\":1,\"k\":2,\"l\":3}",
		 "{\"k\":1,\"k\":2,\"l\":3}"},
		{" Hard_copy k k\n", "{\"k\":1}", "{\"k\":1}"},
		{" Move_to_start b\n", "{\"a\":1,\"b1\":2,\"c\":3,\"b2\":4}",
		 "{\"b1\":2,\"b2\":4,\"a\":1,\"c\":3}"},
		{" Move_to_end b\n", "{\"a\":1,\"b1\":2,\"c\":3,\"b2\":4}",
		 "{\"a\":1,\"c\":3,\"b1\":2,\"b2\":4}"},
		{" Move_to_end b\n", "{\"a\":1,\"c\":3}", "{\"a\":1,\"c\":3}"},
		/* Each rule works on the result of the previous one. */
		{" Rename a b\n Set a n\n Remove b\n Copy a c\n", "{\"a\":1}",
		 "{\"a\":\"n\",\"c\":\"n\"}"},
		{" Set \"a b\" 'c \"d\"'\n", "{}", "{\"a b\":\"c \\\"d\\\"\"}"},
		{" Set k \"\"\n", "{}", "{\"k\":\"\"}"},
	};
	filter_unit_check("modify", cases, COUNT(cases));
}

static void the_rules_apply_only_if_all_conditions_hold(void **state)
{
	(void)state;
#define IF(condition) " Condition " condition "\n Set k v\n"
	static const struct {
		const char *keys, *in;
		bool holds;
	} cases[] = {
		{IF("Key_exists a"), "{\"a\":null}", true},
		{IF("Key_exists a"), "{\"b\":1}", false},
		{IF("Key_exists $a['b']"), "{\"a\":{\"b\":1}}", true},
		{IF("Key_exists $a['b']"), "{\"a\":{}}", false},
		{IF("Key_exists a.b"), "{\"a.b\":1}", true},
		{IF("Key_does_not_exist a"), "{\"a\":null}", false},
		{IF("Key_does_not_exist a"), "{}", true},
		{IF("A_key_matches ^a.$"), "{\"b\":1,\"ab\":2}", true},
		{IF("A_key_matches ^a.$"), "{\"abc\":1}", false},
		{IF("No_key_matches ^a.$"), "{\"ab\":1}", false},
		{IF("No_key_matches ^a.$"), "{}", true},
		{IF("Key_value_equals a 5"), "{\"a\":\"5\"}", true},
		{IF("Key_value_equals a 5"), "{\"a\":5}", false},
		{IF("Key_value_equals a 'x y'"), "{\"a\":\"x y\"}", true},
		{IF("Key_value_does_not_equal a 5"), "{\"a\":5}", true},
		{IF("Key_value_does_not_equal a 5"), "{\"a\":\"5\"}", false},
		{IF("Key_value_does_not_equal a 5"), "{}", false},
		{IF("Key_value_matches a x"), "{\"a\":\"1x\"}", true},
		{IF("Key_value_matches a ."), "{\"a\":1}", false},
		{IF("Key_value_matches a ^true$"), "{\"a\":true}", true},
		{IF("Key_value_matches a ^true$"), "{\"a\":false}", false},
		{IF("Key_value_does_not_match a x"), "{\"a\":1}", true},
		{IF("Key_value_does_not_match a x"), "{\"a\":\"x\"}", false},
		{IF("Key_value_does_not_match a x"), "{}", false},
		{IF("Matching_keys_have_matching_values ^m x"),
		 "{\"m1\":\"x\",\"m2\":\"x\",\"b\":1}", true},
		{IF("Matching_keys_have_matching_values ^m x"),
		 "{\"m1\":\"x\",\"m2\":1}", false},
		{IF("Matching_keys_have_matching_values ^m x"), "{}", true},
		{IF("Matching_keys_do_not_have_matching_values ^m x"),
		 "{\"m1\":\"x\",\"m2\":1}", true},
		{IF("Matching_keys_do_not_have_matching_values ^m x"), "{}",
		 false},
		{IF("Key_exists a\n Condition Key_exists b"),
		 "{\"a\":1,\"b\":2}", true},
		{IF("Key_exists a\n Condition Key_exists b"), "{\"a\":1}",
		 false},
		/* Conditions see the record as it was before the rules. */
		{" Set a 1\n" IF("Key_does_not_exist a"), "{}", true},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct filter_unit u;
		struct err e = {0};
		if (!filter_unit_init(&u, "modify", cases[i].keys, &e))
			fail_msg("%s", e.text);
		const char *out = filter_unit_run(&u, cases[i].in);
		if ((strstr(out, "\"k\":\"v\"") != NULL) != cases[i].holds)
			fail_msg("%s%s: %s", cases[i].keys, cases[i].in, out);
		filter_unit_fini(&u);
	}
}

static void a_regex_that_exceeds_its_limit_changes_nothing(void **state)
{
	(void)state;
#define ENDLESS ENDLESS_REGEX "\n"
	static const char by_value[] = "{\"k\":\"" ENDLESS_TEXT "\"}";
	static const char by_key[] = "{\"" ENDLESS_TEXT "\":1}";
	static const char *const cases[][2] = {
		{" Condition Key_value_matches k " ENDLESS, by_value},
		{" Condition Key_value_does_not_match k " ENDLESS, by_value},
		{" Condition A_key_matches " ENDLESS, by_key},
		{" Condition No_key_matches " ENDLESS, by_key},
		{" Condition Matching_keys_have_matching_values k " ENDLESS,
		 by_value},
		{" Condition Matching_keys_do_not_have_matching_values "
		 "k " ENDLESS,
		 by_value},
		{" Remove_regex " ENDLESS, by_key},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct filter_unit u;
		struct err e;
		struct buf keys = {0};
		bool is_rule = strstr(cases[i][0], "Condition") == NULL;
		buf_printf(&keys, "%s%s", cases[i][0],
			   is_rule ? "" : " Remove k\n Set s t\n");
		assert_true(
			filter_unit_init(&u, "modify", buf_text(&keys), &e));
		assert_string_equal(filter_unit_run(&u, cases[i][1]),
				    cases[i][1]);
		assert_int_equal(filter_unit_stats(&u)->failures[0], 1);
		filter_unit_fini(&u);
		buf_fini(&keys);
	}
}

/* A sender chooses the number of keys, and each rule moves all of them. */
static void rules_that_move_keys_take_no_memory(void **state)
{
	(void)state;
	struct filter_unit u;
	struct err e;
	struct buf json = {0}, keys = {0};
	for (size_t i = 0; i < 1000; i++)
		buf_printf(&json, "%c\"k%zu\":0", i == 0 ? '{' : ',', i);
	buf_put_char(&json, '}');
	for (size_t i = 0; i < 100; i++)
		buf_printf(&keys, " Move_to_start k%zu\n", i);
	assert_true(filter_unit_init(&u, "modify", buf_text(&keys), &e));
	struct record *r = filter_unit_read(&u, buf_text(&json));
	size_t before = arena_used_bytes(u.arena);
	filter_unit_give(&u, r);
	assert_int_equal(r->count, 1000);
	assert_int_equal(arena_used_bytes(u.arena), before);
	buf_fini(&json);
	buf_fini(&keys);
	filter_unit_fini(&u);
}

static void a_mistake_is_reported_with_the_correct_form(void **state)
{
	(void)state;
	static const struct mistake_case cases[] = {
		{"", "t.conf:1", "Set env"},
		{" Set k\n", "t.conf:4", "two arguments"},
		{" Set k a b\n", "t.conf:4", "unexpected \"b\""},
		{" Remove a b\n", "t.conf:4", "unexpected \"b\""},
		{" Set k \"a\n", "t.conf:4", "two arguments"},
		{" Remove a\n Remove_regex (\n", "t.conf:5", "Remove_regex"},
		{" Sett k v\n", "t.conf:4", "\"Set\""},
		{" Condition Key_exist a\n Set k v\n", "t.conf:4",
		 "\"Key_exists\""},
		{" Set k v\n Condition Key_exists\n", "t.conf:5",
		 "one argument"},
		{" Condition Key_value_equals a\n Set k v\n", "t.conf:4",
		 "two arguments"},
		{" Condition Key_exists a b\n Set k v\n", "t.conf:4",
		 "unexpected \"b\""},
		{" Condition A_key_matches (\n Set k v\n", "t.conf:4",
		 "Condition"},
		{" Condition Key_exists $a[\n Set k v\n", "t.conf:4", "$a"},
	};
	filter_unit_mistakes("modify", cases, COUNT(cases));
}

int main(void)
{
	struct err e;
	if (!log_open(NULL, LOG_OFF, &e))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_changes_the_record_as_documented),
		cmocka_unit_test(the_rules_apply_only_if_all_conditions_hold),
		cmocka_unit_test(
			a_regex_that_exceeds_its_limit_changes_nothing),
		cmocka_unit_test(rules_that_move_keys_take_no_memory),
		cmocka_unit_test(a_mistake_is_reported_with_the_correct_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
