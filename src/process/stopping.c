/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path: the worker drains, writes everything and exits before this
 * file has anything to do.  Even a worker whose hook or disk hangs ends itself
 * before the deadline.  So this file is for a worker that cannot act: it is
 * stopped by SIGSTOP, dies again and again, or hangs while it exits. */
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "journal/journal_file.h"
#include "process/journal_left.h"
#include "process/supervisor_state.h"

enum {
	STOP_MARGIN_MS = 4500, /* after Grace */
	DEATH_MS = 250, /* after SIGKILL; the supervisor then ends anyway */
};

/* When everything must have ended.  0 if no signal to stop has come. */
static int64_t deadline_ns(const struct supervisor *s)
{
	if (s->stop_ns == 0)
		return 0;
	return s->stop_ns + s->stalled_ns +
	       (s->limits.grace_ms + STOP_MARGIN_MS) * NS_PER_MS;
}

void stopping_begin(struct supervisor *s, int signum)
{
	if (s->state == STOPPING)
		return;
	if (s->state == STARTING) {
		if (s->stop_signal != 0)
			supervisor_end(s, 0);
		s->stop_signal = signum;
		s->stop_ns = clock_mono_ns();
		if (s->restart_ns != 0)
			s->restart_ns = s->stop_ns;
		return;
	}
	log_line(LOG_INFO, "supervisor", "signal=%d action=stopping", signum);
	if (s->stop_ns == 0) /* it was not held */
		s->stop_ns = clock_mono_ns();
	if (s->restart_ns != 0)
		s->restart_ns = s->stop_ns; /* end the delay */
	if (s->replace_ns != 0)
		s->replace_ns = s->stop_ns;
	s->state = STOPPING;
	/* If it is ready, it may have to take over (worker_cancelled_leave). */
	if (s->next.pid != 0 && !s->next.is_ready)
		kill(s->next.pid, SIGKILL);
	if (s->next.is_ready)
		stopping_saw_journal(s, s->next.limits.journal_path);
	worker_send(s, CHANNEL_STOP); /* or GO will have is_draining */
	worker_cancel_leave(s);
}

int64_t stopping_next_ns(const struct supervisor *s)
{
	if (s->killed_ns != 0)
		return s->killed_ns + DEATH_MS * NS_PER_MS;
	return deadline_ns(s);
}

bool stopping_starts_next(const struct supervisor *s, int status)
{
	int64_t grace_ns = s->stop_ns + s->limits.grace_ms * NS_PER_MS;
	return WIFSIGNALED(status) ||
	       (WEXITSTATUS(status) == EXIT_CODE_SYSTEM &&
		clock_mono_ns() < grace_ns);
}

void stopping_saw_journal(struct supervisor *s, const char *path)
{
	if (s->state == STOPPING &&
	    !journal_file_is_same(path, s->limits.journal_path))
		memcpy(s->left_journal, s->limits.journal_path,
		       sizeof s->left_journal);
}

void stopping_report_journal(struct supervisor *s)
{
	bool is_left = journal_left_report(s->left_journal, "");
	spills_left_add(&s->spills_left, s->left_journal, "");
	is_left = spills_left_report(&s->spills_left) || is_left;
	if ((is_left || s->has_left_messages) && s->exit_code == 0)
		s->exit_code = EXIT_CODE_SYSTEM;
}

void stopping_end(struct supervisor *s)
{
	const char *path = s->limits.journal_path;
	struct err e = {0};
	uint64_t messages;
	kept_end(s); /* all messages of an unlocked journal are counted */
	if (s->state == STARTING)
		log_line(LOG_ERROR, "supervisor",
			 "state=killed err=\"the first worker did not start "
			 "within Grace plus 4.5 s after the signal to stop\" "
			 "action=exiting");
	else if (path[0] == '\0')
		log_line(LOG_ERROR, "supervisor",
			 "state=killed err=\"the worker did not end within "
			 "Grace plus 4.5 s\" action=\"messages in a journal in "
			 "memory are lost\"");
	else if (journal_left_count(path, &messages, &e))
		log_line(LOG_ERROR, "supervisor",
			 "state=killed err=\"the worker did not end within "
			 "Grace plus 4.5 s\" queued=%" PRIu64
			 " action=\"queued messages stay in the journal\"",
			 messages);
	else
		log_line(LOG_ERROR, "supervisor",
			 "state=killed err=\"the worker did not end within "
			 "Grace plus 4.5 s, and its journal cannot be "
			 "read: %s\"",
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
