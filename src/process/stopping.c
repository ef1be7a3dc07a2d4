/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path: the worker drains, writes everything and exits before this
 * file has anything to do.  Even a worker whose hook or disk hangs ends itself
 * before the deadline.  So this file is for a worker that cannot act: it is
 * stopped by SIGSTOP, dies again and again, or hangs while it exits. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "process/journal_left.h"
#include "process/supervisor_state.h"

enum {
	STOP_MARGIN_MS = 4500, /* after Grace */
	DEATH_MS = 250, /* after SIGKILL; the supervisor then ends anyway */
};

int64_t stopping_deadline_ns(const struct supervisor *s)
{
	if (s->stop_ns == 0)
		return 0;
	return s->stop_ns + (s->limits.grace_ms + STOP_MARGIN_MS) * NS_PER_MS;
}

int64_t stopping_next_ns(const struct supervisor *s)
{
	if (s->killed_ns != 0)
		return s->killed_ns + DEATH_MS * NS_PER_MS;
	return stopping_deadline_ns(s);
}

void stopping_end(struct supervisor *s)
{
	const char *path = s->limits.journal_path;
	struct err e = {0};
	uint64_t messages;
	if (s->state == STARTING)
		log_line(LOG_ERROR, "supervisor",
			 "state=killed err=\"the first worker did not start "
			 "within Grace\"");
	else if (path[0] == '\0')
		log_line(LOG_ERROR, "supervisor",
			 "state=killed err=\"the worker did not end within "
			 "Grace\" action=\"messages in a journal in memory are "
			 "lost\"");
	else if (journal_left_count(path, &messages, &e))
		log_line(LOG_ERROR, "supervisor",
			 "state=killed err=\"the worker did not end within "
			 "Grace\" queued=%" PRIu64
			 " action=\"queued messages stay in the journal\"",
			 messages);
	else
		log_line(LOG_ERROR, "supervisor",
			 "state=killed err=\"the worker did not end within "
			 "Grace, and its journal cannot be read: %s\"",
			 e.text);
	supervisor_end(s, EXIT_CODE_SYSTEM);
}

void stopping_check(struct supervisor *s)
{
	int64_t next_ns = stopping_next_ns(s);
	if (next_ns == 0 || clock_mono_ns() < next_ns)
		return;
	if (s->killed_ns != 0 || s->worker.pid == 0) {
		stopping_end(s);
		return;
	}
	log_line(LOG_WARN, "supervisor",
		 "worker=%d err=\"the worker does not end\" action=killed",
		 (int)s->worker.pid);
	s->killed_ns = clock_mono_ns();
	kill(s->worker.pid, SIGKILL);
}
