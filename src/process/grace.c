/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path: the pipeline ends, and on_finished stops the timer.
 *
 *     Grace ... one more attempt to write ... WRITE_MS ... DEADLINE_MS
 *
 * After WRITE_MS, the pipeline leaves the rest in the journal, if the journal
 * has a file.  If it does not end at all, on_deadline ends the process. */
#include <unistd.h>

#include "base/log.h"
#include "pipeline/pipeline.h"
#include "process/worker_state.h"
#include "setup/assemble.h"

enum {
	/* How long after Grace the process ends; the supervisor would kill it
	 * a little later (STOP_MARGIN_MS). */
	DEADLINE_MS = 4000,
	WRITE_MS = 2000, /* how long after Grace a slow disk is written to */
	STALL_MS = 1000,
	AFTER_STALL_MS = 200,
};

static void start_grace_timer(struct worker *w, uv_timer_cb callback,
			      uint64_t ms)
{
	w->grace_due_ms = uv_now(&w->loop) + ms;
	uv_timer_start(&w->grace_timer, callback, ms, 0);
}

/* A timer that fires very late shows that nothing could run, for example
 * because the container was frozen.  Let the pipeline run for a moment. */
static bool was_stalled(struct worker *w, uv_timer_cb callback)
{
	if (uv_now(&w->loop) < w->grace_due_ms + STALL_MS)
		return false;
	start_grace_timer(w, callback, AFTER_STALL_MS);
	return true;
}

/* Nothing in this process can end an endless call of a C library, or a write to
 * a hanging disk.  A journal in a file keeps the unwritten messages. */
static void on_deadline(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	if (was_stalled(w, on_deadline))
		return;
	log_line(LOG_ERROR, "worker",
		 "err=\"the pipeline does not end: a hook or a disk hangs\" "
		 "action=\"exiting; a journal in a file keeps its "
		 "messages\"");
	status_log_final_counts(w->status);
	leave_save_journal(w);
	_exit(EXIT_CODE_SYSTEM);
}

static void on_time_up(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	if (was_stalled(w, on_time_up))
		return;
	if (w->opts->assembly->journal_path != NULL) {
		atomic_store(&w->opts->assembly->is_time_up, true);
		log_line(LOG_WARN, "worker",
			 "err=\"Grace is over, and not everything is written\" "
			 "action=\"leaving the rest in the journal\"");
		pipeline_stop_retrying(w->pipeline); /* ends the batch */
	}
	start_grace_timer(w, on_deadline, DEADLINE_MS - WRITE_MS);
}

void worker_on_grace_over(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	log_line(LOG_WARN, "worker",
		 "err=\"Grace is over\" state=%s "
		 "action=\"one more attempt to write\"",
		 w->state == DRAINING  ? "draining"
		 : w->state == LEAVING ? "leaving"
				       : "finishing");
	if (w->state == DRAINING)
		worker_finish(w);
	pipeline_stop_retrying(w->pipeline);
	hold_grace_over(w);
	start_grace_timer(w, on_time_up, WRITE_MS);
}
