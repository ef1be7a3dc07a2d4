/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <ftw.h>
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

/* Two threads under a limit as the kernel keeps it, in steps of 10 us. */
struct machine {
	struct cpu_limit limit;
	int64_t now_ns;
	int64_t used_ns;
	int64_t left_ns; /* of the period */
	int64_t stopped_ns;
	int64_t pipeline_ns;
};

/* False when the kernel lets nobody run. */
static bool may_run(struct machine *m, int64_t ns)
{
	if (m->left_ns <= 0)
		return false;
	m->left_ns -= ns;
	m->used_ns += ns;
	return true;
}

/* A pipeline that always has work, beside an intake that needs so much of each
 * millisecond; it looks at its share after so much work. */
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

static void receiving_is_never_stopped(void **state)
{
	(void)state;
	for (int64_t offset_us = 0; offset_us < 100000; offset_us += 7010)
		for (int64_t intake_us = 0; intake_us <= 90; intake_us += 30) {
			struct machine m =
				run(15, offset_us, intake_us, 150, true);
			assert_int_equal(m.stopped_ns, 0);
			/* And the pipeline has what is left. */
			int64_t all_ms = m.used_ns / NS_PER_MS;
			assert_in_range(all_ms, SECONDS * 150 * 85 / 100,
					SECONDS * 150 * 95 / 100);
		}
}

/* What the test above would not see if the machine were none. */
static void without_a_share_it_is(void **state)
{
	(void)state;
	struct machine m = run(15, 0, 30, 150, false);
	assert_true(m.stopped_ns > SECONDS * NS_PER_S / 2);
}

static void other_limits_work_as_well(void **state)
{
	(void)state;
	assert_int_equal(run(5, 0, 10, 150, true).stopped_ns, 0);
	assert_int_equal(run(50, 0, 90, 150, true).stopped_ns, 0);
	assert_int_equal(run(100, 0, 90, 150, true).stopped_ns, 0);
}

static void without_a_limit_there_is_no_rest(void **state)
{
	(void)state;
	struct cpu_share none = {0};
	struct cpu_share two = {.limit = {200 * NS_PER_MS, 100 * NS_PER_MS}};
	assert_int_equal(cpu_share_pause_ns(&none, 1000, NS_PER_S), 0);
	assert_int_equal(cpu_share_pause_ns(&two, 1000, NS_PER_S), 0);
}

/* After a pause as after none: what was not used then is not used now. */
static void a_pause_saves_nothing_up(void **state)
{
	(void)state;
	struct cpu_share s = {.limit = {15 * NS_PER_MS, 100 * NS_PER_MS}};
	assert_int_equal(cpu_share_pause_ns(&s, 60 * NS_PER_S, 0), 0);
	assert_true(cpu_share_pause_ns(&s, 60 * NS_PER_S, NS_PER_MS) > 0);
}

/* A pod is resized while it runs: what was used without a limit is nobody's
 * debt when there is one again. */
static void what_was_used_without_a_limit_is_no_debt(void **state)
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

/* So dear a message, 200 of them: how many until the next look at last. */
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

static void dear_messages_are_looked_at_sooner(void **state)
{
	(void)state;
	assert_int_equal(look_after(0.001), CPU_SHARE_MESSAGES_MAX);
	assert_in_range(look_after(0.01), 9, 12);
	assert_int_equal(look_after(20), 1);
}

/* --- the limit */

static char root[PATH_MAX];

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
	FILE *file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int make_root(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/sluiced-cpu-XXXXXX");
	return mkdtemp(root) == NULL;
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int remove_root(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void assert_limit(int64_t quota_us, int64_t period_us)
{
	struct cpu_limit limit = cpu_limit_read(root);
	assert_int_equal(limit.quota_ns, quota_us * 1000);
	assert_int_equal(limit.period_ns, period_us * 1000);
}

static void version_2_in_a_container(void **state)
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

static void version_2_of_a_unit(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/system.slice/sluiced.service\n");
	put("/proc/self/mountinfo",
	    "34 24 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	put("/sys/fs/cgroup/system.slice/sluiced.service/cpu.max",
	    "50000 100000\n");
	assert_limit(50000, 100000);
}

/* A container without a namespace of control groups sees its host's path. */
static void version_1_in_a_container(void **state)
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

static void version_1_of_a_host(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "4:cpu,cpuacct:/a\n");
	put("/proc/self/mountinfo",
	    "35 24 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
	put("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "50000\n");
	put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "10000\n");
	assert_limit(10000, 50000);
}

static void nonsense_is_no_limit(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "\n:\n::\n0:\n0::\n");
	put("/proc/self/mountinfo", "\n - \n1 2 3 - cgroup2\n"
				    "a b c - cgroup2 x rw\n");
	assert_limit(0, 0);
}

#define WITH_ROOT(test) \
	cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receiving_is_never_stopped),
		cmocka_unit_test(without_a_share_it_is),
		cmocka_unit_test(other_limits_work_as_well),
		cmocka_unit_test(without_a_limit_there_is_no_rest),
		cmocka_unit_test(a_pause_saves_nothing_up),
		cmocka_unit_test(what_was_used_without_a_limit_is_no_debt),
		cmocka_unit_test(dear_messages_are_looked_at_sooner),
		WITH_ROOT(version_2_in_a_container),
		WITH_ROOT(version_2_of_a_unit),
		WITH_ROOT(version_1_in_a_container),
		WITH_ROOT(version_1_of_a_host),
		WITH_ROOT(nonsense_is_no_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
