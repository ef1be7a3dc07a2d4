/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_share - how much of a CPU limit the pipeline may use, so that receiving
 * always has CPU left.
 *
 * When a container has used up its limit, the kernel stops all its threads
 * until the period ends.  With 150m, it runs for 15 ms of every 100 ms, and
 * nobody reads the socket for the other 85.  At 20,000 lines per second, a
 * queue of 512 is full after 25 ms.  Received messages are safe in the journal,
 * so the pipeline pauses before the limit is used up and continues a little
 * later:
 *
 *     without  |#####...............|#####...............|  # all threads run
 *     with     |#_#__#_#__#_#_#__#_#|_#__#_#_#__#_#__#_#_|  _ receiving runs
 *
 * This is a token bucket of CPU time.  It fills with CPU_SHARE_RATE of the
 * limit, holds CPU_SHARE_BURST of the limit at most, and all CPU that the
 * process uses is taken from it.  Within any period the process therefore uses
 * at most RATE + BURST of the limit, plus the CPU that the pipeline uses
 * between two calls, unless receiving alone needs more.  The rest is left for
 * other processes of the container, such as a health check.
 *
 * Without a limit, or with enough CPU for both threads, the pipeline never
 * pauses. */
#ifndef PIPELINE_CPU_SHARE_H
#define PIPELINE_CPU_SHARE_H

#include <stdint.h>

#include "base/clock.h"
#include "base/cpu_limit.h"

#define CPU_SHARE_RATE 0.92
#define CPU_SHARE_BURST 0.03

/* Reading the CPU clock costs as much as a tenth of a message.  So it is read
 * once in this many messages, or more often if messages are expensive, as with
 * a slow hook. */
enum { CPU_SHARE_MESSAGES_MAX = 64 };

/* A hook may also wait, without CPU time.  So at most this time, or one
 * message, passes between two readings of the clocks. */
#define CPU_SHARE_INTERVAL_NS (200 * NS_PER_MS)

struct cpu_share {
	struct cpu_limit limit;
	int64_t limit_read_ns; /* clock_mono_ns; 0: never */
	double level_ns;   /* CPU time that may be used; negative: overdrawn */
	int64_t at_ns;	   /* clock_mono_ns at the last call */
	int64_t used_ns;   /* clock_cpu_ns at the last call */
	unsigned messages; /* until the next call; set by each call */
	unsigned interval; /* the last result of cpu_share_messages */
};

/* Read the CPU limit, unless that was done in the last ten seconds.  A pod may
 * be resized while it runs. */
void cpu_share_read_limit(struct cpu_share *, int64_t now_ns);

/* For how long to pause now, in nanoseconds.  `now_ns` is clock_mono_ns,
 * `used_ns` is clock_cpu_ns. */
int64_t cpu_share_pause_ns(struct cpu_share *, int64_t now_ns, int64_t used_ns);

/* How many messages to process until the next call of cpu_share_pause_ns, at
 * least 1.  `busy_ns` is how long the messages since the last call took. */
unsigned cpu_share_messages(struct cpu_share *, int64_t busy_ns);

#endif
