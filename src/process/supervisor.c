/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 *  1. the supervisor forks a worker, which reads the configuration and sends
 *     READY with the endpoints that it needs;
 *  2. the supervisor opens the endpoints and passes them to the worker with GO;
 *  3. on a signal to stop, the supervisor sends SIGTERM to the worker, which
 *     drains, writes everything and exits with 0.  A signal that comes before
 *     the worker works is held until it does, because the socket may already
 *     hold datagrams.  If a second signal comes before that, worker and
 *     supervisor end at once.
 *
 * Failure modes:
 *  - the first worker exits before it works, for example because of a wrong
 *    configuration: the worker has printed the reason, and its exit code
 *    becomes the supervisor's;
 *  - a worker dies: the supervisor starts the next one, after 100 ms, doubling
 *    to 10 s (process/deaths.h).  If QUICK_DEATHS_MAX in a row die quickly, it
 *    exits;
 *  - a worker is killed while it stops, or while it hands over for a reload:
 *    the next one continues draining;
 *  - the new worker of a reload exits before it is ready, or needs endpoints
 *    that cannot be opened: the old worker was never disturbed and stays;
 *  - the old worker of a reload does not leave in time: the supervisor kills
 *    it.  Only connections that it could not hand over are lost
 *    (journal/journal.h);
 *  - the supervisor is killed: the worker notices that its channel is closed,
 *    and leaves. */
#include "process/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "intake/endpoints.h"
#include "intake/handover.h"
#include "process/channel.h"
#include "process/deaths.h"
#include "process/worker_main.h"

enum {
	QUICK_DEATH_MS = 100, /* since its start; or before it is ready */
	LEAVE_MS = 30000,
};

enum supervisor_state { STARTING, RUNNING, STOPPING };

struct child {
	pid_t pid; /* 0: none */
	int channel;
	bool is_ready;	    /* it has sent READY */
	bool has_endpoints; /* GO was sent to it */
	bool is_leaving;    /* LEAVE was sent to it */
	struct endpoint_specs specs;
	int64_t started_ns;
};

struct supervisor {
	const struct assemble_opts *opts;
	enum supervisor_state state;
	struct endpoints endpoints;
	struct handover handover; /* between workers */
	struct child worker;
	struct child next; /* the new worker of a reload */
	struct worker_counts worker_counts;
	int signals; /* signalfd */
	sigset_t mask_before;
	int64_t restart_ns; /* 0: no restart is due */
	int64_t kill_ns;    /* when to kill a leaving worker; 0: none */
	int64_t stop_ns;    /* when the signal to stop came */
	int stop_signal;    /* held until the first worker works; 0: none */
	struct deaths deaths;
	bool died_of_other; /* the worker that had the journal last */
	bool is_over;
	int exit_code;
};

static void end(struct supervisor *s, int exit_code)
{
	s->is_over = true;
	s->exit_code = exit_code;
}

/* --- children */

static _Noreturn void run_worker(struct supervisor *s, int channel)
{
	/* The child closes its copies of the parent's descriptors, so that a
	 * closed channel means that the parent is gone. */
	for (uint32_t i = 0; i < s->endpoints.specs.socket_count; i++)
		socket_disown(s->endpoints.sockets[i]);
	endpoints_close(&s->endpoints);
	if (s->worker.pid != 0)
		close(s->worker.channel);
	close(s->signals);
	sigprocmask(SIG_SETMASK, &s->mask_before, NULL);
	exit(worker_main_supervised(s->opts, channel, &s->handover));
}

static bool spawn(struct supervisor *s, struct child *child)
{
	struct err e;
	int ends[2];
	deaths_begin(&s->deaths);
	if (!channel_pair(ends, &e)) {
		log_line(LOG_ERROR, "supervisor", "err=\"%s\"", e.text);
		return false;
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		run_worker(s, ends[1]);
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

static void forget(struct child *child)
{
	if (child->channel >= 0)
		close(child->channel);
	*child = (struct child){0};
}

/* Send GO: the endpoints' descriptors and the counters. */
static void send_go(struct supervisor *s, struct child *child, int64_t grace_ms)
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
		m.queue_lengths[i] = socket_queue_length(e->sockets[i]);
		m.are_kept[i] = socket_is_kept(e->sockets[i]);
	}
	if (e->http_fd >= 0)
		m.fds[m.fd_count++] = e->http_fd;
	/* If it is gone already, SIGCHLD is about to report its death. */
	child->has_endpoints = channel_send(child->channel, &m);
}

static void send_counts(struct supervisor *s)
{
	struct channel_message m = {.kind = CHANNEL_COUNTS,
				    .worker_counts = s->worker_counts};
	if (s->worker.has_endpoints && !channel_send(s->worker.channel, &m))
		log_line(LOG_DEBUG, "supervisor",
			 "worker=%d err=\"the worker is gone\"",
			 (int)s->worker.pid);
}

/* --- reload */

static void reload(struct supervisor *s)
{
	if (s->state != RUNNING || s->next.pid != 0 || s->worker.pid == 0) {
		log_line(LOG_WARN, "supervisor", "reload=refused err=\"%s\"",
			 s->next.pid != 0 ? "a reload is under way"
					  : "no worker is running");
		return;
	}
	log_line(LOG_INFO, "supervisor", "reload=started");
	if (!spawn(s, &s->next))
		s->worker_counts.reloads_failed++;
}

static void reload_failed(struct supervisor *s, const char *why)
{
	s->worker_counts.reloads_failed++;
	log_line(LOG_ERROR, "supervisor",
		 "reload=failed err=\"%s\" "
		 "action=\"the old configuration stays in force\"",
		 why);
	send_counts(s);
}

/* The old worker has left: the next one is the worker now. */
static void take_over(struct supervisor *s)
{
	s->worker = s->next;
	s->next = (struct child){0};
	s->worker_counts.reloads_done++;
	log_line(LOG_INFO, "supervisor", "reload=done worker=%d",
		 (int)s->worker.pid);
	send_go(s, &s->worker, 0);
}

/* The next worker is ready: ask the old one to leave.  Its end lets the next
 * one start. */
static void hand_over(struct supervisor *s)
{
	struct err e;
	if (!endpoints_set(&s->endpoints, &s->next.specs, &e)) {
		kill(s->next.pid, SIGKILL);
		log_line(LOG_ERROR, "supervisor", "err=\"%s\"", e.text);
		return; /* its death is counted as the failed reload */
	}
	if (s->worker.pid == 0) {
		s->restart_ns = 0;
		take_over(s);
		return;
	}
	struct channel_message m = {.kind = CHANNEL_LEAVE};
	const struct endpoint_specs *its = &s->worker.specs;
	for (uint32_t i = 0; i < its->socket_count; i++)
		m.kept_by_next[i] =
			endpoints_have(&s->endpoints, &its->sockets[i]);
	if (!channel_send(s->worker.channel, &m))
		kill(s->worker.pid, SIGKILL);
	s->worker.is_leaving = true;
	s->kill_ns = clock_mono_ns() + LEAVE_MS * NS_PER_MS;
}

/* --- events */

static void on_ready(struct supervisor *s, struct child *child,
		     const struct channel_message *m)
{
	/* It was told to leave: the endpoints belong to the next worker. */
	if (child->is_leaving)
		return;
	struct err log_error;
	const char *log_path = m->log.path[0] != '\0' ? m->log.path : NULL;
	/* The worker has opened the same file, so this should succeed. */
	if (!log_open(log_path, (enum log_level)m->log.level, &log_error))
		log_line(LOG_WARN, "supervisor", "err=\"%s\"", log_error.text);
	log_line(LOG_INFO, "supervisor", "worker=%d state=started",
		 (int)child->pid);
	child->is_ready = true;
	child->specs = m->specs;
	if (child == &s->next) {
		hand_over(s);
		return;
	}
	struct err e = {0};
	if (!endpoints_set(&s->endpoints, &child->specs, &e)) {
		kill(child->pid, SIGKILL);
		if (s->state == STARTING) {
			fprintf(stderr, "sluiced: %s\n", e.text);
			end(s, e.exit_code);
			return;
		}
		log_line(LOG_ERROR, "supervisor", "err=\"%s\"", e.text);
		return;
	}
	int64_t grace_ms = 0;
	if (s->state == STOPPING)
		grace_ms = m->grace_left_ms -
			   (clock_mono_ns() - s->stop_ns) / NS_PER_MS;
	send_go(s, child, grace_ms > 0 ? grace_ms : 0);
}

static void on_channel(struct supervisor *s, struct child *child)
{
	struct channel_message m;
	if (!channel_receive(child->channel, &m)) {
		/* SIGCHLD reports its end. */
		close(child->channel);
		child->channel = -1;
		return;
	}
	if (m.kind == CHANNEL_READY)
		on_ready(s, child, &m);
	else if (m.kind == CHANNEL_WORKING && s->state == STARTING)
		s->state = RUNNING;
	else if (m.kind == CHANNEL_RELOAD)
		reload(s);
	else if (m.kind == CHANNEL_STAY && s->kill_ns != 0)
		s->kill_ns = clock_mono_ns() + LEAVE_MS * NS_PER_MS;
}

static void restart_after(struct supervisor *s, int64_t wait_ms)
{
	if (wait_ms < 0) {
		log_line(LOG_ERROR, "supervisor",
			 "err=\"%d workers in a row died at once\" "
			 "action=\"exiting; received messages stay in the "
			 "journal\"",
			 QUICK_DEATHS_MAX);
		end(s, EXIT_CODE_SYSTEM);
		return;
	}
	if (wait_ms > 0)
		log_line(LOG_WARN, "supervisor",
			 "restart_ms=%lld action=\"waiting before the next "
			 "worker starts\"",
			 (long long)wait_ms);
	s->restart_ns = clock_mono_ns() + wait_ms * NS_PER_MS;
}

/* Returns how long to wait for the next worker. */
static int64_t count_death(struct supervisor *s, const struct child *was,
			   int status)
{
	int64_t now_ns = clock_mono_ns();
	bool from_outside = deaths_came_from_outside(&s->deaths, status);
	bool was_quick = !was->is_ready ||
			 now_ns - was->started_ns < QUICK_DEATH_MS * NS_PER_MS;
	int64_t wait_ms =
		deaths_wait_ms(&s->deaths, now_ns, from_outside, was_quick);
	s->worker_counts.deaths++;
	if (was->has_endpoints)
		s->died_of_other = from_outside;
	log_line(LOG_ERROR, "supervisor",
		 "worker=%d err=\"the worker died\" %s=%d", (int)was->pid,
		 WIFSIGNALED(status) ? "signal" : "exit_code",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return wait_ms;
}

static void on_worker_end(struct supervisor *s, int status)
{
	struct child was = s->worker;
	bool is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	s->kill_ns = 0;
	forget(&s->worker);
	if (s->state == STARTING) {
		end(s,
		    WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_CODE_SYSTEM);
		return;
	}
	int64_t wait_ms = 0;
	if (!is_good)
		wait_ms = count_death(s, &was, status);
	if (s->next.is_ready)
		take_over(s);
	else if (s->state == STOPPING && WIFEXITED(status) && !was.is_leaving)
		end(s, WEXITSTATUS(status)); /* all written, or Grace over */
	else
		restart_after(s, wait_ms);
}

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->next.pid) {
			forget(&s->next);
			reload_failed(s, "the new worker could not start");
		} else if (pid == s->worker.pid) {
			on_worker_end(s, status);
		}
	}
}

static void stop(struct supervisor *s, int signum)
{
	if (s->state == STARTING) {
		if (s->stop_signal != 0)
			end(s, 0);
		s->stop_signal = signum;
		return;
	}
	if (s->state == RUNNING) {
		log_line(LOG_INFO, "supervisor", "signal=%d action=stopping",
			 signum);
		s->stop_ns = clock_mono_ns();
	}
	s->state = STOPPING;
	if (s->next.pid != 0)
		kill(s->next.pid, SIGKILL);
	if (s->worker.pid != 0)
		kill(s->worker.pid, SIGTERM);
}

static void on_signal(struct supervisor *s)
{
	struct signalfd_siginfo info;
	while (read(s->signals, &info, sizeof info) == sizeof info) {
		int signum = (int)info.ssi_signo;
		if (signum == SIGCHLD)
			reap(s);
		else if (signum == SIGHUP)
			reload(s);
		else if (signum == SIGUSR1 && s->worker.pid != 0)
			kill(s->worker.pid, SIGUSR1);
		else if (signum == SIGTERM || signum == SIGINT)
			stop(s, signum);
	}
}

static void on_time(struct supervisor *s)
{
	int64_t now_ns = clock_mono_ns();
	if (s->kill_ns != 0 && now_ns >= s->kill_ns) {
		log_line(LOG_WARN, "supervisor",
			 "worker=%d err=\"the worker did not exit in time\" "
			 "action=\"killing it\"",
			 (int)s->worker.pid);
		s->kill_ns = 0;
		kill(s->worker.pid, SIGKILL);
	}
	if (s->restart_ns != 0 && now_ns >= s->restart_ns) {
		s->restart_ns = 0;
		if (!spawn(s, &s->worker))
			restart_after(s, deaths_wait_ms(&s->deaths, now_ns,
							false, true));
	}
}

static int wait_ms(const struct supervisor *s)
{
	int64_t until_ns = 0;
	if (s->restart_ns != 0)
		until_ns = s->restart_ns;
	if (s->kill_ns != 0 && (until_ns == 0 || s->kill_ns < until_ns))
		until_ns = s->kill_ns;
	if (until_ns == 0)
		return -1;
	int64_t left_ns = until_ns - clock_mono_ns();
	return left_ns > 0 ? (int)(left_ns / NS_PER_MS) + 1 : 0;
}

static void wait_for_event(struct supervisor *s)
{
	struct child *children[] = {&s->worker, &s->next};
	struct pollfd fds[3] = {{.fd = s->signals, .events = POLLIN}};
	for (int i = 0; i < 2; i++)
		fds[i + 1] = (struct pollfd){
			.fd = children[i]->pid != 0 ? children[i]->channel : -1,
			.events = POLLIN,
		};
	if (poll(fds, 3, wait_ms(s)) < 0 && errno != EINTR) {
		log_line(LOG_ERROR, "supervisor", "err=\"poll: %s\"",
			 strerror(errno));
		end(s, EXIT_CODE_SYSTEM);
		return;
	}
	/* Messages first: READY and the end of a worker may come together. */
	for (int i = 0; i < 2; i++)
		if (fds[i + 1].revents != 0 && children[i]->pid != 0)
			on_channel(s, children[i]);
	if (s->stop_signal != 0 && s->state == RUNNING)
		stop(s, s->stop_signal);
	if (fds[0].revents != 0)
		on_signal(s);
	on_time(s);
}

static bool watch_signals(struct supervisor *s, struct err *e)
{
	static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP,
				      SIGUSR1};
	sigset_t mask;
	sigemptyset(&mask);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaddset(&mask, numbers[i]);
	sigprocmask(SIG_BLOCK, &mask, &s->mask_before);
	signal(SIGPIPE, SIG_IGN);
	s->signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	return s->signals >= 0 || err_sys(e, errno, "signalfd");
}

int supervisor_run(const struct assemble_opts *opts)
{
	struct supervisor s = {.opts = opts};
	struct err e = {0};
	deaths_init(&s.deaths);
	endpoints_init(&s.endpoints);
	if (!log_open(NULL, opts->log_level, &e) || !watch_signals(&s, &e) ||
	    !endpoints_adopt_systemd(&s.endpoints, &e) ||
	    !handover_open(&s.handover, &e)) {
		fprintf(stderr, "sluiced: %s\n", e.text);
		return e.exit_code;
	}
	if (!spawn(&s, &s.worker))
		return EXIT_CODE_SYSTEM;
	while (!s.is_over)
		wait_for_event(&s);
	if (s.worker.pid != 0)
		kill(s.worker.pid, SIGKILL);
	endpoints_close(&s.endpoints);
	handover_close(&s.handover);
	close(s.signals);
	return s.exit_code;
}
