/* SPDX-License-Identifier: Apache-2.0 */
/* clock - the two times: what the calendar says, and what has passed. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* Nanoseconds since 1970-01-01 UTC; may jump. */
int64_t clock_real_ns(void);

/* Nanoseconds since some moment; never goes back.  For intervals. */
int64_t clock_mono_ns(void);

/* Nanoseconds of CPU that the process has used, all threads. */
int64_t clock_cpu_ns(void);

#endif
