/* SPDX-License-Identifier: Apache-2.0 */
/* status - what a worker reports about itself: HTTP answers and final counts.
 */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "status/metrics.h"
#include "status/worker_counts.h"

struct http_answer;
struct http_request;
struct output_probe;
struct settings;

/* What becomes of a reload that is requested over HTTP. */
enum reload_outcome {
	RELOAD_IMPOSSIBLE, /* Hot_Reload is off, or no supervisor */
	RELOAD_REFUSED,	   /* during a reload, a start or a stop */
	RELOAD_TOO_SOON,   /* after the last one (process/reload_pace.h) */
	RELOAD_PENDING,
	RELOAD_DONE,
	RELOAD_FAILED,
};

/* Where the figures come from; all borrowed. */
struct status_opts {
	const struct settings *settings;
	struct journal *journal;
	struct pipeline *pipeline;
	const struct metrics_input *inputs;
	size_t input_count;
	const struct worker_counts *worker_counts;
	struct output_probe *output_probe; /* NULL: the outputs are good */
	/* Called when a reload is requested over HTTP.  If the result is
	 * RELOAD_PENDING, call status_reload_ended later. */
	enum reload_outcome (*on_reload)(void *);
	/* For RELOAD_TOO_SOON: when the next one is accepted, clock_mono_ns. */
	const int64_t *reload_from_ns;
	void *data;
};

struct status;

/* Never NULL.  *opts is copied.  HC_Period begins now. */
struct status *status_new(const struct status_opts *);

/* NULL is allowed. */
void status_free(struct status *);

/* Health_Check looks back over HC_Period, which is divided into STATUS_STEPS
 * steps.  Call status_tick once every status_tick_ms milliseconds. */
enum { STATUS_STEPS = 60 };
void status_tick(struct status *);
uint64_t status_tick_ms(const struct status *);

/* Set whether the pipeline works on one message for too long.  While it does,
 * the health is bad. */
void status_set_stuck(struct status *, bool is_stuck);

/* The outcome of the reload that was requested over HTTP.  The HTTP request
 * stays pending until http_resume; call it after status_reload_ended. */
void status_reload_ended(struct status *, enum reload_outcome);

/* Answer an HTTP request. */
void status_answer(struct status *, const struct http_request *,
		   struct http_answer *);

/* Log "state=stopped received=... written=...".  The level is error if messages
 * were dropped as write_failed, by this process or an earlier one with the same
 * journal, or if messages or lines are queued and the journal is in memory.  It
 * is warn if they are queued and the journal is in a file; otherwise info. */
void status_log_final_counts(struct status *);

#endif
