/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "process/journal_left.h"
#include "process/supervisor_state.h"

void reload_failed(struct supervisor *s, const char *why)
{
	s->worker_counts.reloads_failed++;
	log_line(LOG_ERROR, "supervisor",
		 "reload=failed err=\"%s\" "
		 "action=\"the old configuration stays in force\"",
		 why);
	worker_send(s, CHANNEL_COUNTS);
}

bool reload_begin(struct supervisor *s)
{
	if (s->state != RUNNING || s->next.pid != 0 || s->worker.pid == 0) {
		const char *why = s->state == STOPPING ? "sluiced is stopping"
				  : s->next.pid != 0   ? "a reload is under way"
						       : "no worker is running";
		/* A client of the HTTP port may ask again and again. */
		log_rated(&s->refused_rate, LOG_WARN, "supervisor",
			  "reload=refused err=\"%s\"", why);
		return false;
	}
	log_line(LOG_INFO, "supervisor", "reload=started");
	if (!child_spawn(s, &s->next))
		reload_failed(s, "the new worker could not start");
	return true;
}

void reload_take_over(struct supervisor *s)
{
	s->worker = s->next;
	journal_left_report(s->limits.journal_path,
			    s->worker.limits.journal_path);
	s->limits = s->worker.limits;
	s->next = (struct child){0};
	s->worker_counts.reloads_done++;
	log_line(LOG_INFO, "supervisor", "reload=done worker=%d",
		 (int)s->worker.pid);
	child_go(s, &s->worker, 0);
}

void reload_hand_over(struct supervisor *s)
{
	struct err e;
	if (!endpoints_set(&s->endpoints, &s->next.specs, &e)) {
		kill(s->next.pid, SIGKILL);
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
