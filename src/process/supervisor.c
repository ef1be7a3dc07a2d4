/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 *  1. the supervisor forks a worker, which reads the configuration and sends
 *     READY with the endpoints that it needs;
 *  2. the supervisor opens the endpoints and passes them to the worker with GO;
 *  3. on a signal to stop, the supervisor sends STOP to the worker, which
 *     drains, writes everything and exits with 0.  A signal to the worker comes
 *     back as SIGNAL and means the same.  A signal that comes before the worker
 *     works is held until it does, because the socket may already hold
 *     datagrams.  If a second signal to stop comes before that, worker and
 *     supervisor end at once.
 *
 * Failure modes:
 *  - the first worker exits before it works, for example because of a wrong
 *    configuration: the worker has printed the reason, and its exit code
 *    becomes the supervisor's.  If a signal kills it, the next one starts as
 *    after any death, because the sockets may hold datagrams;
 *  - a worker dies: the supervisor reads its remaining messages
 *    (reports.c), and starts the next one after 100 ms, doubling to 10 s
 *    (process/deaths.h).  If QUICK_DEATHS_MAX workers in a row die quickly, the
 *    supervisor exits.  While it stops, it starts the next one sooner and does
 *    not stop trying before its deadline;
 *  - a worker exits with 0, although the supervisor did not ask it to: that
 *    counts as a death, and sockets that it has shut down are not reused;
 *  - the worker that replaces a dead one cannot open Log_File: it logs to
 *    standard error, as the supervisor does.  Both try again on SIGUSR1.  Only
 *    the first worker and that of a reload end with an error;
 *  - a worker cannot start while the supervisor stops: the next one tries again
 *    until Grace is over (stopping_starts_next);
 *  - a worker sends STUCK, because one message takes too long: after the delay
 *    of a death, it must leave, and the next one starts;
 *  - the worker does not end in time after a signal to stop: the supervisor
 *    kills it (process/stopping.c);
 *  - a worker does not load its configuration within Reload_Timeout: the
 *    supervisor kills it;
 *  - the container is frozen: that time is added to the deadlines after which
 *    the supervisor kills a worker (put_off_deadlines);
 *  - a signal to stop comes during a reload: the old worker stops, and the new
 *    one is killed.  If the old one has begun to leave, the new one takes over
 *    and drains;
 *  - a worker is killed while it stops, or while it hands over for a reload:
 *    the next one takes over, and drains if sluiced stops;
 *  - the new worker of a reload exits before the old one begins to leave, for
 *    example because its journal cannot be created, or it needs endpoints that
 *    cannot be opened: the old worker stays;
 *  - the old worker of a reload waits for an output or a hook that hangs: it
 *    receives meanwhile.  After Reload_Timeout, the supervisor cancels the
 *    reload, unless the new configuration has closed one of its sockets;
 *  - the old worker of a reload has left, but its process does not end, because
 *    its Log_File hangs: the next one gets GO when LEFT arrives;
 *  - the old worker of a reload does not react or leave in time: the supervisor
 *    kills it, which cuts only connections that it could not hand over;
 *  - the old worker of a reload dies before it has read the rest of the socket
 *    of a removed input: the next worker reads it (intake/retired.h);
 *  - a child is dead, but waitpid does not return it, because one of its
 *    threads waits for a disk: the supervisor sees that in /proc and continues
 *    as after any death.  The next worker receives, and WRITE lets it write
 *    when the dead one has ended (process/left.c);
 *  - SIGHUP comes during a reload, which may have read the configuration
 *    before the last change: another reload follows (reload_begin_held);
 *  - a client asks for reloads over HTTP in a loop: process/reload_pace.h;
 *  - somebody removes a socket's path: the supervisor restores it, or reloads.
 *    If no other socket can be opened, the old one stays in use;
 *  - somebody removes the journal's file: the supervisor copies it when no
 *    worker uses it (process/kept.c);
 *  - the supervisor is killed: the worker sees its channel close and leaves. */
#include "process/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "process/supervisor_state.h"
#include "process/unreaped.h"

enum {
	QUICK_DEATH_MS = 100, /* a death this soon after the start is quick */
	STUCK_LEAVE_MS = 2000,
	/* These apply until a worker is ready and has sent its settings. */
	GRACE_MS = 5000,
	RELOAD_MS = 30000,
	WAIT_MS_MAX = 3600 * 1000,
	LOOK_MS = 250, /* for children that are dead, but not reaped */
	STALL_MS = 1000,
};

void supervisor_end(struct supervisor *s, int exit_code)
{
	s->is_over = true;
	s->exit_code = exit_code;
}

/* --- events */

static void on_ready(struct supervisor *s, struct child *child,
		     const struct channel_message *m)
{
	/* LEAVE was sent to it, so the endpoints belong to the next worker; or
	 * stop() has killed it. */
	if (child->is_leaving || (child == &s->next && s->state == STOPPING))
		return;
	log_open_or_stderr(m->log.path[0] != '\0' ? m->log.path : NULL,
			   (enum log_level)m->log.level, "supervisor");
	log_line(LOG_INFO, "supervisor", "worker=%d state=started",
		 (int)child->pid);
	child->is_ready = true;
	child->specs = m->specs;
	child->limits = m->limits;
	if (child == &s->next) {
		reload_pace_loaded(&s->reload_pace, clock_mono_ns());
		reload_hand_over(s);
		return;
	}
	kept_change(s, m->limits.journal_path);
	spills_left_add(&s->spills_left, s->limits.journal_path,
			m->limits.journal_path);
	stopping_saw_journal(s, m->limits.journal_path);
	s->limits = m->limits;
	struct err e = {0};
	if (!endpoints_set_or_keep(&s->endpoints, &child->specs, &e)) {
		kill(child->pid, SIGKILL);
		if (s->state == STARTING) {
			log_failure(e.text);
			supervisor_end(s, e.exit_code);
			return;
		}
		log_line(LOG_ERROR, "supervisor",
			 "worker=%d err=\"%s\" action=\"ending this worker; "
			 "free the address or correct the configuration, "
			 "because sluiced exits after %d such workers in a "
			 "row\"",
			 (int)child->pid, e.text, QUICK_DEATHS_MAX);
		child->is_refused = true;
		child->is_ready = false;
		return;
	}
	child_go(s, child);
}

/* A worker has died or is stuck: returns how many milliseconds to wait before
 * the next one starts; -1: start none. */
static int64_t start_delay_ms(struct supervisor *s, bool from_outside,
			      bool was_quick)
{
	if (s->state == STOPPING || s->stop_signal != 0)
		return deaths_stopping_wait_ms(&s->deaths);
	return deaths_wait_ms(&s->deaths, clock_mono_ns(), from_outside,
			      was_quick);
}

/* The worker continues to receive until the delay is over. */
static void on_stuck(struct supervisor *s)
{
	s->worker.is_stuck = true;
	if (s->worker.is_leaving) {
		worker_leave(s, STUCK_LEAVE_MS);
		return;
	}
	s->replace_ns =
		clock_mono_ns() + start_delay_ms(s, false, false) * NS_PER_MS;
}

static void restart_after(struct supervisor *s, int64_t wait_ms)
{
	if (wait_ms < 0) {
		log_line(LOG_ERROR, "supervisor",
			 "err=\"%d workers in a row died while they started\" "
			 "action=\"exiting; a journal in a file keeps the "
			 "received messages\"",
			 QUICK_DEATHS_MAX);
		supervisor_end(s, EXIT_CODE_SYSTEM);
		return;
	}
	s->restart_ns = clock_mono_ns() + wait_ms * NS_PER_MS;
	if (wait_ms > 0)
		log_line(LOG_WARN, "supervisor",
			 "restart_ms=%lld action=\"waiting before the next "
			 "worker starts\"",
			 (long long)wait_ms);
}

/* Returns the same as start_delay_ms; 0 if the next worker is ready. */
static int64_t count_death(struct supervisor *s, const struct child *was,
			   int status)
{
	int64_t now_ns = clock_mono_ns();
	bool from_outside =
		!was->is_stuck && deaths_came_from_outside(&s->deaths, status);
	bool was_quick = !was->is_ready ||
			 now_ns - was->started_ns < QUICK_DEATH_MS * NS_PER_MS;
	int64_t wait_ms = 0; /* on_stuck has waited before the worker left */
	if (!was->is_stuck && !s->next.is_ready)
		wait_ms = start_delay_ms(s, from_outside, was_quick);
	s->worker_counts.deaths++;
	if (was->has_journal)
		s->died_of_other = from_outside;
	child_log_death(was->pid, status);
	return wait_ms;
}

static void on_worker_end(struct supervisor *s, int status)
{
	struct child was = s->worker;
	bool is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
		       (was.is_leaving || s->state == STOPPING);
	s->kill_ns = 0;
	s->replace_ns = 0;
	child_forget(&s->worker);
	kept_worker_ended(s);
	if (s->killed_ns != 0) {
		stopping_end(s);
		return;
	}
	if (s->state == STARTING && (was.is_late || WIFEXITED(status))) {
		supervisor_end(s, was.is_late ? EXIT_CODE_CONFIG
					      : WEXITSTATUS(status));
		return;
	}
	int64_t wait_ms = 0;
	if (is_good)
		deaths_interrupt(&s->deaths);
	else
		wait_ms = count_death(s, &was, status);
	if (s->state == RUNNING && endpoints_close_refused(&s->endpoints) > 0)
		log_line(LOG_ERROR, "supervisor",
			 "worker=%d err=\"the worker refused its senders "
			 "before it died\" action=\"opening new sockets\"",
			 (int)was.pid);
	if (s->next.is_ready)
		reload_take_over(s);
	else if (s->state == STOPPING && !was.is_leaving &&
		 !stopping_starts_next(s, status))
		supervisor_end(
			s,
			WEXITSTATUS(status)); /* all written, or Grace over */
	else
		restart_after(s, wait_ms);
}

/* A signal to this process, or to the worker, which has passed it on. */
static void obey(struct supervisor *s, int signum)
{
	if (signum == SIGHUP)
		reload_signalled(s);
	else
		stopping_begin(s, signum);
}

static void on_channel(struct supervisor *s, struct child *child)
{
	struct channel_message m;
	if (!channel_receive(child->channel, &m)) {
		close(child->channel); /* SIGCHLD reports its end */
		child->channel = -1;
		return;
	}
	if (reports_take(s, child, &m))
		return;
	if (m.kind == CHANNEL_READY)
		on_ready(s, child, &m);
	else if (m.kind == CHANNEL_SIGNAL)
		obey(s, m.signum);
	else if (m.kind == CHANNEL_STUCK && child == &s->worker)
		on_stuck(s);
	else if (m.kind == CHANNEL_RELOAD)
		reload_requested(s);
	else if (m.kind == CHANNEL_STAY)
		worker_stays(s, &m);
	else if (m.kind == CHANNEL_CANCELLED)
		worker_cancelled_leave(s);
	else if (m.kind == CHANNEL_LEFT && s->worker.is_leaving &&
		 left_by_worker(s))
		on_worker_end(s, 0);
}

static void on_next_end(struct supervisor *s, int status)
{
	const char *why =
		s->next.is_late	     ? "Reload_Timeout is over"
		: s->next.is_refused ? "a socket or port of the new "
				       "configuration could not be opened"
		: s->next.is_dismissed
			? "an output or a hook hangs, and Reload_Timeout is "
			  "over"
		: s->next.is_ready ? "the new worker died"
				   : "the new worker could not start";
	bool is_conf_bad = s->next.is_late || s->next.is_refused ||
			   (!s->next.is_ready && WIFEXITED(status));
	child_forget(&s->next);
	reload_failed(s, why, is_conf_bad);
}

static void on_end(struct supervisor *s, pid_t pid, int status)
{
	if (pid == s->next.pid) {
		on_next_end(s, status); /* it had no GO, so it did nothing */
	} else if (pid == s->worker.pid) {
		reports_take_rest(s, &s->worker);
		on_worker_end(s, status);
	} else {
		left_ended(s, pid, status);
	}
}

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_end(s, pid, status);
}

/* Look for children that are dead, but not reaped.  No signal reports them. */
static void look_for_dead(struct supervisor *s, int64_t now_ns)
{
	struct child *children[] = {&s->next, &s->worker};
	if (now_ns < s->look_ns)
		return;
	s->look_ns = now_ns + LOOK_MS * NS_PER_MS;
	for (size_t i = 0; i < 2; i++) {
		int status;
		pid_t pid = children[i]->pid;
		if (pid != 0 && left_by_dead(s, children[i], &status))
			on_end(s, pid, status);
	}
	left_look(s);
}

static void reopen(struct supervisor *s)
{
	log_reopen();
	if (s->worker.pid != 0)
		kill(s->worker.pid, SIGUSR1);
}

static void on_signal(struct supervisor *s)
{
	struct signalfd_siginfo info;
	while (read(s->signals, &info, sizeof info) == sizeof info) {
		int signum = (int)info.ssi_signo;
		if (signum == SIGCHLD)
			reap(s);
		else if (signum != SIGUSR1)
			obey(s, signum);
		else
			reopen(s);
	}
}

static void on_time(struct supervisor *s)
{
	int64_t now_ns = clock_mono_ns();
	if (s->state == RUNNING && !endpoints_restore(&s->endpoints, now_ns) &&
	    s->next.pid == 0)
		(void)reload_begin(s, RELOAD_BY_SUPERVISOR);
	kept_look(s, now_ns);
	worker_check_leave(s);
	if (s->replace_ns != 0 && now_ns >= s->replace_ns)
		worker_leave(s, STUCK_LEAVE_MS);
	child_check_load(s, &s->worker);
	child_check_load(s, &s->next);
	stopping_check(s);
	look_for_dead(s, now_ns);
	if (s->restart_ns != 0 && now_ns >= s->restart_ns) {
		s->restart_ns = 0;
		if (!child_spawn(s, &s->worker, true))
			restart_after(s, start_delay_ms(s, false, true));
	}
}

static int wait_ms(const struct supervisor *s)
{
	const int64_t times_ns[] = {
		s->restart_ns,
		s->replace_ns,
		s->kill_ns,
		s->state == RUNNING ? s->endpoints.look_ns : 0,
		stopping_next_ns(s),
		s->worker.pid != 0 || s->next.pid != 0 ? s->look_ns : 0,
		child_load_ns(s, &s->worker),
		child_load_ns(s, &s->next),
	};
	int64_t until_ns = 0;
	for (size_t i = 0; i < sizeof times_ns / sizeof *times_ns; i++)
		if (times_ns[i] != 0 &&
		    (until_ns == 0 || times_ns[i] < until_ns))
			until_ns = times_ns[i];
	if (until_ns == 0)
		return -1;
	int64_t left_ms = (until_ns - clock_mono_ns()) / NS_PER_MS;
	return left_ms < 0	       ? 0
	       : left_ms < WAIT_MS_MAX ? (int)left_ms + 1
				       : WAIT_MS_MAX;
}

/* The supervisor woke up this much too late.  A frozen container (docker pause,
 * a virtual machine that moves to another host) stands still as a whole, but
 * the clock does not.  So the workers had as little time as the supervisor. */
static void put_off_deadlines(struct supervisor *s, int64_t late_ns)
{
	struct child *children[] = {&s->worker, &s->next};
	if (late_ns < STALL_MS * NS_PER_MS)
		return;
	log_rated(&s->stall_rate, LOG_INFO, "supervisor",
		  "stalled_ms=%lld err=\"the supervisor did not run for a "
		  "while; the container may have been frozen\" "
		  "action=\"extending the worker's deadlines by this time\"",
		  (long long)(late_ns / NS_PER_MS));
	if (s->stop_ns != 0)
		s->stalled_ns += late_ns;
	if (s->kill_ns != 0)
		s->kill_ns += late_ns;
	s->progress_ns += late_ns;
	for (size_t i = 0; i < 2; i++)
		if (!children[i]->is_ready)
			children[i]->started_ns += late_ns;
}

static void wait_for_event(struct supervisor *s)
{
	int timeout_ms = wait_ms(s);
	int64_t begin_ns = clock_mono_ns();
	struct child *children[] = {&s->worker, &s->next};
	struct pollfd fds[3] = {{.fd = s->signals, .events = POLLIN}};
	for (int i = 0; i < 2; i++)
		fds[i + 1] = (struct pollfd){
			.fd = children[i]->pid != 0 ? children[i]->channel : -1,
			.events = POLLIN,
		};
	if (poll(fds, 3, timeout_ms) < 0 && errno != EINTR) {
		log_line(LOG_ERROR, "supervisor", "err=\"poll: %s\"",
			 strerror(errno));
		supervisor_end(s, EXIT_CODE_SYSTEM);
		return;
	}
	if (timeout_ms >= 0)
		put_off_deadlines(s, clock_mono_ns() - begin_ns -
					     timeout_ms * NS_PER_MS);
	/* Messages first: READY and the end of a worker may come together. */
	for (int i = 0; i < 2; i++)
		if (fds[i + 1].revents != 0 && children[i]->pid != 0)
			on_channel(s, children[i]);
	if (fds[0].revents != 0)
		on_signal(s);
	on_time(s);
}

static bool watch_signals(struct supervisor *s, struct err *e)
{
	static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT,
				      SIGQUIT, SIGHUP,	SIGUSR1};
	sigset_t mask;
	sigemptyset(&mask);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaddset(&mask, numbers[i]);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	return s->signals >= 0 || err_sys(e, errno, "signalfd");
}

int supervisor_run(const struct assemble_opts *opts)
{
	struct supervisor s = {
		.opts = opts,
		.limits = {.grace_ms = GRACE_MS, .reload_ms = RELOAD_MS},
		.journal = -1,
	};
	struct err e = {0};
	deaths_init(&s.deaths);
	s.died_of_other = true; /* a message kills the worker only */
	endpoints_init(&s.endpoints);
	if (!log_open(NULL, opts->log_level, &e) || !watch_signals(&s, &e) ||
	    !endpoints_adopt_systemd(&s.endpoints, &e) ||
	    !handover_open(&s.handover, &e)) {
		log_failure(e.text);
		return e.exit_code;
	}
	if (!child_spawn(&s, &s.worker, false))
		return EXIT_CODE_SYSTEM;
	while (!s.is_over)
		wait_for_event(&s);
	left_end(&s);
	kept_end(&s);
	stopping_report_journal(&s);
	endpoints_discard(&s.endpoints, "sluiced exits, and no worker has "
					"read this socket");
	endpoints_close(&s.endpoints);
	handover_close(&s.handover);
	spills_left_fini(&s.spills_left);
	close(s.signals);
	return s.exit_code;
}
