/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_dir.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "setup/output_roots.h"

static struct output_roots roots_of(const char *text)
{
	struct conf *c = conf_from_text(text);
	struct output_roots roots = output_roots_of(c);
	conf_free(c);
	return roots;
}

static void each_file_output_has_its_root(void **state)
{
	static const struct {
		const char *lines, *directory, *file;
		bool may_make, is_confined;
	} cases[] = {
		{"    Path /log\n", "/log/", NULL, true, true},
		{"    Path /log//\n    Mkdir off\n", "/log/", NULL, false,
		 true},
		{"    Path logs\n    File /a/b.log\n", "logs/", "logs/a/b.log",
		 true, true},
		{"    Path /log\n    File a\n    Follow_Symlinks on\n", "/log/",
		 "/log/a", true, false},
		{"    Path /log\n    File ../a\n", "/log/", "/log/../a", true,
		 false},
		{"    Path /dev\n    File stdout\n", "/dev/", "/dev/stdout",
		 true, false},
		{"    File /log/all/a.log\n", "/log/all/", "/log/all/a.log",
		 true, true},
		{"    File /log/a.log\n    Follow_Symlinks on\n", "/log/",
		 "/log/a.log", true, false},
		{"    File /a.log\n", "/", "/a.log", true, false},
		{"    Path /\n    File a.log\n", "/", "/a.log", true, false},
		/* The tag is the whole path, and no rule makes tags. */
		{"", NULL, NULL, true, false},
		{"    File a.log\n", NULL, NULL, true, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[256];
		snprintf(text, sizeof text, "[OUTPUT]\n    Name file\n%s",
			 cases[i].lines);
		struct output_roots roots = roots_of(text);
		assert_int_equal(roots.count, cases[i].directory != NULL);
		if (roots.count == 1) {
			const struct output_root *root = &roots.items[0];
			assert_string_equal(root->directory,
					    cases[i].directory);
			assert_int_equal(root->may_make, cases[i].may_make);
			assert_int_equal(root->confined_bytes,
					 cases[i].is_confined
						 ? strlen(root->directory)
						 : 0);
			assert_int_equal(root->file != NULL,
					 cases[i].file != NULL);
			if (root->file != NULL)
				assert_string_equal(root->file, cases[i].file);
		}
		output_roots_fini(&roots);
	}
}

/* Without Path, the rules say where the files are. */
static void an_output_without_path_has_the_roots_of_its_tags(void **state)
{
	static const struct {
		const char *lines, *directory;
	} cases[] = {
		{"    Match *\n", "/log/output/path/"},
		{"    Match /*\n", "/log/output/path/"},
		{"    Match_Regex ^/log\n", "/log/output/path/"},
		{"    Match in\n", NULL},
		{"    Match *\n    File a.log\n", NULL},
		{"    Match *\n    Path /data\n", "/data/"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[512];
		snprintf(text, sizeof text,
			 "[FILTER]\n    Name rewrite_tag\n    Match in\n"
			 "    Rule $a ^(.*)$ /log/output/path/$b true\n"
			 "    Rule $c ^(.*)$ /log/all.log true\n"
			 "[OUTPUT]\n    Name file\n    Mkdir off\n%s",
			 cases[i].lines);
		struct output_roots roots = roots_of(text);
		assert_int_equal(roots.count, cases[i].directory != NULL);
		if (roots.count == 1) {
			assert_string_equal(roots.items[0].directory,
					    cases[i].directory);
			assert_null(roots.items[0].file);
			assert_int_equal(roots.items[0].confined_bytes,
					 strlen(cases[i].directory));
			assert_false(roots.items[0].may_make);
		}
		output_roots_fini(&roots);
	}
}

static void other_outputs_have_no_root(void **state)
{
	struct output_roots roots =
		roots_of("[OUTPUT]\n    Name null\n    Path /log\n"
			 "[OUTPUT]\n    Name FILE\n    Path /log\n");
	(void)state;
	assert_int_equal(roots.count, 1);
	output_roots_fini(&roots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_file_output_has_its_root),
		cmocka_unit_test(
			an_output_without_path_has_the_roots_of_its_tags),
		cmocka_unit_test(other_outputs_have_no_root),
	};
	return cmocka_run_group_tests(tests, conf_dir_set_up,
				      conf_dir_tear_down);
}
