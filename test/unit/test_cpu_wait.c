/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/cpu_wait.h"

static atomic_bool has_waited;

static void *run_until_waited(void *data)
{
	_Atomic pid_t *id = data;
	*id = gettid();
	while (!has_waited)
		continue;
	return NULL;
}

static void run_on_one_cpu(cpu_set_t *all)
{
	size_t cpu = 0;
	cpu_set_t one;
	assert_int_equal(sched_getaffinity(0, sizeof *all, all), 0);
	while (!CPU_ISSET(cpu, all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
}

/* Two threads on one CPU, neither of which ever sleeps. */
static void a_thread_that_shares_its_cpu_waits(void **state)
{
	(void)state;
	if (access("/proc/thread-self/schedstat", F_OK) < 0)
		skip();
	cpu_set_t all;
	run_on_one_cpu(&all);
	pthread_t thread;
	_Atomic pid_t id = 0;
	assert_int_equal(pthread_create(&thread, NULL, run_until_waited, &id),
			 0);
	while (id == 0 || cpu_wait_ns(id) == 0 || cpu_wait_ns(gettid()) == 0)
		continue;
	has_waited = true;
	pthread_join(thread, NULL);
	assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

static void a_thread_that_does_not_exist_waits_for_nothing(void **state)
{
	(void)state;
	assert_int_equal(cpu_wait_ns(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_that_shares_its_cpu_waits),
		cmocka_unit_test(
			a_thread_that_does_not_exist_waits_for_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
