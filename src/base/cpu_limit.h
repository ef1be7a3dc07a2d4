/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_limit - reads the CPU limit of the container: limits.cpu of a pod,
 * CPUQuota of a unit.
 *
 *     150m: 15 ms of every 100 ms
 *
 * It is read from the process's own control group (base/cgroup.h), version 2
 * (cpu.max) or 1 (cpu.cfs_quota_us, cpu.cfs_period_us):
 * Documentation/scheduler/sched-bwc.rst of the kernel. */
#ifndef BASE_CPU_LIMIT_H
#define BASE_CPU_LIMIT_H

#include <stdint.h>

struct cpu_limit {
	int64_t quota_ns; /* per period; 0: no limit, or it is unknown */
	int64_t period_ns;
};

/* `root` is put in front of every path; it is "" except in tests. */
struct cpu_limit cpu_limit_read(const char *root);

#endif
