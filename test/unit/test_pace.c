/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"
#include "intake/pace.h"

enum { QUEUE = 512, LINE_BYTES = 800 };

static uint64_t wait_us_after(struct pace *p, int64_t now_ns, uint64_t received,
			      uint64_t bytes)
{
	pace_received(p, received, received * bytes);
	return pace_wait_us(p, now_ns);
}

/* Simulate one second at the rate per_s.  After each wait that
 * the pace asks for, the receiver receives; if the wait is 0, it receives each
 * datagram at once.  Returns the last wait in microseconds. */
static uint64_t run_with(struct pace *p, int64_t *now_ns, uint64_t per_s,
			 uint64_t bytes)
{
	uint64_t wait_us = 0;
	double owed = 0;
	for (int64_t end_ns = *now_ns + NS_PER_S; *now_ns < end_ns;) {
		uint64_t step_us = wait_us > 0 ? wait_us : 50;
		owed += (double)(per_s * step_us) / 1e6;
		uint64_t received = (uint64_t)owed;
		owed -= (double)received;
		*now_ns += (int64_t)step_us * 1000;
		wait_us = received > 0 || wait_us > 0
				  ? wait_us_after(p, *now_ns, received, bytes)
				  : 0;
		assert_in_range(wait_us, 0, PACE_WAIT_MAX_US);
	}
	uint64_t gathered = per_s * wait_us / 1000000;
	assert_true(gathered <= p->queue_length / 16);
	assert_true(gathered <= PACE_GATHER_MAX);
	assert_true(gathered * bytes <= PACE_GATHER_BYTES_MAX);
	return wait_us;
}

static uint64_t run(struct pace *p, int64_t *now_ns, uint64_t per_s)
{
	return run_with(p, now_ns, per_s, LINE_BYTES);
}

static void datagrams_at_a_steady_rate_are_gathered(void **state)
{
	(void)state;
	struct pace p = {.queue_length = QUEUE};
	int64_t now_ns = 1000 * NS_PER_S;
	assert_false(pace_forbids(&p));
	assert_int_equal(run(&p, &now_ns, 2000), PACE_WAIT_MAX_US);
	assert_in_range(run(&p, &now_ns, 20000), 1500, 1700);
	assert_in_range(run(&p, &now_ns, 200000), 150, 170);
	assert_int_equal(run(&p, &now_ns, 2000), PACE_WAIT_MAX_US);
}

static void datagrams_at_a_low_rate_are_taken_at_once(void **state)
{
	(void)state;
	struct pace p = {.queue_length = QUEUE};
	int64_t now_ns = 1000 * NS_PER_S;
	assert_int_equal(run(&p, &now_ns, 1), 0);
	assert_int_equal(run(&p, &now_ns, 200), 0);
	assert_int_equal(run(&p, &now_ns, 500), 0);
}

static void with_a_short_queue_receiving_never_waits(void **state)
{
	(void)state;
	for (unsigned length = 0; length < 32; length++) {
		struct pace p = {.queue_length = length};
		int64_t now_ns = 1000 * NS_PER_S;
		assert_int_equal(pace_forbids(&p), length > 0);
		assert_int_equal(run(&p, &now_ns, 2000), 0);
		assert_int_equal(run(&p, &now_ns, 20000), 0);
	}
}

/* A sender can have only a few long lines in flight, however long the queue
 * is. */
static void with_long_lines_receiving_does_not_wait(void **state)
{
	(void)state;
	struct pace p = {.queue_length = 4096};
	int64_t now_ns = 1000 * NS_PER_S;
	assert_int_equal(run_with(&p, &now_ns, 2000, 4096), PACE_WAIT_MAX_US);
	assert_in_range(run_with(&p, &now_ns, 8000, 4096), 1300, 1500);
	assert_in_range(run_with(&p, &now_ns, 20000, 4096), 500, 600);
	assert_int_equal(run_with(&p, &now_ns, 2000, 60000), 0);
}

static void after_a_burst_receiving_looks_again_at_once(void **state)
{
	(void)state;
	struct pace p = {.queue_length = QUEUE};
	int64_t now_ns = 1000 * NS_PER_S;
	assert_int_equal(run(&p, &now_ns, 2000), PACE_WAIT_MAX_US);
	now_ns += NS_PER_MS;
	assert_int_equal(wait_us_after(&p, now_ns, QUEUE, LINE_BYTES), 0);
	/* After a pause, the previous rate means nothing. */
	now_ns += 60 * NS_PER_S;
	assert_int_equal(wait_us_after(&p, now_ns, 1, LINE_BYTES), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_at_a_steady_rate_are_gathered),
		cmocka_unit_test(datagrams_at_a_low_rate_are_taken_at_once),
		cmocka_unit_test(with_a_short_queue_receiving_never_waits),
		cmocka_unit_test(with_long_lines_receiving_does_not_wait),
		cmocka_unit_test(after_a_burst_receiving_looks_again_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
