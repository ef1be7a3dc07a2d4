/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_limit - how much CPU the container may use: limits.cpu of a pod,
 * CPUQuota of a unit.
 *
 *     150m: 15 ms of every 100 ms
 *
 * Read from the process's own control group, version 2 (cpu.max) or 1
 * (cpu.cfs_quota_us, cpu.cfs_period_us), as /proc/self/cgroup and
 * /proc/self/mountinfo name it: proc(5), cgroups(7), and
 * Documentation/scheduler/sched-bwc.rst of the kernel. */
#ifndef BASE_CPU_LIMIT_H
#define BASE_CPU_LIMIT_H

#include <stdint.h>

struct cpu_limit {
	int64_t quota_ns; /* of every period; 0: no limit, or none is known */
	int64_t period_ns;
};

/* `root` stands before every path; "" but in tests. */
struct cpu_limit cpu_limit_read(const char *root);

#endif
