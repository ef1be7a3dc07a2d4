/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog - notices in the intake thread that the pipeline thread works on one
 * message for longer than Hook_Timeout, or that an output has not answered for
 * two seconds.
 *
 * Nothing in this process can end a C function that never returns.  So if a
 * message takes too long, the watchdog asks the supervisor to replace the
 * worker.  An output counts as blocked until it answers: another worker could
 * not write either.
 *
 * Time is counted in ticks of the loop: if the whole process stood still
 * meanwhile, that counts as one tick.  The time in which the pipeline thread
 * waits for a CPU does not count for a message.  Otherwise, under a low CPU
 * limit, Hook_Timeout would expire before the hook has used its own limit of
 * CPU time.  Two workers would be replaced, although the hook would only have
 * failed with an error. */
#ifndef PROCESS_WATCHDOG_H
#define PROCESS_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/log.h"

struct pipeline;

struct watchdog_opts {
	uv_loop_t *loop;
	struct pipeline *pipeline; /* borrowed */
	double timeout_s;	   /* of a message; 0: never */
	int channel;		   /* STUCK is sent there; -1: none */
	void (*on_alone)(void *);  /* without a supervisor */
	void *data;
};

struct watchdog {
	struct watchdog_opts opts;
	/* The caller closes the timers with its loop. */
	uv_timer_t timer;
	uint64_t work;	     /* of the pipeline at the last tick */
	int64_t spent_ns;    /* on that work */
	int64_t cpu_wait_ns; /* of the pipeline at the last tick */
	uv_timer_t output_timer;
	uint64_t output_work;  /* of the pipeline at the last tick */
	unsigned output_ticks; /* in a row with that work */
	const char *output;    /* has not answered for OUTPUT_TICKS */
	struct log_rate silent_rate, answered_rate;
};

/* Begin to watch, in storage of the caller. */
void watchdog_start(struct watchdog *, const struct watchdog_opts *);

/* Whether the pipeline still works on the message that took too long. */
bool watchdog_is_stuck(const struct watchdog *);

#endif
