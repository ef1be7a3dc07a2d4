/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog - notices in the intake thread that the pipeline thread works on one
 * message for longer than Hook_Timeout.
 *
 * Nothing in this process can end an endless call of C, so the supervisor is
 * asked to replace the worker.  Time is counted in ticks of the loop: if the
 * whole process stood still meanwhile, that counts as one tick. */
#ifndef PROCESS_WATCHDOG_H
#define PROCESS_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct pipeline;

struct watchdog_opts {
	uv_loop_t *loop;
	const struct pipeline *pipeline; /* borrowed */
	double timeout_s;		 /* 0: never */
	int channel;			 /* STUCK is sent there; -1: none */
	void (*on_alone)(void *);	 /* without a supervisor */
	void *data;
};

struct watchdog {
	struct watchdog_opts opts;
	uv_timer_t timer; /* the caller closes it with its loop */
	uint64_t work;	  /* of the pipeline at the last tick */
	unsigned ticks;	  /* in a row with that work */
};

/* Begin to watch, in storage of the caller. */
void watchdog_start(struct watchdog *, const struct watchdog_opts *);

/* Whether the pipeline still works on the message that took too long. */
bool watchdog_is_stuck(const struct watchdog *);

#endif
