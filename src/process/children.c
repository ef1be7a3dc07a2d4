/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "journal/journal_file.h"
#include "process/journal_left.h"
#include "process/supervisor_state.h"
#include "process/unreaped.h"
#include "process/worker_main.h"

static void close_channel(const struct child *child)
{
	if (child->pid != 0 && child->channel >= 0)
		close(child->channel);
}

static _Noreturn void run_worker(struct supervisor *s, int channel,
				 pid_t parent, const struct assemble_opts *opts)
{
	/* While it loads its configuration, the child cannot notice that the
	 * supervisor is gone.  So the kernel kills the child then, until
	 * worker_main turns this off. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_CODE_SYSTEM);
	/* The child closes its copies of the parent's descriptors, so that a
	 * closed channel means that the parent is gone. */
	for (uint32_t i = 0; i < s->endpoints.specs.socket_count; i++)
		socket_disown(s->endpoints.sockets[i]);
	endpoints_close(&s->endpoints);
	close_channel(&s->worker);
	close_channel(&s->next);
	left_disown(s);
	kept_close(s);
	close(s->signals);
	worker_main_ignore_reopen();
	/* The other signals stay blocked until worker_run handles them. */
	sigset_t child_ended;
	sigemptyset(&child_ended);
	sigaddset(&child_ended, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &child_ended, NULL);
	exit(worker_main_supervised(opts, channel, &s->handover));
}

bool child_spawn(struct supervisor *s, struct child *child, bool log_may_fail)
{
	struct err e;
	int ends[2];
	struct assemble_opts opts = *s->opts;
	opts.log_may_fail = log_may_fail;
	opts.is_reload = child == &s->next;
	opts.journal_before = s->limits.journal_path;
	deaths_begin(&s->deaths);
	if (!channel_pair(ends, &e)) {
		log_line(LOG_ERROR, "supervisor", "err=\"%s\"", e.text);
		return false;
	}
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		run_worker(s, ends[1], parent, &opts);
	}
	close(ends[1]);
	if (pid < 0) {
		log_line(LOG_ERROR, "supervisor", "err=\"fork: %s\"",
			 strerror(errno));
		close(ends[0]);
		return false;
	}
	*child = (struct child){
		.pid = pid,
		.channel = ends[0],
		.started_ns = clock_mono_ns(),
	};
	/* This worker reads what was changed before SIGHUP came.  But the
	 * worker of an older reload may still take over from it. */
	if (s->next.pid == 0)
		s->is_reload_held = false;
	return true;
}

const char *child_end_text(int status, char room[static CHILD_END_BYTES])
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == UNREAPED_SIGNAL)
		return "signal=unknown";
	snprintf(room, CHILD_END_BYTES, "%s=%d",
		 WIFSIGNALED(status) ? "signal" : "exit_code",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return room;
}

void child_log_death(pid_t pid, int status)
{
	char room[CHILD_END_BYTES];
	log_line(LOG_ERROR, "supervisor",
		 "worker=%d err=\"the worker died\" %s", (int)pid,
		 child_end_text(status, room));
}

void child_forget(struct child *child)
{
	close_channel(child);
	*child = (struct child){0};
}

static int64_t grace_left_ms(const struct supervisor *s,
			     const struct child *child)
{
	if (s->state != STOPPING)
		return 0;
	int64_t ms = child->limits.grace_ms -
		     (clock_mono_ns() - s->stop_ns) / NS_PER_MS;
	return ms > 0 ? ms : 0;
}

void child_go(struct supervisor *s, struct child *child)
{
	struct channel_message m = {
		.kind = CHANNEL_GO,
		.worker_counts = s->worker_counts,
		.is_draining = s->state == STOPPING,
		.died_of_other = s->died_of_other,
		.is_held = left_may_write(s),
		.grace_left_ms = grace_left_ms(s, child),
	};
	const char *left =
		spills_left_for(&s->spills_left, s->limits.journal_path);
	memcpy(m.limits.journal_path, left, strlen(left) + 1);
	struct endpoints *e = &s->endpoints;
	child->specs = e->specs; /* perhaps with addresses of old sockets */
	for (uint32_t i = 0; i < e->specs.socket_count; i++) {
		m.fds[m.fd_count++] = socket_fd(e->sockets[i]);
		child->sockets[i] = socket_inode(e->sockets[i]);
		m.queue_lengths[i] = socket_queue_length(e->sockets[i]);
		m.are_kept[i] = socket_is_kept(e->sockets[i]);
	}
	if (e->http_fd >= 0)
		m.fds[m.fd_count++] = e->http_fd;
	retired_settle(&e->retired);
	for (uint32_t i = 0; i < e->retired.count; i++) {
		m.fds[m.fd_count++] = socket_fd(e->retired.sockets[i].socket);
		m.specs.sockets[i].input = e->retired.sockets[i].input;
	}
	m.specs.socket_count = e->retired.passed = e->retired.count;
	kept_pass(s, &m);
	/* If the child is gone, SIGCHLD is about to report its death. */
	child->has_endpoints = channel_send(child->channel, &m);
}

void worker_send(struct supervisor *s, enum channel_kind kind)
{
	struct channel_message m = {
		.kind = kind,
		.worker_counts = s->worker_counts,
		.grace_left_ms = grace_left_ms(s, &s->worker),
		.reload_from_ns = s->reload_pace.from_ns,
	};
	if (s->worker.has_endpoints && !channel_send(s->worker.channel, &m))
		log_line(LOG_DEBUG, "supervisor",
			 "worker=%d err=\"the worker is gone\"",
			 (int)s->worker.pid);
}

void worker_leave(struct supervisor *s, int64_t leave_ms)
{
	struct channel_message m = {.kind = CHANNEL_LEAVE,
				    .is_reload = s->next.is_ready};
	m.is_journal_left = m.is_reload &&
			    (kept_must_be_emptied(s) ||
			     !journal_file_is_same(s->next.limits.journal_path,
						   s->limits.journal_path));
	for (uint32_t i = 0; i < s->worker.specs.socket_count; i++)
		m.kept_by_next[i] =
			endpoints_have(&s->endpoints, s->worker.sockets[i]);
	if (!channel_send(s->worker.channel, &m))
		kill(s->worker.pid, SIGKILL);
	s->worker.is_leaving = true;
	s->left_messages = 0;
	s->replace_ns = 0;
	s->progress_ns = clock_mono_ns();
	s->kill_ns = s->progress_ns + leave_ms * NS_PER_MS;
}

void worker_cancel_leave(struct supervisor *s)
{
	if (s->worker.is_leaving && !s->worker.is_stuck)
		worker_send(s, CHANNEL_CANCEL);
}

void worker_cancelled_leave(struct supervisor *s)
{
	/* Another reload may have begun since CANCEL was sent. */
	bool ends_next = s->state == STOPPING || s->is_cancelling;
	if (s->next.is_ready && !ends_next)
		return;
	s->worker.is_leaving = false;
	s->kill_ns = 0;
	if (s->next.pid == 0 || !ends_next)
		return;
	s->next.is_ready = false;
	s->next.is_dismissed = true;
	kill(s->next.pid, SIGKILL);
}

void worker_stays(struct supervisor *s, const struct channel_message *m)
{
	s->left_messages = m->queued;
	log_line(LOG_DEBUG, "supervisor",
		 "worker=%d state=staying queued=%" PRIu64 " progress=%s",
		 (int)s->worker.pid, m->queued, m->has_progress ? "yes" : "no");
	if (s->kill_ns == 0)
		return;
	int64_t now_ns = clock_mono_ns();
	if (m->has_progress)
		s->progress_ns = now_ns;
	if (m->has_progress || m->is_receiving)
		s->kill_ns = now_ns + LEAVE_MS * NS_PER_MS;
	if (m->is_receiving && s->next.is_ready &&
	    now_ns - s->progress_ns >= s->limits.reload_ms * NS_PER_MS)
		reload_cancel(s);
}

void worker_check_leave(struct supervisor *s)
{
	if (s->kill_ns == 0 || clock_mono_ns() < s->kill_ns)
		return;
	bool is_lost = s->limits.journal_path[0] == '\0';
	log_line(is_lost && s->left_messages > 0 ? LOG_ERROR : LOG_WARN,
		 "supervisor",
		 "worker=%d err=\"the old worker has not left, and has no "
		 "progress\" "
		 "queued=%" PRIu64 " action=\"killing it%s\"",
		 (int)s->worker.pid, s->left_messages,
		 is_lost ? "; the queued messages are lost, because the "
			   "journal is in memory"
			 : "");
	s->kill_ns = 0;
	kill(s->worker.pid, SIGKILL);
}

int64_t child_load_ns(const struct supervisor *s, const struct child *child)
{
	if (child->pid == 0 || child->is_ready || child->is_late ||
	    child->is_dismissed)
		return 0;
	return child->started_ns + s->limits.reload_ms * NS_PER_MS;
}

void child_check_load(struct supervisor *s, struct child *child)
{
	int64_t load_ns = child_load_ns(s, child);
	if (load_ns == 0 || clock_mono_ns() < load_ns)
		return;
	log_line(LOG_ERROR, "supervisor",
		 "worker=%d err=\"the configuration was not loaded within "
		 "Reload_Timeout\" action=killed",
		 (int)child->pid);
	child->is_late = true;
	kill(child->pid, SIGKILL);
}
