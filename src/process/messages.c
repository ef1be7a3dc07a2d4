/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's end of the channel: see process/channel.h. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "journal/journal.h"
#include "process/channel.h"
#include "process/worker_state.h"
#include "status/http.h"
#include "status/status.h"

static void count_too_soon(struct worker *w)
{
	int64_t left_ns = w->reload_from_ns - clock_mono_ns();
	w->worker_counts.reloads_too_soon++;
	log_rated(
		&w->too_soon_rate, LOG_WARN, "worker",
		"reload=refused err=\"too soon after the last one over HTTP\" "
		"retry_ms=%" PRId64 " action=\"answering 429; SIGHUP still "
		"reloads\"",
		left_ns > 0 ? left_ns / NS_PER_MS : 0);
}

/* A client may ask again and again.  Once the supervisor has said until when it
 * refuses, the worker does not ask it. */
enum reload_outcome worker_request_reload(void *data)
{
	struct worker *w = data;
	struct channel_message m = {.kind = CHANNEL_RELOAD};
	if (w->state == LEAVING)
		return RELOAD_REFUSED;
	if (clock_mono_ns() < w->reload_from_ns) {
		count_too_soon(w);
		return RELOAD_TOO_SOON;
	}
	if (w->opts->channel >= 0 && channel_send(w->opts->channel, &m))
		return RELOAD_PENDING;
	log_line(LOG_WARN, "worker",
		 "reload=refused err=\"there is no supervisor\"");
	return RELOAD_IMPOSSIBLE;
}

void worker_report_too_soon(struct worker *w)
{
	struct channel_message m = {.kind = CHANNEL_TOO_SOON,
				    .worker_counts = w->worker_counts};
	if (w->opts->channel >= 0 && !channel_send(w->opts->channel, &m))
		log_line(LOG_DEBUG, "worker", "err=\"the supervisor is gone\"");
}

void worker_pass_on_signal(struct worker *w, int signum)
{
	struct channel_message m = {.kind = CHANNEL_SIGNAL, .signum = signum};
	if (channel_send(w->opts->channel, &m))
		log_line(LOG_INFO, "worker",
			 "signal=%d action=\"passing it on to the supervisor\"",
			 signum);
	else
		log_line(LOG_WARN, "worker",
			 "signal=%d err=\"the supervisor is gone or does not "
			 "react\" action=ignored",
			 signum);
}

void worker_reload_ended(struct worker *w, enum reload_outcome outcome)
{
	status_reload_ended(w->status, outcome);
	http_resume(w->http);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct worker *w = poll->data;
	struct channel_message m;
	(void)status;
	(void)events;
	if (!channel_receive(w->opts->channel, &m)) {
		leave_orphaned(w);
	} else if (m.kind == CHANNEL_LEAVE) {
		memcpy(w->kept_by_next, m.kept_by_next, sizeof w->kept_by_next);
		if (watchdog_is_stuck(&w->watchdog))
			leave_stuck(w);
		w->is_reload = m.is_reload;
		w->is_journal_left = m.is_journal_left;
		leave_for_next(w);
	} else if (m.kind == CHANNEL_CANCEL) {
		leave_cancel(w);
	} else if (m.kind == CHANNEL_COUNTS) {
		/* A reload has failed.  The supervisor may not know yet that
		 * the outputs are good, and which requests were refused. */
		m.worker_counts.are_outputs_good |=
			w->worker_counts.are_outputs_good;
		m.worker_counts.reloads_too_soon =
			w->worker_counts.reloads_too_soon;
		w->worker_counts = m.worker_counts;
		worker_reload_ended(w, RELOAD_FAILED);
	} else if (m.kind == CHANNEL_STOP) {
		worker_stop(w, m.grace_left_ms);
	} else if (m.kind == CHANNEL_WRITE) {
		hold_end(w);
	} else if (m.kind == CHANNEL_REFUSED) {
		worker_reload_ended(w, RELOAD_REFUSED);
	} else if (m.kind == CHANNEL_TOO_SOON) {
		w->reload_from_ns = m.reload_from_ns;
		count_too_soon(w);
		worker_reload_ended(w, RELOAD_TOO_SOON);
	}
}

void worker_pass_on_journal(struct worker *w)
{
	struct channel_message m = {.kind = CHANNEL_JOURNAL};
	int journal = journal_fd(w->journal);
	if (journal >= 0)
		m.fds[m.fd_count++] = journal;
	if (w->opts->channel >= 0 && !channel_send(w->opts->channel, &m))
		log_line(LOG_DEBUG, "worker", "err=\"the supervisor is gone\"");
}

void worker_watch_channel(struct worker *w)
{
	struct channel_message working = {.kind = CHANNEL_WORKING};
	if (w->opts->channel < 0)
		return;
	CHECK(uv_poll_init(&w->loop, &w->channel, w->opts->channel) == 0);
	w->channel.data = w;
	uv_poll_start(&w->channel, UV_READABLE, on_channel);
	if (!channel_send(w->opts->channel, &working))
		log_line(LOG_DEBUG, "worker", "err=\"the supervisor is gone\"");
}
