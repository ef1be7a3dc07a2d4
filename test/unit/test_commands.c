/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "tool/commands.h"

static void every_command_is_found_by_its_name(void **state)
{
	(void)state;
	const struct command *c;
	size_t count = 0;
	for (; (c = commands_at(count)) != NULL; count++)
		assert_ptr_equal(commands_find(c->name), c);
	assert_true(count > 0);
	assert_null(commands_at(count + 1));
}

static void another_name_is_no_command(void **state)
{
	(void)state;
	static const char *const names[] = {"", "key", "keyss", "KEYS", "-c"};
	for (size_t i = 0; i < COUNT(names); i++)
		assert_null(commands_find(names[i]));
}

static void every_row_is_complete_and_its_usage_is_true(void **state)
{
	(void)state;
	const struct command *c;
	for (size_t i = 0; (c = commands_at(i)) != NULL; i++) {
		assert_non_null(c->help);
		assert_non_null(c->run);
		assert_true(c->takes_operand || !c->needs_operand);
		bool names_conf = strstr(c->usage, "-c FILE") != NULL;
		assert_int_equal(names_conf, c->needs_conf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_found_by_its_name),
		cmocka_unit_test(another_name_is_no_command),
		cmocka_unit_test(every_row_is_complete_and_its_usage_is_true),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
