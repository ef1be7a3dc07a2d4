/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_dir.h"
#include "unit.h"

#include <stdio.h>

#include "setup/output_roots.h"

static void each_file_output_has_its_root(void **state)
{
	static const struct {
		const char *lines, *directory, *file;
		bool may_make;
	} cases[] = {
		{"    Path /log\n", "/log/", NULL, true},
		{"    Path /log/\n    Mkdir off\n", "/log/", NULL, false},
		{"    Path logs\n    File /a/b.log\n", "logs/", "logs/a/b.log",
		 true},
		{"    File /log/all/a.log\n", "/log/all/", "/log/all/a.log",
		 true},
		{"    File /a.log\n", "/", "/a.log", true},
		{"    Path /\n    File a.log\n", "/", "/a.log", true},
		/* The tag is the whole path, so the root is not known. */
		{"", NULL, NULL, true},
		{"    File a.log\n", NULL, NULL, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[256];
		snprintf(text, sizeof text, "[OUTPUT]\n    Name file\n%s",
			 cases[i].lines);
		struct conf *c = conf_from_text(text);
		struct output_roots roots = output_roots_of(c);
		conf_free(c);
		assert_int_equal(roots.count, cases[i].directory != NULL);
		if (roots.count == 1) {
			const struct output_root *root = &roots.items[0];
			assert_string_equal(root->directory,
					    cases[i].directory);
			assert_int_equal(root->may_make, cases[i].may_make);
			assert_int_equal(root->file != NULL,
					 cases[i].file != NULL);
			if (root->file != NULL)
				assert_string_equal(root->file, cases[i].file);
		}
		output_roots_fini(&roots);
	}
}

static void other_outputs_have_no_root(void **state)
{
	struct conf *c =
		conf_from_text("[OUTPUT]\n    Name null\n    Path /log\n"
			       "[OUTPUT]\n    Name FILE\n    Path /log\n");
	struct output_roots roots = output_roots_of(c);
	(void)state;
	conf_free(c);
	assert_int_equal(roots.count, 1);
	output_roots_fini(&roots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_file_output_has_its_root),
		cmocka_unit_test(other_outputs_have_no_root),
	};
	return cmocka_run_group_tests(tests, conf_dir_set_up,
				      conf_dir_tear_down);
}
