/* SPDX-License-Identifier: Apache-2.0 */
/* pace - for how long to let datagrams gather in a socket's queue.
 *
 * To wake for each datagram costs more than the datagram.  While they come
 * steadily, the next look is after a time in which, at the measured rate, a
 * sixteenth of the queue fills, and at most PACE_WAIT_MAX_US; else when there
 * is something.  So at least 15 of 16 places are free for a burst, and a queue
 * as short as a pod's own (10) is never waited for.
 *
 * The queue is not the only bound: what one sender has in flight may take
 * 212,992 bytes of the kernel's memory (net.core.wmem_default), about 90 lines
 * of an nginx worker, 2,304 bytes each; half as many of 2 kB.  So no more than
 * PACE_GATHER_MAX of them are gathered, nor more than PACE_GATHER_BYTES_MAX:
 * half of that, should all be one worker's.  And to be refused within the 2 ms
 * one worker would have to write a line each 22 us, which is less than it
 * takes to proxy a request.
 *
 *     rate, per s    queue 10    queue 512    queue 4096
 *             500    at once     at once      at once     (too few gather)
 *           2,000    at once     2 ms         2 ms
 *          20,000    at once     1.6 ms       2 ms
 *          50,000    at once     0.6 ms       0.9 ms
 *         200,000    at once     0.2 ms       0.2 ms */
#ifndef INTAKE_PACE_H
#define INTAKE_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PACE_WAIT_MAX_US = 2000,
	PACE_GATHER_MIN = 2,
	PACE_GATHER_MAX = 45,
	PACE_GATHER_BYTES_MAX = 45 * 1024,
};

struct pace {
	unsigned queue_length; /* 0: unknown, never wait */
	int64_t since_ns;      /* the rate is measured since then */
	uint64_t just_now;     /* since the last wait */
	uint64_t count;
	uint64_t bytes;
	uint64_t per_s; /* as measured before */
	uint64_t bytes_per_s;
};

/* So many were received just now, all that there were, of so many bytes
 * together. */
void pace_received(struct pace *, uint64_t messages, uint64_t bytes);

/* Whether it is never to be waited for, not even while others are. */
bool pace_forbids(const struct pace *);

/* For how long not to look; 0: until there is something.  By clock_mono_ns. */
uint64_t pace_wait_us(struct pace *, int64_t now_ns);

#endif
