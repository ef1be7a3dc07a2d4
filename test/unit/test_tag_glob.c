/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "record/tag_glob.h"

static void a_glob_matches_the_same_tags_as_in_fluent_bit(void **state)
{
	(void)state;
	static const struct {
		const char *glob, *tag;
		bool matches;
	} cases[] = {
		{"*", "", true},
		{"*", "kube.*", true},
		{"*.*", "cpu.rpi", true},
		{"*.rpi", "cpu.rpi", true},
		{"*u.r*", "cpu.rpi", true},
		{"cpu.*", "cpu.rpi", true},
		{"cpu.rpi", "cpu.rpi", true},
		{"mem.*", "cpu.rpi", false},
		{"hoge", "hogeeeeeee", false},
		{"hogeeeeeee", "hoge", false},
		{"**d", "abcd", true},
		{"**d", "abcde", false},
		{"a*b*c", "a-b-b-c-c", true},
		{"a*b*c", "a-c-b", false},
		{"ab*ba", "aba", false},
		{"/log/*", "/log/a/b", true},
		{"/log/*", "/Log/a", false},
		{"kube.**", "kube.", true},
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"?", "a", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (tag_glob_matches(span_of(cases[i].glob),
				     span_of(cases[i].tag)) != cases[i].matches)
			fail_msg("glob %s tag %s", cases[i].glob, cases[i].tag);
}

static void a_null_span_is_an_empty_tag(void **state)
{
	(void)state;
	struct span nothing = {NULL, 0};
	assert_true(tag_glob_matches(SPAN("**"), nothing));
	assert_true(tag_glob_matches(nothing, nothing));
	assert_false(tag_glob_matches(SPAN("a"), nothing));
}

/* Backtracking into every star would practically never end. */
static void many_stars_do_not_backtrack_exponentially(void **state)
{
	(void)state;
	char glob[121], tag[2000];
	memset(tag, 'a', sizeof tag);
	for (size_t i = 0; i < 120; i += 2) {
		glob[i] = '*';
		glob[i + 1] = 'a';
	}
	glob[120] = 'b';
	struct span text = span_make(tag, sizeof tag);
	assert_false(tag_glob_matches(span_make(glob, 121), text));
	assert_true(tag_glob_matches(span_make(glob, 120), text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_glob_matches_the_same_tags_as_in_fluent_bit),
		cmocka_unit_test(a_null_span_is_an_empty_tag),
		cmocka_unit_test(many_stars_do_not_backtrack_exponentially),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
