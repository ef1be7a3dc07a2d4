/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_dir.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "setup/match_check.h"

/* Configure an input with that Tag line, a rewrite_tag with that rule (or
 * NULL), and an output with that Match line.  With only one input and one
 * output, no Match is needed; therefore there is a second input. */
static size_t warnings(void **state, const char *tag, const char *rule,
		       const char *match)
{
	char text[1024];
	size_t before = times_logged(state, "level=warn");
	snprintf(text, sizeof text,
		 "[INPUT]\n    Name syslog\n%s[INPUT]\n    Name syslog\n"
		 "    Tag other\n[FILTER]\n    Name %s\n"
		 "    Match *\n    Rule %s\n"
		 "[OUTPUT]\n    Name file\n%s",
		 tag, rule != NULL ? "Rewrite_Tag" : "grep",
		 rule != NULL ? rule : "$a ^a lost.$TAG true", match);
	struct conf *c = conf_from_text(text);
	match_check(c);
	conf_free(c);
	return times_logged(state, "level=warn") - before;
}

static void a_match_that_matches_no_tag_is_reported(void **state)
{
	static const struct {
		const char *tag, *rule, *match;
		size_t warnings;
	} cases[] = {
		{"    Tag nginx\n", NULL, "nginx", 0},
		{"    Tag nginx\n", NULL, "ngnix", 1},
		{"    Tag nginx\n", NULL, "Nginx", 1},
		{"    Tag nginx\n", NULL, "nginx # all", 1},
		{"    Tag nginx\n", NULL, "n*x", 0},
		{"    Tag nginx\n", NULL, "n*y", 1},
		{"    Tag nginx\n", NULL, "o**r", 0},
		{"", NULL, "syslog.0", 0},
		{"", NULL, "syslog.1", 1},
		{"", NULL, "lost.*", 1},
		{"    Tag kube.*\n", NULL, "kube.*", 0},
		{"", "$a ^a new.$TAG true", "new.syslog.0", 0},
		{"", "$a ^a new.$TAG true", "new.*", 0},
		{"", "$a ^a new.$TAG true", "*.0", 0},
		{"", "$a ^a new.$TAG true", "ne", 1},
		{"", "$a ^a new.$TAG true", "old.*", 1},
		{"", "$a ^a new true", "new", 0},
		{"", "$a ^a new true", "new.*", 1},
		{"", "$a   ^a    $b   true", "anything", 0},
		{"", "$a \"^a b\" new true", "new", 0},
		{"", "$a \"^a b\" new true", "anything", 1},
		{"", "$a ^a \"new $b\" true", "new *", 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char match[64];
		snprintf(match, sizeof match, "    Match %s\n", cases[i].match);
		size_t found =
			warnings(state, cases[i].tag, cases[i].rule, match);
		if (found != cases[i].warnings + (strchr(match, '#') != NULL))
			fail_msg("case %zu: %zu", i, found);
	}
	assert_logged(
		state,
		"at=x.conf:13 section=OUTPUT key=Match "
		"err=\"`Match ngnix` matches no tag, so this section never receives a record; possible tags: nginx, other\" action=\"correct Match, or remove this section\"\n");
}

static void a_missing_match_is_reported(void **state)
{
	assert_int_equal(warnings(state, "", NULL, ""), 1);
	assert_logged(
		state,
		"at=x.conf:11 section=OUTPUT key=Name err=\"without "
		"Match this section never receives a record\" action=\"set `Match *` to receive every record\"\n");
	assert_int_equal(warnings(state, "", NULL, "    Match_Regex ^x\n"), 0);
}

static void a_single_output_of_a_single_input_needs_no_match(void **state)
{
	struct conf *c =
		conf_from_text("[INPUT]\n    Name syslog\n[FILTER]\n"
			       "    Name lua\n[OUTPUT]\n    Name file\n");
	match_check(c);
	assert_int_equal(times_logged(state, "level=warn"), 0);
	conf_free(c);
}

static void a_filter_that_emits_records_counts_as_an_input(void **state)
{
	struct conf *c = conf_from_text("[INPUT]\n    Name syslog\n[FILTER]\n"
					"    Name rewrite_tag\n    Match *\n"
					"[OUTPUT]\n    Name file\n");
	match_check(c);
	assert_int_equal(times_logged(state, "without Match this section"), 1);
	assert_false(match_is_only_route(c));
	conf_free(c);
}

static void the_rules_tell_the_directories_of_the_tags(void **state)
{
	(void)state;
	static const struct {
		const char *rule, *root; /* NULL: there is none */
	} cases[] = {
		{"vhost ^(.*)$ /log/output/path/$log_file_path true",
		 "/log/output/path/"},
		{"$a ^a /log/x-$b/c false", "/log/"},
		{"$a \"^a b\" \"/log/x y/$b\" false", "/log/x y/"},
		{"$a ^a logs/$b false", "logs/"},
		{"$a ^a /log//x/./$b false", "/log/x/"},
		{"$a ^a ./logs/$b false", "logs/"},
		{"$a ^a /$b false", NULL},
		{"$a ^a //$b false", NULL},
		{"$a ^a /./$b false", NULL},
		{"$a ^a ./$b false", NULL},
		{"$a ^a $b false", NULL},
		{"$a ^a app.$b false", NULL},
		{"$a ^a /log/all.log false", ""},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256];
		snprintf(text, sizeof text,
			 "[INPUT]\n    Name syslog\n    Tag in\n"
			 "[FILTER]\n    Name rewrite_tag\n    Match *\n"
			 "    Rule %s\n"
			 "[OUTPUT]\n    Name file\n    Match *\n"
			 "[OUTPUT]\n    Name file\n    Match in\n",
			 cases[i].rule);
		struct conf *c = conf_from_text(text);
		char **roots = match_tag_roots(c);
		if (cases[i].root == NULL || *cases[i].root == '\0')
			assert_null(roots[0]);
		else
			assert_string_equal(roots[0], cases[i].root);
		assert_int_equal(match_has_rootless_tags(
					 c, conf_section_named(c, "OUTPUT", 0)),
				 cases[i].root == NULL);
		assert_false(match_has_rootless_tags(
				     c, conf_section_named(c, "OUTPUT", 1)) &&
			     strncmp(cases[i].rule, "$a ^a $b", 8) != 0);
		match_tag_roots_free(roots);
		conf_free(c);
	}
}

int main(void)
{
#define T(name)                                                \
	cmocka_unit_test_setup_teardown(name, conf_dir_set_up, \
					conf_dir_tear_down)
	const struct CMUnitTest tests[] = {
		T(a_match_that_matches_no_tag_is_reported),
		T(a_missing_match_is_reported),
		T(a_single_output_of_a_single_input_needs_no_match),
		T(a_filter_that_emits_records_counts_as_an_input),
		T(the_rules_tell_the_directories_of_the_tags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
