/* SPDX-License-Identifier: Apache-2.0 */
/* backoff - how long to wait before the next attempt: exponential back-off.
 *
 * The first delay is min_ms; each following one is twice as long, at most
 * max_ms.  It holds no clock: the caller waits. */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
	int64_t min_ms;	 /* above 0, otherwise the caller never waits */
	int64_t max_ms;	 /* at least min_ms */
	int64_t last_ms; /* 0: no attempt has failed since the last reset */
};

/* The delay before the next attempt, in milliseconds. */
int64_t backoff_next_ms(struct backoff *);

/* An attempt succeeded: begin with min_ms again. */
void backoff_reset(struct backoff *);

#endif
