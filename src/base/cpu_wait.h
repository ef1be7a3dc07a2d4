/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_wait - how long a thread could have run but had no CPU: other threads had
 * it, or the control group had used up its CPU limit.
 *
 * Source: the second number of /proc/PID/task/TID/schedstat, which Linux
 * describes in Documentation/scheduler/sched-stats.rst. */
#ifndef BASE_CPU_WAIT_H
#define BASE_CPU_WAIT_H

#include <stdint.h>
#include <sys/types.h>

/* For how many nanoseconds a thread of this process has waited for a CPU since
 * it began.  A wait counts when it ends.  Returns 0 if the kernel does not
 * keep this figure, or if there is no such thread. */
int64_t cpu_wait_ns(pid_t thread);

#endif
