/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "record/tag_match.h"

static void a_tag_matches_either_the_glob_or_the_regex(void **state)
{
	(void)state;
	static const struct {
		const char *match, *regex, *tag;
		bool taken;
	} cases[] = {
		{"*", NULL, "kube.a", true},
		{"*", NULL, "", true},
		{"kube.*", NULL, "kube.a", true},
		{"kube.*", NULL, "cube.a", false},
		{NULL, NULL, "kube.a", false},
		{"kube.a", NULL, "kube.a", true},
		{"kube.a", NULL, "kube.ab", false},
		{"kube.a", NULL, "kube.", false},
		{"kube.b", "^kube", "kube.a", true},
		{"kube.b", "^cube", "kube.b", true},
		{"", NULL, "kube.a", false},
		{"", NULL, "", true},
		/* The regex must match at the start of the tag, but need not
		 * reach its end. */
		{NULL, "kube", "kube.a", true},
		{NULL, "^kube\\.", "kube.a", true},
		{NULL, "ube", "kube.a", false},
		{NULL, "a$", "kube.a", false},
		{NULL, ".*a$", "kube.a", true},
		{NULL, "b|kube", "kube.b", true},
		/* An empty match does not count. */
		{NULL, "^", "kube.a", false},
		{NULL, "x*", "kube.a", false},
		{NULL, ".*", "", false},
		/* An empty match counts if the regex has only assertions. */
		{NULL, "^(?!cube$)", "kube.a", true},
		{NULL, "^(?!kube)", "kube.a", false},
		{NULL, "(?=kube)(?!.*b$)", "kube.a", true},
		{NULL, "(?=kube)(?!.*b$)", "kube.b", false},
		{NULL, "^(?!a[)(]|b(c|\\()|d)", "kube.a", true},
		{NULL, "^(?!a[)(]|b(c|\\()|k)", "kube.a", false},
		{NULL, "(?=a)", "kube.a", false},
		{NULL, "^(?!cube)x*", "kube.a", false},
		{NULL, "^$", "", false},
		/* The regex is tried if the glob does not match. */
		{"cube.*", "^kube", "kube.a", true},
		{"kube.*", "^cube", "kube.a", true},
		{"cube.*", "^cube", "kube.a", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tag_match m;
		struct err e;
		assert_true(
			tag_match_init(&m, cases[i].match, cases[i].regex, &e));
		assert_int_equal(tag_match_is_set(&m),
				 cases[i].match != NULL ||
					 cases[i].regex != NULL);
		if (tag_match_takes(&m, span_of(cases[i].tag), NULL) !=
		    cases[i].taken)
			fail_msg("case %zu", i);
		tag_match_fini(&m);
	}
}

static void a_malformed_regex_is_reported(void **state)
{
	(void)state;
	struct tag_match m;
	struct err e = {0};
	assert_false(tag_match_init(&m, "*", "(", &e));
	assert_true(e.text[0] != '\0');
	assert_null(m.text);
	assert_null(m.regex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tag_matches_either_the_glob_or_the_regex),
		cmocka_unit_test(a_malformed_regex_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
