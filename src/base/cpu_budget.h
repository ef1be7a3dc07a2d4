/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_budget - how much CPU the clients of a service may make the receiving
 * thread use.
 *
 * Anyone who reaches the HTTP port can send requests without a pause; anyone
 * who reaches a stream input can connect and disconnect without a pause, or
 * send single bytes.  Without a budget, this would use up the CPU limit of the
 * container.  The kernel would then stop all threads, and datagrams would be
 * lost.
 *
 * This is a token bucket of CPU time.  It fills with CPU_BUDGET_RATE of the CPU
 * limit, or of one CPU if that is less.  It holds what arrives in
 * CPU_BUDGET_BURST_NS, and all CPU that the service uses is taken from it.  If
 * it is overdrawn, the service pauses until it is paid back:
 *
 *     level  ---.   .----            no flood: a probe, a scrape, no pause
 *     0 .........`-'.............
 *     level  ---.     .   .   .
 *     0 .........`.../`../`../...    flood: each round is followed by a pause
 *
 * A pause is at most CPU_BUDGET_PAUSE_MAX_NS, so that a probe, which has one
 * second by default, gets its answer in time.  The rest of the debt is
 * forgotten.  So a service exceeds the budget if one round of its work costs
 * more than the longest pause pays back.
 *
 * Reading streams beside datagrams gets CPU_BUDGET_READING_SHARE.  That is
 * enough for more messages than the pipeline can process with the rest, so it
 * slows down only senders that waste CPU. */
#ifndef BASE_CPU_BUDGET_H
#define BASE_CPU_BUDGET_H

#include <stdint.h>

#include "base/clock.h"
#include "base/cpu_limit.h"

#define CPU_BUDGET_RATE 0.2
#define CPU_BUDGET_READING_SHARE 0.5
#define CPU_BUDGET_BURST_NS (100 * NS_PER_MS)
#define CPU_BUDGET_PAUSE_MAX_NS (250 * NS_PER_MS)

struct cpu_budget { /* zero-initialised: full, and there is no CPU limit */
	/* If not 0, the bucket fills with this share of the CPU limit, even if
	 * that is more than one CPU, and without a limit there is no pause. */
	double share;
	struct cpu_limit limit;
	int64_t limit_read_ns; /* clock_mono_ns; 0: never */
	double level_ns;       /* CPU time that may be used */
	int64_t at_ns;	       /* clock_mono_ns of the last call */
};

/* Read the CPU limit, which can change, unless that was done in the last
 * 100 ms. */
void cpu_budget_read_limit(struct cpu_budget *, int64_t now_ns);

/* The service has just used `used_ns` of CPU time.  For how long must it pause
 * now, in nanoseconds?  `now_ns` is clock_mono_ns. */
int64_t cpu_budget_pause_ns(struct cpu_budget *, int64_t now_ns,
			    int64_t used_ns);

#endif
