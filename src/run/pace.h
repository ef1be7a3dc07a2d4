/* SPDX-License-Identifier: Apache-2.0 */
/* pace - when to look into a socket's queue next.
 *
 * To wake for each datagram costs more than the datagram.  While they come
 * steadily, the next look is after a time in which, at the measured rate, a
 * sixteenth of the queue fills, at most PACE_WAIT_MAX_MS; else when there is
 * something.  So at least 15 of 16 places are free for a burst, and a queue as
 * short as a pod's own (10) is never waited for.
 *
 *     rate, per s    queue 10    queue 512    queue 4096
 *             200    at once     at once      at once     (nothing gathers)
 *           2,000    at once     4 ms         4 ms
 *          20,000    at once     1 ms         4 ms
 *         100,000    at once     at once      2 ms
 *
 * A rate that rises meanwhile to R costs nothing as long as R x 4 ms are fewer
 * than the queue holds; the next look sees it. */
#ifndef RUN_PACE_H
#define RUN_PACE_H

#include <stdint.h>

enum { PACE_WAIT_MAX_MS = 4 };

struct pace {
	unsigned queue_length; /* 0: unknown, never wait */
	uint64_t since_ms;     /* the rate is measured since then */
	uint64_t count;
	uint64_t per_s; /* as measured before */
};

/* So many were received just now, all that there were.  For how long not to
 * look; 0: until there is something. */
uint64_t pace_wait_ms(struct pace *, uint64_t now_ms, uint64_t received);

#endif
