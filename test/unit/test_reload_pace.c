/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"
#include "process/reload_pace.h"

static const int64_t start_ns = 1000 * NS_PER_S;

/* A reload that loads and starts for this long, and waits for the old worker in
 * between.  Returns when it ends. */
static int64_t reload(struct reload_pace *p, int64_t now_ns, int64_t load_ns,
		      int64_t wait_ns, int64_t start)
{
	reload_pace_begin(p, true, now_ns);
	reload_pace_loaded(p, now_ns += load_ns);
	reload_pace_go(p, now_ns += wait_ns);
	reload_pace_end(p, now_ns += start);
	return now_ns;
}

static void the_first_reload_is_accepted(void **state)
{
	(void)state;
	struct reload_pace p = {0};
	assert_int_equal(p.from_ns, 0);
}

static void reloads_take_a_tenth_of_the_time(void **state)
{
	(void)state;
	struct reload_pace p = {0};
	int64_t now_ns = start_ns;
	for (int i = 0; i < 10; i++)
		now_ns = reload(&p, now_ns > p.from_ns ? now_ns : p.from_ns,
				3 * NS_PER_S, 0, NS_PER_S);
	assert_int_equal(p.from_ns - start_ns, 10 * 40 * NS_PER_S);
}

static void waiting_for_the_old_worker_does_not_count(void **state)
{
	(void)state;
	struct reload_pace p = {0};
	int64_t end_ns = reload(&p, start_ns, NS_PER_S, 60 * NS_PER_S, 0);
	assert_int_equal(p.from_ns - end_ns, 9 * NS_PER_S);
}

static void the_pause_is_at_least_a_second(void **state)
{
	(void)state;
	struct reload_pace p = {0};
	int64_t end_ns = reload(&p, start_ns, NS_PER_MS, 0, NS_PER_MS);
	assert_int_equal(p.from_ns - end_ns, NS_PER_S);
}

static void a_reload_that_fails_while_loading_counts(void **state)
{
	(void)state;
	struct reload_pace p = {0};
	reload_pace_begin(&p, true, start_ns);
	reload_pace_end(&p, start_ns + 2 * NS_PER_S);
	assert_int_equal(p.from_ns, start_ns + 20 * NS_PER_S);
}

/* It never sends WORKING. */
static void a_reload_whose_worker_dies_at_its_start_counts(void **state)
{
	(void)state;
	struct reload_pace p = {0};
	reload_pace_begin(&p, true, start_ns);
	reload_pace_loaded(&p, start_ns + 2 * NS_PER_S);
	reload_pace_go(&p, start_ns + 2 * NS_PER_S);
	assert_int_equal(p.from_ns, start_ns + 20 * NS_PER_S);
}

static void other_reloads_do_not_count(void **state)
{
	(void)state;
	struct reload_pace p = {0};
	reload_pace_begin(&p, false, start_ns);
	reload_pace_loaded(&p, start_ns + NS_PER_S);
	reload_pace_go(&p, start_ns + NS_PER_S);
	reload_pace_end(&p, start_ns + 2 * NS_PER_S);
	assert_int_equal(p.from_ns, 0);
	reload(&p, start_ns, NS_PER_S, 0, 0);
	int64_t from_ns = p.from_ns;
	reload_pace_begin(&p, false, start_ns);
	reload_pace_end(&p, start_ns + 60 * NS_PER_S);
	assert_int_equal(p.from_ns, from_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_reload_is_accepted),
		cmocka_unit_test(reloads_take_a_tenth_of_the_time),
		cmocka_unit_test(waiting_for_the_old_worker_does_not_count),
		cmocka_unit_test(the_pause_is_at_least_a_second),
		cmocka_unit_test(a_reload_that_fails_while_loading_counts),
		cmocka_unit_test(
			a_reload_whose_worker_dies_at_its_start_counts),
		cmocka_unit_test(other_reloads_do_not_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
