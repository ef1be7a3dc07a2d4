/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_share - how much of a CPU limit the pipeline may use, so that receiving
 * always goes on.
 *
 * When a container has used up its limit the kernel stops all its threads
 * until the period ends: of 150m it may run 15 ms of every 100, and then the
 * socket is left alone for 85.  A queue of 512 is full after 25 of them at
 * 20,000 lines a second.  What is received is safe in the journal, so the
 * pipeline stops by itself before that happens, and goes on a little later:
 *
 *     without  |#####...............|#####...............|  # all threads run
 *     with     |#_#__#_#__#_#_#__#_#|_#__#_#_#__#_#__#_#_|  _ receiving goes on
 *
 * A bucket of CPU time: it fills with RATE of the limit, holds BURST of it,
 * and everything that the process uses comes out of it.  So within any period,
 * wherever it begins, that is at most RATE + BURST and what the pipeline uses
 * between two looks, as long as receiving alone needs no more.  Somebody else
 * in the container (a health check) has the rest.
 *
 * There is no limit, or there are CPUs for both threads: never a rest. */
#ifndef PIPELINE_CPU_SHARE_H
#define PIPELINE_CPU_SHARE_H

#include <stdint.h>

#include "base/cpu_limit.h"

#define CPU_SHARE_RATE 0.92
#define CPU_SHARE_BURST 0.03

/* A look costs as much as a tenth of a message: one after so many, or earlier
 * when they are dear, as with a slow hook. */
enum { CPU_SHARE_MESSAGES_MAX = 64 };

struct cpu_share {
	struct cpu_limit limit;
	double level_ns; /* may be used now; less than 0: was too much */
	int64_t at_ns;
	int64_t used_ns;
	unsigned messages; /* until the next look; set by each */
};

/* For how long to rest now, given clock_mono_ns and clock_cpu_ns. */
int64_t cpu_share_rest_ns(struct cpu_share *, int64_t now_ns, int64_t used_ns);

#endif
