/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"
#include "unit.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "pipeline/cpu_share.h"

/* --- the share */

enum {
	STEP_US = 10,
	INTAKE_EVERY_US = 1000,
	SECONDS = 3,
};

/* Two threads under a CPU limit that is enforced as the kernel does it, in
 * steps of 10 us. */
struct machine {
	struct cpu_limit limit;
	int64_t now_ns;
	int64_t used_ns;
	int64_t left_ns; /* of the quota in this period */
	int64_t stopped_ns;
	int64_t pipeline_ns;
};

/* False if the quota of the period is used up. */
static bool may_run(struct machine *m, int64_t ns)
{
	if (m->left_ns <= 0)
		return false;
	m->left_ns -= ns;
	m->used_ns += ns;
	return true;
}

/* A pipeline that always has work runs beside an intake thread that needs
 * intake_us of each millisecond.  The pipeline checks its share after every
 * look_us of work. */
static struct machine run(int64_t quota_ms, int64_t offset_us,
			  int64_t intake_us, int64_t look_us, bool shares)
{
	struct machine m = {
		.limit = {quota_ms * NS_PER_MS, 100 * NS_PER_MS},
		.left_ns = quota_ms * NS_PER_MS,
	};
	struct cpu_share share = {.limit = m.limit};
	int64_t intake_due_us = 0, since_look_us = look_us, rest_until_ns = 0;
	for (int64_t us = 0; us < SECONDS * 1000000; us += STEP_US) {
		m.now_ns = us * 1000;
		if ((us + offset_us) % 100000 == 0)
			m.left_ns = m.limit.quota_ns;
		if (us % INTAKE_EVERY_US == 0)
			intake_due_us += intake_us;
		if (intake_due_us > 0) {
			bool ran = may_run(&m, STEP_US * 1000);
			intake_due_us -= ran ? STEP_US : 0;
			m.stopped_ns += ran ? 0 : STEP_US * 1000;
		}
		if (shares && since_look_us >= look_us &&
		    m.now_ns >= rest_until_ns) {
			since_look_us = 0;
			rest_until_ns =
				m.now_ns +
				cpu_share_pause_ns(&share, m.now_ns, m.used_ns);
		}
		if (m.now_ns >= rest_until_ns && may_run(&m, STEP_US * 1000)) {
			since_look_us += STEP_US;
			m.pipeline_ns += STEP_US * 1000;
		}
	}
	return m;
}

static void with_a_cpu_share_the_kernel_never_stops_receiving(void **state)
{
	(void)state;
	for (int64_t offset_us = 0; offset_us < 100000; offset_us += 7010)
		for (int64_t intake_us = 0; intake_us <= 90; intake_us += 30) {
			struct machine m =
				run(15, offset_us, intake_us, 150, true);
			assert_int_equal(m.stopped_ns, 0);
			/* The pipeline gets the rest. */
			int64_t all_ms = m.used_ns / NS_PER_MS;
			assert_in_range(all_ms, SECONDS * 150 * 85 / 100,
					SECONDS * 150 * 95 / 100);
		}
}

/* Without this test, a machine model that never stops anyone would pass the
 * test above. */
static void without_a_cpu_share_the_kernel_stops_receiving(void **state)
{
	(void)state;
	struct machine m = run(15, 0, 30, 150, false);
	assert_true(m.stopped_ns > SECONDS * NS_PER_S / 2);
}

static void other_cpu_limits_work_as_well(void **state)
{
	(void)state;
	assert_int_equal(run(5, 0, 10, 150, true).stopped_ns, 0);
	assert_int_equal(run(50, 0, 90, 150, true).stopped_ns, 0);
	assert_int_equal(run(100, 0, 90, 150, true).stopped_ns, 0);
}

static void without_a_limit_the_pipeline_never_pauses(void **state)
{
	(void)state;
	struct cpu_share none = {0};
	struct cpu_share two = {.limit = {200 * NS_PER_MS, 100 * NS_PER_MS}};
	assert_int_equal(cpu_share_pause_ns(&none, 1000, NS_PER_S), 0);
	assert_int_equal(cpu_share_pause_ns(&two, 1000, NS_PER_S), 0);
}

/* An idle minute does not raise the share: the pipeline cannot use the CPU time
 * of that minute later. */
static void unused_time_cannot_be_saved_up(void **state)
{
	(void)state;
	struct cpu_share s = {.limit = {15 * NS_PER_MS, 100 * NS_PER_MS}};
	assert_int_equal(cpu_share_pause_ns(&s, 60 * NS_PER_S, 0), 0);
	assert_true(cpu_share_pause_ns(&s, 60 * NS_PER_S, NS_PER_MS) > 0);
}

/* A pod can be resized while it runs.  CPU that was used without a limit does
 * not count against a later limit. */
static void cpu_used_without_a_limit_is_not_charged_later(void **state)
{
	(void)state;
	const struct cpu_limit limit = {15 * NS_PER_MS, 100 * NS_PER_MS};
	struct cpu_share s = {.limit = limit};
	int64_t used_ns = 0, now_ns = NS_PER_S;
	assert_int_equal(cpu_share_pause_ns(&s, now_ns, used_ns), 0);
	s.limit = (struct cpu_limit){0};
	for (int i = 0; i < 3600; i++)
		assert_int_equal(cpu_share_pause_ns(&s, now_ns += NS_PER_S,
						    used_ns += NS_PER_S),
				 0);
	s.limit = limit;
	assert_in_range(cpu_share_pause_ns(&s, now_ns += NS_PER_MS,
					   used_ns += NS_PER_MS),
			0, 100 * NS_PER_MS);
}

/* Process 200 messages that each cost each_ms.  The answer is how many messages
 * the share then allows before the next check. */
static unsigned look_after(double each_ms)
{
	struct cpu_share s = {.limit = {15 * NS_PER_MS, 100 * NS_PER_MS}};
	double used_ns = 0;
	for (int i = 0; i < 200; i++) {
		used_ns += s.messages * each_ms * NS_PER_MS;
		cpu_share_pause_ns(&s, i * NS_PER_S, (int64_t)used_ns);
	}
	return s.messages;
}

static void with_expensive_messages_the_share_is_checked_sooner(void **state)
{
	(void)state;
	assert_int_equal(look_after(0.001), CPU_SHARE_MESSAGES_MAX);
	assert_in_range(look_after(0.01), 9, 12);
	assert_int_equal(look_after(20), 1);
}

/* --- the limit */

static char root[TEMP_DIR_BYTES];

static void put(const char *path, const char *text)
{
	char whole[2 * PATH_MAX];
	snprintf(whole, sizeof whole, "%s%s", root, path);
	for (char *slash = whole + strlen(root) + 1;
	     (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		mkdir(whole, 0755);
		*slash = '/';
	}
	file_write_text(whole, text);
}

static int make_root(void **state)
{
	(void)state;
	return temp_dir_make(root, "/tmp", "cpu_limit") ? 0 : -1;
}

static int remove_root(void **state)
{
	(void)state;
	return temp_dir_remove(root);
}

static void assert_limit(int64_t quota_us, int64_t period_us)
{
	struct cpu_limit limit = cpu_limit_read(root);
	assert_int_equal(limit.quota_ns, quota_us * 1000);
	assert_int_equal(limit.period_ns, period_us * 1000);
}

static void a_cgroup_v2_limit_in_a_container_is_read(void **state)
{
	(void)state;
	assert_limit(0, 0);
	put("/proc/self/cgroup", "0::/\n");
	assert_limit(0, 0);
	put("/proc/self/mountinfo",
	    "612 604 0:55 / / rw,relatime - overlay overlay rw,lowerdir=x\n"
	    "618 612 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - cgroup2 "
	    "cgroup rw,nsdelegate\n");
	assert_limit(0, 0);
	put("/sys/fs/cgroup/cpu.max", "15000 100000\n");
	assert_limit(15000, 100000);
	put("/sys/fs/cgroup/cpu.max", "max 100000\n");
	assert_limit(0, 0);
	put("/sys/fs/cgroup/cpu.max", "15000\n");
	assert_limit(0, 0);
}

static void a_cgroup_v2_limit_of_a_systemd_unit_is_read(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/system.slice/sluiced.service\n");
	put("/proc/self/mountinfo",
	    "34 24 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	put("/sys/fs/cgroup/system.slice/sluiced.service/cpu.max",
	    "50000 100000\n");
	assert_limit(50000, 100000);
}

/* A container without a cgroup namespace sees the path of its host. */
static void a_cgroup_v1_limit_in_a_container_is_read(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "11:memory:/kubepods/burstable/pod1/c2\n"
				 "4:cpu,cpuacct:/kubepods/burstable/pod1/c2\n"
				 "2:cpuset:/elsewhere\n"
				 "0::/\n");
	put("/proc/self/mountinfo",
	    "700 690 0:30 /kubepods/burstable/pod1/c2 /sys/fs/cgroup/cpuset "
	    "ro - cgroup cgroup rw,cpuset\n"
	    "701 690 0:31 /kubepods/burstable/pod1/c2 "
	    "/sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n");
	put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
	put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "15000\n");
	assert_limit(15000, 100000);
	put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
	assert_limit(0, 0);
}

static void a_cgroup_v1_limit_of_a_host_is_read(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "4:cpu,cpuacct:/a\n");
	put("/proc/self/mountinfo",
	    "35 24 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
	put("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "50000\n");
	put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "10000\n");
	assert_limit(10000, 50000);
}

static void malformed_cgroup_files_mean_no_limit(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "\n:\n::\n0:\n0::\n");
	put("/proc/self/mountinfo", "\n - \n1 2 3 - cgroup2\n"
				    "a b c - cgroup2 x rw\n");
	assert_limit(0, 0);
}

#define WITH_ROOT(test) \
	cmocka_unit_test_setup_teardown(test, make_root, remove_root)

static void with_slow_messages_the_clock_is_read_after_each(void **state)
{
	struct cpu_share share = {0};
	(void)state;
	cpu_share_pause_ns(&share, 0, 0);
	unsigned messages = cpu_share_messages(&share, 0);
	while (messages < CPU_SHARE_MESSAGES_MAX)
		messages = cpu_share_messages(&share, messages * 1000);
	messages = cpu_share_messages(&share, messages * 300 * NS_PER_MS);
	assert_int_equal(messages, 1);
	for (int i = 0; i < 10; i++)
		messages =
			cpu_share_messages(&share, messages * 300 * NS_PER_MS);
	assert_in_range(messages, 1, 2);
	for (int i = 0; i < 10; i++)
		messages = cpu_share_messages(&share, messages * 1000);
	assert_int_equal(messages, CPU_SHARE_MESSAGES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			with_a_cpu_share_the_kernel_never_stops_receiving),
		cmocka_unit_test(
			without_a_cpu_share_the_kernel_stops_receiving),
		cmocka_unit_test(other_cpu_limits_work_as_well),
		cmocka_unit_test(without_a_limit_the_pipeline_never_pauses),
		cmocka_unit_test(unused_time_cannot_be_saved_up),
		cmocka_unit_test(cpu_used_without_a_limit_is_not_charged_later),
		cmocka_unit_test(
			with_expensive_messages_the_share_is_checked_sooner),
		cmocka_unit_test(
			with_slow_messages_the_clock_is_read_after_each),
		WITH_ROOT(a_cgroup_v2_limit_in_a_container_is_read),
		WITH_ROOT(a_cgroup_v2_limit_of_a_systemd_unit_is_read),
		WITH_ROOT(a_cgroup_v1_limit_in_a_container_is_read),
		WITH_ROOT(a_cgroup_v1_limit_of_a_host_is_read),
		WITH_ROOT(malformed_cgroup_files_mean_no_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
