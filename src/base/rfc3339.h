/* SPDX-License-Identifier: Apache-2.0 */
/* rfc3339 - a moment as text, 2026-11-21T02:50:00.123456789Z: UTC, to the
 * nanosecond, so that nothing of it is lost and its order is the text's. */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include <stdint.h>

struct buf;

/* Append it; `real_ns` counts from 1970. */
void rfc3339_put(struct buf *, int64_t real_ns);

#endif
