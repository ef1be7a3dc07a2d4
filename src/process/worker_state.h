/* SPDX-License-Identifier: Apache-2.0 */
/* worker_state - struct worker, for the files of the worker only.
 *
 *     worker.c   starts, stops, reacts to events
 *     leaving.c  makes way for the next worker */
#ifndef PROCESS_WORKER_STATE_H
#define PROCESS_WORKER_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "intake/endpoints.h"
#include "process/readiness.h"
#include "process/watchdog.h"
#include "process/worker.h"
#include "status/status.h"

struct settings;

enum worker_state { RUNNING, DRAINING, FINISHING, LEAVING, STOPPED };

struct worker {
	const struct worker_opts *opts;
	const struct settings *settings;
	enum worker_state state;
	uv_loop_t loop;
	struct journal *journal;
	struct pipeline *pipeline;
	struct receiver *receiver;
	struct http *http;
	struct status *status;
	struct metrics_input inputs[ENDPOINTS_MAX];
	struct worker_counts worker_counts;
	bool kept_by_next
		[ENDPOINTS_MAX]; /* inputs that the next worker keeps */
	bool is_reload;		 /* LEAVE came because of a reload */
	/* LEAVE came, and the next worker has another journal. */
	bool is_journal_left;
	uv_poll_t channel;
	uv_timer_t idle_timer; /* ticks while draining or waiting to leave */
	unsigned idle_ticks;   /* in a row without a datagram */
	uint64_t arrivals;     /* at the last tick */
	uv_timer_t grace_timer;
	uv_timer_t health_timer;
	struct watchdog watchdog;
	uv_async_t finished;
	struct readiness readiness;
	uv_signal_t signals[4];
};

/* Grace. */
uint64_t worker_grace_ms(const struct worker *);

/* The timer of Grace has expired: one more attempt to write, then the end. */
void worker_on_grace_over(uv_timer_t *);

/* Answer a reload that was requested over HTTP. */
void worker_reload_ended(struct worker *, enum reload_outcome);

/* --- leaving.c */

/* Another worker takes over: hand over and leave. */
void leave_for_next(struct worker *);

/* The supervisor is gone: leave, within Grace and DEADLINE_MS. */
void leave_orphaned(struct worker *);

/* For the watchdog: hand connections over and end at once. */
_Noreturn void leave_stuck(void *worker);

#endif
