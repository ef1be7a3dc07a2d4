/* SPDX-License-Identifier: Apache-2.0 */
/* rfc3339 - writes a time in UTC, as 2026-11-21T02:50:00.123456789Z.  Texts
 * with the same number of digits sort by time. */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include <stddef.h>
#include <stdint.h>

struct buf;

enum { RFC3339_BYTES = 48 };

/* Write the time with this many digits, 1 to 9, after the point; further digits
 * are cut off.  `real_ns` is in nanoseconds since 1970 and may be negative.
 * Returns the length without the NUL. */
size_t rfc3339_format(int64_t real_ns, int digits, char out[RFC3339_BYTES]);

/* Append the time with nine digits. */
void rfc3339_put(struct buf *, int64_t real_ns);

#endif
