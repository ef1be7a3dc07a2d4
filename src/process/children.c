/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "process/supervisor_state.h"
#include "process/worker_main.h"

static _Noreturn void run_worker(struct supervisor *s, int channel,
				 pid_t parent)
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
	if (s->worker.pid != 0)
		close(s->worker.channel);
	close(s->signals);
	worker_main_ignore_reopen();
	sigprocmask(SIG_SETMASK, &s->mask_before, NULL);
	exit(worker_main_supervised(s->opts, channel, &s->handover));
}

bool child_spawn(struct supervisor *s, struct child *child)
{
	struct err e;
	int ends[2];
	deaths_begin(&s->deaths);
	if (!channel_pair(ends, &e)) {
		log_line(LOG_ERROR, "supervisor", "err=\"%s\"", e.text);
		return false;
	}
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		run_worker(s, ends[1], parent);
	}
	close(ends[1]);
	if (pid < 0) {
		log_line(LOG_ERROR, "supervisor", "err=\"fork: %s\"",
			 strerror(errno));
		close(ends[0]);
		return false;
	}
	*child = (struct child){
		.pid = pid, .channel = ends[0], .started_ns = clock_mono_ns()};
	return true;
}

void child_forget(struct child *child)
{
	if (child->channel >= 0)
		close(child->channel);
	*child = (struct child){0};
}

void child_go(struct supervisor *s, struct child *child, int64_t grace_ms)
{
	struct channel_message m = {
		.kind = CHANNEL_GO,
		.worker_counts = s->worker_counts,
		.is_draining = s->state == STOPPING,
		.died_of_other = s->died_of_other,
		.grace_left_ms = grace_ms,
	};
	const struct endpoints *e = &s->endpoints;
	for (uint32_t i = 0; i < e->specs.socket_count; i++) {
		m.fds[m.fd_count++] = socket_fd(e->sockets[i]);
		child->sockets[i] = socket_inode(e->sockets[i]);
		m.queue_lengths[i] = socket_queue_length(e->sockets[i]);
		m.are_kept[i] = socket_is_kept(e->sockets[i]);
	}
	if (e->http_fd >= 0)
		m.fds[m.fd_count++] = e->http_fd;
	/* If the child is gone, SIGCHLD is about to report its death. */
	child->has_endpoints = channel_send(child->channel, &m);
}

void worker_send(struct supervisor *s, enum channel_kind kind)
{
	struct channel_message m = {.kind = kind,
				    .worker_counts = s->worker_counts};
	if (s->worker.has_endpoints && !channel_send(s->worker.channel, &m))
		log_line(LOG_DEBUG, "supervisor",
			 "worker=%d err=\"the worker is gone\"",
			 (int)s->worker.pid);
}

void worker_leave(struct supervisor *s, int64_t leave_ms)
{
	struct channel_message m = {.kind = CHANNEL_LEAVE,
				    .is_reload = s->next.is_ready,
				    .keeps_journal = true};
	if (s->next.is_ready)
		m.keeps_journal = strcmp(s->next.limits.journal_path,
					 s->limits.journal_path) == 0;
	for (uint32_t i = 0; i < s->worker.specs.socket_count; i++)
		m.kept_by_next[i] =
			endpoints_have(&s->endpoints, s->worker.sockets[i]);
	if (!channel_send(s->worker.channel, &m))
		kill(s->worker.pid, SIGKILL);
	s->worker.is_leaving = true;
	s->replace_ns = 0;
	s->kill_ns = clock_mono_ns() + leave_ms * NS_PER_MS;
}

int64_t child_load_ns(const struct supervisor *s, const struct child *child)
{
	if (child->pid == 0 || child->is_ready || child->is_late)
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
