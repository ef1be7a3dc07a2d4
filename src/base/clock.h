/* SPDX-License-Identifier: Apache-2.0 */
/* clock - the wall clock, the monotonic clock and the used CPU time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* The wall clock in nanoseconds since 1970-01-01 UTC; it may jump. */
int64_t clock_real_ns(void);

/* The monotonic clock in nanoseconds since an unspecified moment; for
 * intervals. */
int64_t clock_mono_ns(void);

/* The CPU time that all threads of the process have used, in nanoseconds. */
int64_t clock_cpu_ns(void);

/* The CPU time that the calling thread has used, in nanoseconds. */
int64_t clock_thread_cpu_ns(void);

#endif
