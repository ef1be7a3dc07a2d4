/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "process/deaths.h"

static const int64_t start_ns = 1000 * NS_PER_S;

static void each_death_doubles_the_delay(void **state)
{
	(void)state;
	static const int64_t expected_ms[] = {100,  200,  400,	 800,  1600,
					      3200, 6400, 10000, 10000};
	struct deaths d;
	int64_t now_ns = start_ns;
	deaths_init(&d);
	for (size_t i = 0; i < sizeof expected_ms / sizeof *expected_ms; i++) {
		assert_int_equal(deaths_wait_ms(&d, now_ns, false, false),
				 expected_ms[i]);
		now_ns += 59 * NS_PER_S; /* however long the worker lived */
	}
}

static void a_minute_without_a_death_resets_the_delay(void **state)
{
	(void)state;
	struct deaths d;
	deaths_init(&d);
	assert_int_equal(deaths_wait_ms(&d, start_ns, false, false), 100);
	assert_int_equal(deaths_wait_ms(&d, start_ns, false, false), 200);
	assert_int_equal(
		deaths_wait_ms(&d, start_ns + 60 * NS_PER_S, false, false),
		100);
}

static void a_worker_killed_from_outside_is_replaced_at_once(void **state)
{
	(void)state;
	struct deaths d;
	deaths_init(&d);
	for (int i = 0; i < 100; i++)
		assert_int_equal(deaths_wait_ms(&d, start_ns, true, false), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(deaths_wait_ms(&d, start_ns, true, true), 0);
	assert_int_equal(deaths_wait_ms(&d, start_ns, true, true), 100);
}

static void after_ten_quick_deaths_there_is_no_next_worker(void **state)
{
	(void)state;
	struct deaths d;
	deaths_init(&d);
	for (int turn = 0; turn < 2; turn++)
		for (int i = 1; i < QUICK_DEATHS_MAX; i++)
			assert_true(deaths_wait_ms(&d, start_ns, i % 2 == 0,
						   i > 1) >= 0);
	assert_true(deaths_wait_ms(&d, start_ns, false, true) >= 0);
	assert_int_equal(deaths_wait_ms(&d, start_ns, false, true), -1);
}

static void a_worker_that_leaves_interrupts_a_row_of_quick_deaths(void **state)
{
	(void)state;
	struct deaths d;
	deaths_init(&d);
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 1; i < QUICK_DEATHS_MAX; i++)
			assert_true(deaths_wait_ms(&d, start_ns, false, true) >=
				    0);
		deaths_interrupt(&d);
	}
}

static void while_stopping_the_delay_is_at_most_a_second(void **state)
{
	(void)state;
	static const int64_t expected_ms[] = {0,    100,  200,	400,
					      800,  1000, 1000, 1000,
					      1000, 1000, 1000, 1000};
	struct deaths d;
	deaths_init(&d);
	for (int i = 1; i < QUICK_DEATHS_MAX; i++)
		assert_true(deaths_wait_ms(&d, start_ns, false, true) >= 0);
	for (size_t i = 0; i < sizeof expected_ms / sizeof *expected_ms; i++)
		assert_int_equal(deaths_stopping_wait_ms(&d), expected_ms[i]);
}

/* The wait status of a child that sends itself this signal. */
static int status_of(int number)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		raise(number);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void only_sigkill_without_an_oom_kill_came_from_outside(void **state)
{
	(void)state;
	struct deaths d;
	deaths_init(&d);
	assert_false(deaths_came_from_outside(&d, status_of(SIGKILL)));
	deaths_begin(&d);
	if (d.oom_kills < 0)
		skip(); /* this kernel does not count OOM kills */
	assert_false(deaths_came_from_outside(&d, status_of(SIGTERM)));
	assert_false(deaths_came_from_outside(&d, status_of(SIGCONT)));
	assert_true(deaths_came_from_outside(&d, status_of(SIGKILL)));
	d.oom_kills--; /* the OOM killer has killed meanwhile */
	assert_false(deaths_came_from_outside(&d, status_of(SIGKILL)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_death_doubles_the_delay),
		cmocka_unit_test(a_minute_without_a_death_resets_the_delay),
		cmocka_unit_test(
			a_worker_killed_from_outside_is_replaced_at_once),
		cmocka_unit_test(
			after_ten_quick_deaths_there_is_no_next_worker),
		cmocka_unit_test(
			a_worker_that_leaves_interrupts_a_row_of_quick_deaths),
		cmocka_unit_test(while_stopping_the_delay_is_at_most_a_second),
		cmocka_unit_test(
			only_sigkill_without_an_oom_kill_came_from_outside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
