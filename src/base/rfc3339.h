/* SPDX-License-Identifier: Apache-2.0 */
/* rfc3339 - writes a time as 2026-11-21T02:50:00.123456789Z: in UTC with
 * nanoseconds, so that nothing is lost and texts sort by time. */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include <stdint.h>

struct buf;

/* Append the time; `real_ns` is in nanoseconds since 1970. */
void rfc3339_put(struct buf *, int64_t real_ns);

#endif
