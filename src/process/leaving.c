/* SPDX-License-Identifier: Apache-2.0 */
/* The usual case:
 *  1. LEAVE arrives.  The worker asks the pipeline to pause after its current
 *     batch.  The receiver continues until then, because no other process
 *     receives.
 *  2. The pipeline pauses.  The receiver hands its connections over, and the
 *     process ends without another write.
 *
 * If the next worker cannot read the journal, this worker must write all of it.
 * So it continues to receive until so few messages are left that the kernel can
 * hold what arrives while the pipeline writes them.
 *
 * A worker that waits for longer than a second sends STAY, so that the
 * supervisor does not kill it.
 *
 * Failure modes:
 *  - an output or a hook hangs: the worker receives and sends STAY without
 *    progress.  After Reload_Timeout, CANCEL arrives;
 *  - the output is blocked, or the pipeline is slow, while the journal must be
 *    emptied: the worker continues to send STAY;
 *  - lines wait in memory for a file that cannot be written, and cannot be
 *    spilled: no other worker can write them.  The worker continues to send
 *    STAY until it has written them;
 *  - more messages arrive than the pipeline can write: the worker stays;
 *  - the pipeline does not end in step 2: the supervisor kills the worker;
 *    without a supervisor, the timer of Grace ends the worker;
 *  - the next worker dies, or sluiced is stopped: CANCEL arrives;
 *  - the supervisor is killed after somebody has removed the journal's file:
 *    the worker writes all messages within Grace, and copies the rest. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "intake/pace.h"
#include "intake/receiver.h"
#include "journal/journal.h"
#include "journal/journal_file.h"
#include "pipeline/pipeline.h"
#include "process/journal_left.h"
#include "process/worker_state.h"
#include "setup/assemble.h"
#include "setup/settings.h"

enum {
	STAY_FIRST_MS = 1000, /* after LEAVE */
	STAY_TICK_MS = 250,
};

/* What the pipeline has published last. */
struct backlog {
	uint64_t messages;  /* in the journal, and in no batch yet */
	uint64_t unwritten; /* in the journal, not committed */
	/* Waiting in memory for their files, and no longer in the journal. */
	uint64_t unsaved_lines, unsaved_messages;
	uint64_t batches;
	bool is_blocked;
	bool is_hanging; /* then it is blocked, too */
};

static struct backlog backlog_of(struct worker *w)
{
	uint64_t appended = journal_stats(w->journal)->appended_total;
	const struct pipeline_view *v = pipeline_view_begin(w->pipeline);
	struct backlog b = {
		.messages = appended - v->totals.taken,
		.unwritten = appended - v->committed,
		.unsaved_lines = v->unsaved_lines,
		.unsaved_messages = v->unsaved_messages,
		.batches = v->totals.batches,
		.is_blocked = v->is_blocked,
		.is_hanging = v->is_hanging,
	};
	pipeline_view_end(w->pipeline);
	return b;
}

/* The messages that are lost if the journal is in memory and this process
 * ends. */
static uint64_t queued_of(struct worker *w)
{
	struct backlog b = backlog_of(w);
	return b.unwritten + b.unsaved_messages;
}

/* Whether nobody else will process the messages of the journal: it is in
 * memory, the next worker has another journal, or its file was removed. */
static bool must_empty_journal(const struct worker *w)
{
	return w->settings->storage_in_memory || w->is_journal_left ||
	       w->is_journal_removed;
}

/* If the pipeline keeps up with the senders, fewer messages arrive while it
 * writes the backlog than the backlog holds.  So the backlog must not be larger
 * than what the kernel's queue holds, nor than half of what it holds of one
 * sender (intake/pace.h). */
static bool is_almost_empty(const struct worker *w, const struct backlog *b)
{
	uint64_t messages_max = PACE_GATHER_MAX;
	for (uint32_t i = 0; i < w->opts->endpoints->specs.socket_count; i++) {
		unsigned length = w->inputs[i].queue_length;
		if (length > 0 && length < messages_max)
			messages_max = length;
	}
	return b->messages <= messages_max &&
	       journal_pending_bytes(w->journal) <= PACE_GATHER_BYTES_MAX;
}

static void on_stay_tick(uv_timer_t *timer);

/* `kept_by_next` is NULL if there is no next worker. */
static void leave(struct worker *w, const char *why, const bool *kept_by_next)
{
	if (w->state == FINISHING || w->state == LEAVING)
		return;
	log_line(LOG_INFO, "worker", "state=leaving reason=\"%s\"", why);
	w->state = LEAVING;
	worker_report_too_soon(w);
	atomic_store(&w->waits_to_leave, false);
	uv_timer_stop(&w->idle_timer);
	receiver_leave(w->receiver, kept_by_next);
	/* If no worker follows, Grace is the last chance of these lines. */
	bool saves_lines =
		kept_by_next == NULL && backlog_of(w).unsaved_lines > 0;
	if ((must_empty_journal(w) || saves_lines) && !w->is_held) {
		if (kept_by_next != NULL)
			pipeline_finish_for_next(w->pipeline);
		else
			pipeline_finish(w->pipeline);
		uv_timer_start(&w->idle_timer, on_stay_tick, 0, STAY_TICK_MS);
	} else {
		pipeline_leave(w->pipeline);
	}
}

void leave_within(struct worker *w, int64_t grace_ms)
{
	bool has_limit = uv_is_active((uv_handle_t *)&w->grace_timer) != 0;
	if (w->state == LEAVING && !has_limit)
		uv_timer_start(&w->grace_timer, worker_on_grace_over,
			       (uint64_t)grace_ms, 0);
}

static bool was_journal_removed(const struct worker *w)
{
	struct stat st;
	int fd = journal_fd(w->journal);
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0;
}

void leave_orphaned(struct worker *w)
{
	uv_poll_stop(&w->channel);
	w->is_journal_removed = was_journal_removed(w);
	leave(w, "the supervisor is gone", NULL);
	worker_reload_ended(w, RELOAD_FAILED);
	leave_within(w, worker_grace_ms(w));
}

void leave_save_journal(struct worker *w)
{
	const char *path = w->opts->assembly->journal_path;
	char name[64];
	struct err e;
	uint64_t messages;
	if (!w->is_journal_removed)
		return;
	snprintf(name, sizeof name, "/proc/self/fd/%d", journal_fd(w->journal));
	bool is_good = journal_left_count(name, &messages, &e);
	(void)is_good; /* the good messages are counted */
	if (messages == 0)
		return;
	/* The copy stays locked until the process has ended. */
	if (journal_file_copy(path, journal_fd(w->journal), &e) >= 0)
		log_line(LOG_WARN, "worker",
			 "path=%s err=\"the journal's file was removed\" "
			 "queued=%" PRIu64
			 " action=\"made it again with its messages\"",
			 path, messages);
	else
		log_line(LOG_ERROR, "worker",
			 "path=%s err=\"the journal's file was removed, and no "
			 "new one can be made: %s\" lost=%" PRIu64
			 " action=\"the messages in it are lost\"",
			 path, e.text, messages);
}

_Noreturn void leave_stuck(void *data)
{
	struct worker *w = data;
	if (w->state == RUNNING || w->state == DRAINING)
		receiver_leave(w->receiver, w->kept_by_next);
	log_line(LOG_ERROR, "worker",
		 "state=stuck queued=%" PRIu64 " action=\"exiting; %s\"",
		 queued_of(w),
		 w->settings->storage_in_memory
			 ? "the queued messages are lost, because the journal "
			   "is in memory"
			 : "the journal keeps the queued messages");
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

/* The watchdog limits the time that one message may take. */
static bool has_progress(struct worker *w, const struct backlog *b)
{
	const char *filter;
	uint64_t work = pipeline_work(w->pipeline, &filter);
	bool is_watched = work != 0 && w->settings->hook_timeout_s > 0;
	bool has_moved = work != w->stay_work || b->batches != w->stay_batches;
	w->stay_work = work;
	w->stay_batches = b->batches;
	/* A pipeline that retries a write pauses at once. */
	bool is_retrying =
		!b->is_hanging && (b->unsaved_lines > 0 ||
				   (b->is_blocked && must_empty_journal(w)));
	return is_retrying || is_watched || has_moved;
}

static void log_waiting(struct worker *w)
{
	struct backlog b = backlog_of(w);
	uint64_t queued = queued_of(w);
	const char *filter;
	const char *what = w->is_reload ? "reload" : "leave";
	if (b.unsaved_lines > 0 && !b.is_blocked)
		log_line(
			LOG_WARN, "worker",
			"%s=waiting queued=%" PRIu64 " lines_in_memory=%" PRIu64
			" err=\"lines wait in memory for files that cannot be "
			"written\" action=\"receiving and retrying until these "
			"lines are written; make the files writable, because a "
			"stop or a kill loses these lines\"",
			what, queued, b.unsaved_lines);
	else if (must_empty_journal(w) &&
		 (b.is_blocked || !is_almost_empty(w, &b)))
		log_line(b.is_blocked ? LOG_WARN : LOG_INFO, "worker",
			 "%s=waiting queued=%" PRIu64 " err=\"%s%s\" "
			 "action=\"receiving and writing until the journal is "
			 "almost empty\"",
			 what, queued,
			 b.is_blocked ? "output blocked, and " : "",
			 w->settings->storage_in_memory
				 ? "the journal is in memory"
				 : "the next worker has another journal, "
				   "because storage.path was changed or this "
				   "journal's file was renamed or replaced");
	else
		log_line(LOG_WARN, "worker",
			 "%s=waiting queued=%" PRIu64 " err=\"%s\" "
			 "action=\"receiving until the batch is done\"",
			 what, queued,
			 pipeline_work(w->pipeline, &filter) != 0
				 ? "a message is being processed"
				 : "an output is writing");
}

static void on_stay_tick(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	if (w->state != RUNNING && w->state != LEAVING)
		return;
	struct backlog b = backlog_of(w);
	struct channel_message m = {
		.kind = CHANNEL_STAY,
		.has_progress = has_progress(w, &b),
		.is_receiving = w->state == RUNNING,
		.queued = b.unwritten + b.unsaved_messages,
	};
	if (w->state == RUNNING && !w->has_logged_waiting)
		log_waiting(w);
	w->has_logged_waiting = true;
	if (!channel_send(w->opts->channel, &m))
		uv_timer_stop(timer);
	leave_if_possible(w);
}

/* Whether nothing but the current batch keeps the worker from leaving. */
static bool may_leave(struct worker *w)
{
	if (must_empty_journal(w))
		receiver_poll_datagrams(w->receiver);
	struct backlog b = backlog_of(w);
	if (b.unsaved_lines > 0)
		return false;
	return !must_empty_journal(w) ||
	       (!b.is_blocked && is_almost_empty(w, &b));
}

void leave_if_possible(struct worker *w)
{
	if (w->state != RUNNING || !atomic_load(&w->waits_to_leave))
		return;
	if (!may_leave(w)) {
		hold_resume_pipeline(w);
		pipeline_wake(w->pipeline);
	} else if (pipeline_is_paused(w->pipeline)) {
		make_way(w);
	} else {
		pipeline_pause(w->pipeline);
	}
}

void leave_for_next(struct worker *w)
{
	if (w->state != RUNNING) {
		make_way(w);
		return;
	}
	atomic_store(&w->waits_to_leave, true);
	w->has_logged_waiting = false;
	struct backlog b = backlog_of(w);
	(void)has_progress(w, &b); /* the first STAY compares with this */
	uv_timer_start(&w->idle_timer, on_stay_tick, STAY_FIRST_MS,
		       STAY_TICK_MS);
	leave_if_possible(w);
}

void leave_cancel(struct worker *w)
{
	struct channel_message m = {.kind = CHANNEL_CANCELLED};
	if (w->state == LEAVING || w->state == STOPPED)
		return;
	if (w->state == RUNNING)
		uv_timer_stop(&w->idle_timer);
	atomic_store(&w->waits_to_leave, false);
	hold_resume_pipeline(w);
	w->is_journal_left = false;
	log_line(LOG_INFO, "worker",
		 "reload=cancelled action=\"the old configuration stays in "
		 "force\"");
	if (!channel_send(w->opts->channel, &m))
		log_line(LOG_DEBUG, "worker", "err=\"the supervisor is gone\"");
}
