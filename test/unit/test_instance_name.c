/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_dir.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/instance_name.h"

/* The data is the only name that an earlier section has. */
static bool is_taken(const void *data, const char *name)
{
	return strcmp(data, name) == 0;
}

/* The name of parser filter 2 with that Alias line; `taken` is the name of an
 * earlier filter.  The caller frees it. */
static char *name_of(const char *alias_line, const char *taken, bool is_strict,
		     struct err *e)
{
	char text[256];
	const struct instance_name_opts opts = {.kind = "filter",
						.plugin = "parser",
						.number = 2,
						.is_taken = is_taken,
						.data = taken,
						.is_strict = is_strict};
	snprintf(text, sizeof text, "[FILTER]\n    Name parser\n%s",
		 alias_line);
	struct conf *c = conf_from_text(text);
	char *name = instance_name(conf_section(c, 0), &opts, e);
	conf_free(c);
	return name;
}

static void a_name_is_the_alias_or_plugin_and_number(void **state)
{
	(void)state;
	struct err e = {0};
	char *name = name_of("", "other", false, &e);
	assert_string_equal(name, "parser.2");
	free(name);
	name = name_of("    Alias main\n", "other", true, &e);
	assert_string_equal(name, "main");
	free(name);
}

static void a_taken_alias_is_replaced_with_a_warning(void **state)
{
	struct err e = {0};
	char *name = name_of("    Alias main\n", "main", false, &e);
	assert_string_equal(name, "parser.2");
	free(name);
	assert_logged(state, "key=Alias err=\"another filter is called "
			     "main; this one becomes parser.2\"");
}

static void a_taken_alias_is_an_error_where_names_are_strict(void **state)
{
	(void)state;
	struct err e = {0};
	assert_null(name_of("    Alias main\n", "main", true, &e));
	assert_non_null(strstr(e.text, "x.conf:3"));
	assert_non_null(strstr(e.text, "another filter is called \"main\""));
}

static void a_taken_default_name_is_an_error(void **state)
{
	(void)state;
	struct err e = {0};
	assert_null(name_of("", "parser.2", false, &e));
	assert_non_null(
		strstr(e.text, "another filter is called \"parser.2\""));
}

int main(void)
{
#define T(name)                                                \
	cmocka_unit_test_setup_teardown(name, conf_dir_set_up, \
					conf_dir_tear_down)
	const struct CMUnitTest tests[] = {
		T(a_name_is_the_alias_or_plugin_and_number),
		T(a_taken_alias_is_replaced_with_a_warning),
		T(a_taken_alias_is_an_error_where_names_are_strict),
		T(a_taken_default_name_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
