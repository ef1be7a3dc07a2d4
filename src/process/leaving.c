/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path: the receiver hands its connections over, the pipeline
 * finishes its batch if it can, and the process ends.
 *
 * Failure modes:
 *  - the next worker cannot read the journal, and the output is blocked: the
 *    worker does not leave for a reload, but sends STAY until it can;
 *  - the pipeline does not end: for a reload, the supervisor kills the worker;
 *    without a supervisor, the timer of Grace ends the worker. */
#include <unistd.h>

#include "base/log.h"
#include "intake/receiver.h"
#include "pipeline/pipeline.h"
#include "process/worker_state.h"
#include "setup/settings.h"

enum { STAY_TICK_MS = 250 };

static bool is_blocked(struct worker *w)
{
	bool blocked = pipeline_view_begin(w->pipeline)->is_blocked;
	pipeline_view_end(w->pipeline);
	return blocked;
}

/* Whether nobody else will process the messages of the journal: it is in
 * memory, or the reload changes storage.path. */
static bool must_empty_journal(const struct worker *w)
{
	return w->settings->storage_in_memory || w->is_journal_left;
}

/* `kept_by_next` is NULL if there is no next worker. */
static void leave(struct worker *w, const char *why, const bool *kept_by_next)
{
	if (w->state == FINISHING || w->state == LEAVING)
		return;
	log_line(LOG_INFO, "worker", "state=leaving reason=\"%s\"", why);
	w->state = LEAVING;
	uv_timer_stop(&w->idle_timer);
	uv_timer_stop(&w->grace_timer);
	receiver_leave(w->receiver, kept_by_next);
	if (must_empty_journal(w))
		pipeline_finish(w->pipeline);
	else
		pipeline_leave(w->pipeline);
}

void leave_orphaned(struct worker *w)
{
	uv_poll_stop(&w->channel);
	leave(w, "the supervisor is gone", NULL);
	worker_reload_ended(w, RELOAD_FAILED);
	if (w->state == LEAVING)
		uv_timer_start(&w->grace_timer, worker_on_grace_over,
			       worker_grace_ms(w), 0);
}

_Noreturn void leave_stuck(void *data)
{
	struct worker *w = data;
	if (w->state == RUNNING || w->state == DRAINING)
		receiver_leave(w->receiver, w->kept_by_next);
	log_line(LOG_ERROR, "worker",
		 "state=stuck action=\"exiting; a journal in a file keeps its "
		 "messages\"");
	_exit(EXIT_CODE_SYSTEM);
}

static void make_way(struct worker *w)
{
	bool has_left = w->state == FINISHING || w->state == LEAVING;
	leave(w, w->is_reload ? "reload" : "another worker takes over",
	      w->kept_by_next);
	if (has_left || !w->is_reload)
		return;
	w->worker_counts.reloads_done++;
	worker_reload_ended(w, RELOAD_DONE);
}

static void on_stay_tick(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	struct channel_message m = {.kind = CHANNEL_STAY};
	if (w->state != RUNNING && w->state != LEAVING)
		return;
	if (is_blocked(w)) {
		if (!channel_send(w->opts->channel, &m))
			uv_timer_stop(timer);
	} else if (w->state == RUNNING) {
		make_way(w);
		uv_timer_again(timer);
	}
}

/* If the journal must be empty while the disk rejects writes, the worker still
 * receives and must not be killed. */
void leave_for_next(struct worker *w)
{
	bool must_stay = must_empty_journal(w) && is_blocked(w);
	if (must_stay && w->state == RUNNING)
		log_line(LOG_WARN, "worker",
			 "reload=waiting err=\"output blocked, and the %s\" "
			 "action=\"the reload continues when the output "
			 "accepts lines\"",
			 w->settings->storage_in_memory
				 ? "journal is in memory"
				 : "new configuration has another journal");
	else
		make_way(w);
	bool is_going = w->state == RUNNING || w->state == LEAVING;
	if (must_empty_journal(w) && is_going)
		uv_timer_start(&w->idle_timer, on_stay_tick, 0, STAY_TICK_MS);
}
