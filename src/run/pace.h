/* SPDX-License-Identifier: Apache-2.0 */
/* pace - when to look into a socket's queue next.
 *
 * To wake for each datagram costs more than the datagram.  While they come
 * steadily, the next look is after a time in which, at the measured rate, a
 * sixteenth of the queue fills, and at most PACE_WAIT_MAX_MS; else when there
 * is something.  So at least 15 of 16 places are free for a burst, and a queue
 * as short as a pod's own (10) is never waited for.
 *
 * The queue is not the only bound: what one sender has in flight may take
 * 212,992 bytes of the kernel's memory (net.core.wmem_default), about 90 lines
 * of an nginx worker.  So no more than PACE_GATHER_MAX of them are gathered,
 * nor more than PACE_GATHER_BYTES_MAX, and one worker would have to write 90
 * within the 2 ms to be refused.
 *
 *     rate, per s    queue 10    queue 512    queue 4096
 *             500    at once     at once      at once     (nothing gathers)
 *           2,000    at once     2 ms         2 ms
 *          20,000    at once     1 ms         1 ms
 *          50,000    at once     at once      at once */
#ifndef RUN_PACE_H
#define RUN_PACE_H

#include <stdint.h>

enum {
	PACE_WAIT_MAX_MS = 2,
	PACE_GATHER_MAX = 32,
	PACE_GATHER_BYTES_MAX = 32 * 1024,
};

struct pace {
	unsigned queue_length; /* 0: unknown, never wait */
	uint64_t since_ms;     /* the rate is measured since then */
	uint64_t just_now;     /* since the last wait */
	uint64_t count;
	uint64_t bytes;
	uint64_t per_s; /* as measured before */
	uint64_t bytes_per_s;
};

/* So many were received just now, all that there were, of so many bytes
 * together. */
void pace_received(struct pace *, uint64_t messages, uint64_t bytes);

/* For how long not to look; 0: until there is something. */
uint64_t pace_wait_ms(struct pace *, uint64_t now_ms);

#endif
