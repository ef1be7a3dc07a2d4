/* SPDX-License-Identifier: Apache-2.0 */
/* worker_state - struct worker, for the files of the worker only.
 *
 *     worker.c    starts, stops, reacts to events
 *     grace.c     ends a stop when Grace is over
 *     messages.c  talks to the supervisor
 *     leaving.c   makes way for the next worker
 *     hold.c      does not write while a dead worker may still write */
#ifndef PROCESS_WORKER_STATE_H
#define PROCESS_WORKER_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/log.h"
#include "intake/endpoints.h"
#include "process/readiness.h"
#include "process/watchdog.h"
#include "process/worker.h"
#include "status/status.h"

struct settings;

enum { SIGNALS = 5 }; /* that the worker handles */

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
	/* The supervisor is gone, and the journal's file was removed before. */
	bool is_journal_removed;
	/* LEAVE came, and the worker leaves when the pipeline has finished its
	 * batch and, if nobody else will read its journal, the journal is
	 * almost empty.  The pipeline thread reads this. */
	atomic_bool waits_to_leave;
	bool has_logged_waiting;
	bool is_held;	       /* until WRITE comes, the pipeline pauses */
	bool has_received_all; /* the pipeline may finish */
	bool is_grace_over;
	/* The supervisor refuses reloads over HTTP before this time
	 * (clock_mono_ns). */
	int64_t reload_from_ns;
	struct log_rate too_soon_rate;
	uint64_t stay_work;    /* of the pipeline at the last STAY */
	uint64_t stay_batches; /* of the pipeline at the last STAY */
	uv_poll_t channel;
	uv_timer_t idle_timer; /* ticks while draining or leaving */
	unsigned idle_ticks;   /* in a row without a datagram */
	uint64_t arrivals;     /* at the last tick */
	uv_timer_t grace_timer;
	uint64_t grace_due_ms; /* after Grace: when that timer fires */
	uv_timer_t health_timer;
	struct watchdog watchdog;
	uv_async_t progress; /* of the pipeline, while waits_to_leave */
	uv_async_t finished;
	struct readiness readiness;
	uv_signal_t signals[SIGNALS];
};

/* Grace. */
int64_t worker_grace_ms(const struct worker *);

/* Refuse senders, receive what the kernel still holds, write everything. */
void worker_finish(struct worker *);

/* sluiced stops: drain for at most this time, write everything and end.  A
 * worker that is leaving ends within it. */
void worker_stop(struct worker *, int64_t grace_ms);

/* --- grace.c */

/* The timer of Grace has expired: one more attempt to write, then the end. */
void worker_on_grace_over(uv_timer_t *);

/* --- messages.c */

/* The worker has opened its journal and changed no message in it: pass the file
 * to the supervisor, if there is one. */
void worker_pass_on_journal(struct worker *);

/* Receive the supervisor's messages, if there is one, and tell it that the
 * worker works. */
void worker_watch_channel(struct worker *);

/* Ask the supervisor for a reload, for a client of the HTTP port or, without a
 * supervisor, because of SIGHUP.  RELOAD_PENDING: worker_reload_ended is called
 * later. */
enum reload_outcome worker_request_reload(void *worker);

/* The worker leaves: tell the supervisor how many requests it has refused. */
void worker_report_too_soon(struct worker *);

/* Somebody sent a signal to stop or SIGHUP to this process, which has a
 * supervisor: pass it on.  If the supervisor is gone, the worker leaves anyway
 * (leave_orphaned). */
void worker_pass_on_signal(struct worker *, int signum);

/* Answer a reload that was requested over HTTP. */
void worker_reload_ended(struct worker *, enum reload_outcome);

/* --- hold.c */

/* End a pause of the pipeline, unless the worker is held. */
void hold_resume_pipeline(struct worker *);

/* All that was sent is in the journal: write it and end.  While the worker is
 * held, this waits for WRITE or for the end of Grace. */
void hold_finish_pipeline(struct worker *);

/* Grace is over: if the worker is held, leave the messages in the journal. */
void hold_grace_over(struct worker *);

/* WRITE has come: the worker is no longer held. */
void hold_end(struct worker *);

/* --- leaving.c */

/* Another worker takes over: continue to receive until the pipeline has
 * finished its batch, then hand over and leave. */
void leave_for_next(struct worker *);

/* A worker that is leaving ends within this time. */
void leave_within(struct worker *, int64_t grace_ms);

/* The pipeline has made progress or pauses: leave if the worker has waited for
 * that. */
void leave_if_possible(struct worker *);

/* No worker takes over: stay, and tell the supervisor so.  Nothing happens if
 * the worker is already leaving. */
void leave_cancel(struct worker *);

/* The supervisor is gone: leave.  If the journal's file was removed, no other
 * process can read it, so write all of it first.  The process ends at most
 * DEADLINE_MS after Grace. */
void leave_orphaned(struct worker *);

/* The process ends: if messages are left in a journal that was removed, copy it
 * to its place, or log how many are lost. */
void leave_save_journal(struct worker *);

/* For the watchdog: hand connections over and end at once. */
_Noreturn void leave_stuck(void *worker);

#endif
