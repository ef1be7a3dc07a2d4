/* SPDX-License-Identifier: Apache-2.0 */
/* pace - how long to let datagrams gather in a socket's queue.
 *
 * Waking up for each datagram costs more than receiving it.  While
 * datagrams arrive steadily, the receiver sleeps for the time in which, at the
 * measured rate, a sixteenth of the queue fills, but at most PACE_WAIT_MAX_US.
 * At other times it waits for the next datagram.  So at least 15 of 16 places
 * are free for a burst, and the receiver never sleeps for a queue as short as a
 * pod's default (10).
 *
 * The queue is not the only limit.  The datagrams of one sender may take
 * 212,992 bytes of the kernel's memory (net.core.wmem_default).  A line of
 * 1,000 bytes takes 2,304 bytes there, so about 90 lines of an nginx worker
 * fit, or half as many lines of 2 kB.  Therefore at most PACE_GATHER_MAX
 * datagrams and PACE_GATHER_BYTES_MAX bytes gather: half of that limit, even if
 * one worker sent all of them.  During the longest sleep, 2 ms, the kernel
 * would refuse a datagram only if one worker wrote a line every 22 us, which is
 * less than it takes to proxy a request.
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
	unsigned queue_length; /* 0: unknown, never sleep */
	int64_t since_ns;      /* when the current measurement began */
	uint64_t just_now;     /* datagrams since the last pace_wait_us */
	uint64_t count;
	uint64_t bytes;
	uint64_t per_s; /* by the previous measurement */
	uint64_t bytes_per_s;
};

/* Report that all waiting datagrams were received: `messages` of them, with
 * `bytes` bytes together. */
void pace_received(struct pace *, uint64_t messages, uint64_t bytes);

/* Whether the queue is so short that the receiver must never sleep, not even
 * for the sake of other inputs. */
bool pace_forbids(const struct pace *);

/* How long to sleep; 0: wait for the next datagram.  now_ns is clock_mono_ns.
 */
uint64_t pace_wait_us(struct pace *, int64_t now_ns);

#endif
