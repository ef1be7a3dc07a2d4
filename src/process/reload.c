/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "process/supervisor_state.h"

/* Whether the worker can still do its work, although endpoints were opened and
 * closed for the next one. */
static bool has_its_sockets(const struct supervisor *s)
{
	for (uint32_t i = 0; i < s->worker.specs.socket_count; i++)
		if (!endpoints_have(&s->endpoints, s->worker.sockets[i]))
			return false;
	return true;
}

/* The worker was perhaps asked to leave for a next one, which is dead now.
 * Returns what happens to it. */
static const char *keep_worker(struct supervisor *s)
{
	struct err e;
	if (!s->worker.is_leaving && !s->is_cancelling)
		return "the old configuration stays in force";
	if (s->worker.is_stuck || !has_its_sockets(s))
		return "replacing the old worker";
	/* Close the endpoints that only the next worker needed. */
	s->endpoints.has_no_reader = true;
	if (!endpoints_set_or_keep(&s->endpoints, &s->worker.specs, &e))
		log_line(LOG_ERROR, "supervisor", "err=\"%s\"", e.text);
	if (!s->worker.is_leaving)
		return "the old configuration stays in force";
	worker_cancel_leave(s);
	return "asking the old worker to stay";
}

void reload_cancel(struct supervisor *s)
{
	if (s->is_cancelling || s->worker.is_stuck || !has_its_sockets(s))
		return;
	s->is_cancelling = true;
	worker_cancel_leave(s);
}

/* What the operator must do if the new worker found the configuration bad: the
 * supervisor keeps no copy of the files that are in force. */
#define CORRECT                                                                \
	"; correct the configuration, because if this worker dies or sluiced " \
	"is restarted, the next worker reads it and fails"

void reload_failed(struct supervisor *s, const char *why, bool is_conf_bad)
{
	bool is_stopping = s->state == STOPPING;
	s->worker_counts.reloads_failed++;
	log_line(LOG_ERROR, "supervisor",
		 "reload=failed err=\"%s\" action=\"%s%s\"",
		 is_stopping ? "sluiced is stopping" : why,
		 is_stopping ? "stopping the old worker" : keep_worker(s),
		 is_conf_bad && !is_stopping ? CORRECT : "");
	s->is_cancelling = false;
	reload_pace_end(&s->reload_pace, clock_mono_ns());
	worker_send(s, CHANNEL_COUNTS);
	reload_begin_held(s);
}

bool reload_begin(struct supervisor *s, enum reload_cause cause)
{
	const char *why = s->state == STOPPING	 ? "sluiced is stopping"
			  : s->state == STARTING ? "no worker is ready yet"
			  : s->next.pid != 0	 ? "a reload is under way"
			  : s->worker.pid == 0
				  ? "no worker is running; the next "
				    "one reads the configuration"
				  : NULL;
	if (why != NULL) {
		/* A client of the HTTP port may ask again and again. */
		log_rated(&s->refused_rate, LOG_WARN, "supervisor",
			  "reload=refused err=\"%s\"", why);
		return false;
	}
	log_line(LOG_INFO, "supervisor", "reload=started");
	s->is_reload_held = false;
	reload_pace_begin(&s->reload_pace, cause == RELOAD_BY_HTTP,
			  clock_mono_ns());
	if (!child_spawn(s, &s->next, cause == RELOAD_BY_SUPERVISOR))
		reload_failed(s, "the new worker could not start", false);
	else
		s->next.keeps_sockets = cause == RELOAD_BY_SUPERVISOR;
	return true;
}

void reload_signalled(struct supervisor *s)
{
	bool is_starting = s->state == STARTING;
	if (!is_starting && !(s->state == RUNNING && s->next.pid != 0)) {
		(void)reload_begin(s, RELOAD_BY_SIGNAL);
		return;
	}
	if (!s->is_reload_held)
		log_line(LOG_INFO, "supervisor", "reload=held until=\"%s\"",
			 is_starting ? "the first worker is ready"
				     : "the reload under way ends");
	s->is_reload_held = true;
}

void reload_begin_held(struct supervisor *s)
{
	if (s->is_reload_held && s->state == RUNNING && s->next.pid == 0 &&
	    s->worker.pid != 0)
		(void)reload_begin(s, RELOAD_BY_SIGNAL);
}

void reload_requested(struct supervisor *s)
{
	bool is_possible = s->state == RUNNING && s->next.pid == 0;
	if (is_possible && clock_mono_ns() < s->reload_pace.from_ns)
		worker_send(s, CHANNEL_TOO_SOON);
	else if (!reload_begin(s, RELOAD_BY_HTTP))
		worker_send(s, CHANNEL_REFUSED);
}

void reload_take_over(struct supervisor *s)
{
	s->worker = s->next;
	kept_change(s, s->worker.limits.journal_path);
	spills_left_add(&s->spills_left, s->limits.journal_path,
			s->worker.limits.journal_path);
	s->limits = s->worker.limits;
	s->next = (struct child){0};
	s->is_cancelling = false;
	reload_pace_go(&s->reload_pace, clock_mono_ns());
	s->worker_counts.reloads_done++;
	log_line(LOG_INFO, "supervisor", "reload=done worker=%d",
		 (int)s->worker.pid);
	child_go(s, &s->worker);
}

void reload_hand_over(struct supervisor *s)
{
	struct err e;
	/* One socket that cannot be opened must not keep a lost one, or a
	 * removed journal, from being made again. */
	bool is_set =
		s->next.keeps_sockets
			? endpoints_set_or_keep(&s->endpoints, &s->next.specs,
						&e)
			: endpoints_set(&s->endpoints, &s->next.specs, &e);
	if (!is_set) {
		kill(s->next.pid, SIGKILL);
		s->next.is_refused = true;
		s->next.is_ready = false; /* it must not take over */
		log_line(LOG_ERROR, "supervisor", "err=\"%s\"", e.text);
		return; /* its death is counted as the failed reload */
	}
	if (s->worker.pid == 0) {
		s->restart_ns = 0;
		reload_take_over(s);
		return;
	}
	worker_leave(s, LEAVE_MS);
}
