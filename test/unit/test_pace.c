/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "run/pace.h"

enum { QUEUE = 512, LINE_BYTES = 800 };

static uint64_t wait_ms_after(struct pace *p, uint64_t now_ms,
			      uint64_t received, uint64_t bytes)
{
	pace_received(p, received, received * bytes);
	return pace_wait_ms(p, now_ms);
}

/* So many a second, looked for each time as the pace says, or for each one,
 * until a second has passed.  The last wait. */
static uint64_t run_with(struct pace *p, uint64_t *now_ms, uint64_t per_s,
			 uint64_t bytes)
{
	uint64_t wait_ms = 0;
	double owed = 0;
	for (uint64_t end_ms = *now_ms + 1000; *now_ms < end_ms;) {
		uint64_t step_ms = wait_ms > 0 ? wait_ms : 1;
		owed += (double)(per_s * step_ms) / 1000;
		uint64_t received = (uint64_t)owed;
		owed -= (double)received;
		*now_ms += step_ms;
		wait_ms = received > 0 || wait_ms > 0
				  ? wait_ms_after(p, *now_ms, received, bytes)
				  : 0;
		assert_in_range(wait_ms, 0, PACE_WAIT_MAX_MS);
	}
	assert_true(per_s * wait_ms / 1000 <= p->queue_length / 16);
	assert_true(per_s * wait_ms / 1000 <= PACE_GATHER_MAX);
	assert_true(per_s * wait_ms / 1000 * bytes <= PACE_GATHER_BYTES_MAX);
	return wait_ms;
}

static uint64_t run(struct pace *p, uint64_t *now_ms, uint64_t per_s)
{
	return run_with(p, now_ms, per_s, LINE_BYTES);
}

static void a_steady_rate_is_gathered(void **state)
{
	(void)state;
	struct pace p = {.queue_length = QUEUE};
	uint64_t now_ms = 1000000;
	assert_int_equal(run(&p, &now_ms, 2000), PACE_WAIT_MAX_MS);
	assert_int_equal(run(&p, &now_ms, 20000), 1);
	assert_int_equal(run(&p, &now_ms, 200000), 0);
	assert_int_equal(run(&p, &now_ms, 2000), PACE_WAIT_MAX_MS);
}

static void a_low_rate_is_taken_at_once(void **state)
{
	(void)state;
	struct pace p = {.queue_length = QUEUE};
	uint64_t now_ms = 1000000;
	assert_int_equal(run(&p, &now_ms, 1), 0);
	assert_int_equal(run(&p, &now_ms, 200), 0);
	assert_int_equal(run(&p, &now_ms, 500), 0);
}

static void a_short_queue_is_never_waited_for(void **state)
{
	(void)state;
	for (unsigned length = 0; length < 32; length++) {
		struct pace p = {.queue_length = length};
		uint64_t now_ms = 1000000;
		assert_int_equal(run(&p, &now_ms, 2000), 0);
		assert_int_equal(run(&p, &now_ms, 20000), 0);
	}
}

/* A sender may have few long lines in flight, whatever the queue. */
static void long_lines_are_not_waited_for(void **state)
{
	(void)state;
	struct pace p = {.queue_length = 4096};
	uint64_t now_ms = 1000000;
	assert_int_equal(run_with(&p, &now_ms, 2000, 4096), PACE_WAIT_MAX_MS);
	assert_int_equal(run_with(&p, &now_ms, 8000, 4096), 1);
	assert_int_equal(run_with(&p, &now_ms, 20000, 4096), 0);
	assert_int_equal(run_with(&p, &now_ms, 2000, 60000), 0);
}

static void behind_a_burst_is_looked_at_once(void **state)
{
	(void)state;
	struct pace p = {.queue_length = QUEUE};
	uint64_t now_ms = 1000000;
	assert_int_equal(run(&p, &now_ms, 2000), PACE_WAIT_MAX_MS);
	assert_int_equal(wait_ms_after(&p, ++now_ms, QUEUE, LINE_BYTES), 0);
	/* After a pause the rate of before means nothing. */
	assert_int_equal(wait_ms_after(&p, now_ms + 60000, 1, LINE_BYTES), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_rate_is_gathered),
		cmocka_unit_test(a_low_rate_is_taken_at_once),
		cmocka_unit_test(a_short_queue_is_never_waited_for),
		cmocka_unit_test(long_lines_are_not_waited_for),
		cmocka_unit_test(behind_a_burst_is_looked_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
