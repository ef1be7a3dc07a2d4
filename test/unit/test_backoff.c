/* SPDX-License-Identifier: Apache-2.0 */
#include "check_fails.h"

#include "base/backoff.h"

static void each_delay_is_twice_as_long_up_to_the_longest(void **state)
{
	(void)state;
	struct backoff b = {.min_ms = 100, .max_ms = 500};
	static const int64_t wanted[] = {100, 200, 400, 500, 500, 500};
	for (size_t i = 0; i < COUNT(wanted); i++)
		assert_int_equal(backoff_next_ms(&b), wanted[i]);
}

static void after_a_reset_the_first_delay_comes_again(void **state)
{
	(void)state;
	struct backoff b = {.min_ms = 100, .max_ms = 5000};
	backoff_next_ms(&b);
	backoff_next_ms(&b);
	backoff_reset(&b);
	assert_int_equal(backoff_next_ms(&b), 100);
	assert_int_equal(backoff_next_ms(&b), 200);
}

static void the_first_delay_may_be_the_longest(void **state)
{
	(void)state;
	struct backoff b = {.min_ms = 7, .max_ms = 7};
	assert_int_equal(backoff_next_ms(&b), 7);
	assert_int_equal(backoff_next_ms(&b), 7);
}

static void a_delay_never_overflows(void **state)
{
	(void)state;
	struct backoff b = {.min_ms = 1, .max_ms = INT64_MAX};
	int64_t last = 0;
	for (int i = 0; i < 100; i++) {
		int64_t next = backoff_next_ms(&b);
		assert_true(next > last || next == INT64_MAX);
		last = next;
	}
	assert_true(last == INT64_MAX);
}

static void next(void *backoff)
{
	backoff_next_ms(backoff);
}

static void limits_that_make_no_sense_are_a_bug(void **state)
{
	(void)state;
	struct backoff busy = {.min_ms = 0, .max_ms = 5};
	struct backoff negative = {.min_ms = -1, .max_ms = 5};
	struct backoff crossed = {.min_ms = 6, .max_ms = 5};
	assert_check_fails(next, &busy, "b->min_ms > 0");
	assert_check_fails(next, &negative, "b->min_ms > 0");
	assert_check_fails(next, &crossed, "b->max_ms >= b->min_ms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_delay_is_twice_as_long_up_to_the_longest),
		cmocka_unit_test(after_a_reset_the_first_delay_comes_again),
		cmocka_unit_test(the_first_delay_may_be_the_longest),
		cmocka_unit_test(a_delay_never_overflows),
		cmocka_unit_test(limits_that_make_no_sense_are_a_bug),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
