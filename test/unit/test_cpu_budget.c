/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdint.h>

#include "base/clock.h"
#include "base/cpu_budget.h"

enum { SECONDS = 10 };

#define LIMIT_150M                              \
	{                                       \
		15 * NS_PER_MS, 100 * NS_PER_MS \
	}

/* A flood: there is always a request, and one round of answers costs round_us.
 * The result is the used CPU time in microseconds. */
static int64_t flood_us(struct cpu_budget *b, int64_t round_us)
{
	int64_t now_ns = NS_PER_S, used_us = 0;
	while (now_ns < (SECONDS + 1) * NS_PER_S) {
		now_ns += round_us * 1000;
		used_us += round_us;
		now_ns += cpu_budget_pause_ns(b, now_ns, round_us * 1000);
	}
	return used_us;
}

static void a_flood_gets_its_part_of_the_cpu_limit(void **state)
{
	(void)state;
	for (int64_t round_us = 20; round_us <= 5000; round_us *= 2) {
		struct cpu_budget b = {.limit = LIMIT_150M};
		assert_in_range(flood_us(&b, round_us), SECONDS * 29000,
				SECONDS * 31000);
	}
}

static void without_a_limit_a_flood_gets_a_part_of_one_cpu(void **state)
{
	(void)state;
	struct cpu_budget none = {0};
	struct cpu_budget four = {.limit = {400 * NS_PER_MS, 100 * NS_PER_MS}};
	assert_in_range(flood_us(&none, 500), SECONDS * 195000,
			SECONDS * 205000);
	assert_in_range(flood_us(&four, 500), SECONDS * 195000,
			SECONDS * 205000);
}

static void a_share_is_a_part_of_any_limit_and_needs_one(void **state)
{
	(void)state;
	struct cpu_budget b = {.share = 0.5, .limit = LIMIT_150M};
	assert_in_range(flood_us(&b, 500), SECONDS * 74000, SECONDS * 76000);
	struct cpu_budget high = {.share = 0.5,
				  .limit = {150 * NS_PER_MS, 100 * NS_PER_MS}};
	assert_in_range(flood_us(&high, 500), SECONDS * 740000,
			SECONDS * 760000);
	struct cpu_budget four = {.share = 0.5,
				  .limit = {400 * NS_PER_MS, 100 * NS_PER_MS}};
	assert_in_range(flood_us(&four, 500), SECONDS * 999000,
			SECONDS * 1001000);
	struct cpu_budget none = {.share = 0.5};
	assert_in_range(flood_us(&none, 500), SECONDS * 999000,
			SECONDS * 1001000);
}

/* The first burst after a long silence is answered without a pause, but the
 * time of the silence cannot be saved up. */
static void a_burst_needs_no_pause(void **state)
{
	(void)state;
	struct cpu_budget b = {.limit = LIMIT_150M};
	for (int64_t now_ns = 1; now_ns < 60 * NS_PER_S; now_ns += NS_PER_S) {
		for (int i = 0; i < 10; i++)
			assert_int_equal(
				cpu_budget_pause_ns(&b, now_ns, NS_PER_MS / 4),
				0);
		int64_t pause_ns = cpu_budget_pause_ns(&b, now_ns, NS_PER_MS);
		assert_in_range(pause_ns, 16 * NS_PER_MS, 17 * NS_PER_MS);
	}
}

/* Otherwise one expensive round would make a probe fail. */
static void a_pause_is_never_longer_than_its_maximum(void **state)
{
	(void)state;
	struct cpu_budget b = {.limit = LIMIT_150M};
	assert_int_equal(cpu_budget_pause_ns(&b, 1, NS_PER_S),
			 CPU_BUDGET_PAUSE_MAX_NS);
	assert_int_equal(
		cpu_budget_pause_ns(&b, 1 + CPU_BUDGET_PAUSE_MAX_NS, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_gets_its_part_of_the_cpu_limit),
		cmocka_unit_test(
			without_a_limit_a_flood_gets_a_part_of_one_cpu),
		cmocka_unit_test(a_share_is_a_part_of_any_limit_and_needs_one),
		cmocka_unit_test(a_burst_needs_no_pause),
		cmocka_unit_test(a_pause_is_never_longer_than_its_maximum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
