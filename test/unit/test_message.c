/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "record/message.h"

static void the_worst_reason_of_a_message_counts(void **state)
{
	(void)state;
	static const enum drop_reason from_best[] = {
		DROP_none,	   DROP_filtered,     DROP_unrouted,
		DROP_rewrite_loop, DROP_path_refused, DROP_too_large,
		DROP_write_failed, DROP_undecided};
	for (size_t i = 0; i < COUNT(from_best); i++)
		for (size_t j = 0; j < COUNT(from_best); j++) {
			struct message m = {.reason = from_best[i]};
			message_lose(&m, from_best[j]);
			assert_int_equal(m.reason, from_best[i > j ? i : j]);
			assert_int_equal(message_has_loss(&m), i > 2 || j > 2);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_worst_reason_of_a_message_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
