/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor_state - struct supervisor, for the files of the supervisor only.
 *
 *     supervisor.c  waits for events and reacts to them
 *     children.c    starts workers, sends them messages
 *     reload.c      replaces one worker by another
 *     stopping.c    the deadline of a stop */
#ifndef PROCESS_SUPERVISOR_STATE_H
#define PROCESS_SUPERVISOR_STATE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/log.h"
#include "intake/endpoints.h"
#include "intake/handover.h"
#include "process/channel.h"
#include "process/deaths.h"
#include "status/worker_counts.h"

struct assemble_opts;

enum { LEAVE_MS = 30000 };

enum supervisor_state { STARTING, RUNNING, STOPPING };

struct child {
	pid_t pid; /* 0: none */
	int channel;
	bool is_ready;	    /* it has sent READY */
	bool has_endpoints; /* GO was sent to it */
	bool is_leaving;    /* LEAVE was sent to it */
	bool is_stuck;	    /* it has sent STUCK */
	bool is_late;	    /* killed: its configuration took too long */
	struct endpoint_specs specs;
	ino_t sockets[ENDPOINTS_MAX]; /* inodes of the sockets in GO */
	struct channel_limits limits;
	int64_t started_ns;
};

/* Times are those of clock_mono_ns; 0: none. */
struct supervisor {
	const struct assemble_opts *opts;
	enum supervisor_state state;
	struct endpoints endpoints;
	struct handover handover; /* between workers */
	struct child worker;
	struct child next;	      /* the new worker of a reload */
	struct channel_limits limits; /* of the last worker that was ready */
	struct worker_counts worker_counts;
	int signals; /* signalfd */
	sigset_t mask_before;
	int64_t restart_ns; /* when to start a worker */
	int64_t replace_ns; /* when to replace a stuck worker */
	int64_t kill_ns;    /* when to kill a leaving worker */
	int64_t stop_ns;    /* when the signal to stop came */
	int64_t killed_ns;  /* when the worker was killed at the deadline */
	int stop_signal;    /* held until the first worker works; 0: none */
	struct deaths deaths;
	/* The last worker that had the journal was killed from outside. */
	bool died_of_other;
	struct log_rate refused_rate; /* of reloads */
	bool is_over;
	int exit_code;
};

/* Leave the loop with this exit code. */
void supervisor_end(struct supervisor *, int exit_code);

/* --- children.c */

/* Start a worker.  False if that failed, which has been logged. */
bool child_spawn(struct supervisor *, struct child *) MUST_USE;

/* The child is dead: close its channel. */
void child_forget(struct child *);

/* Send GO: the endpoints' descriptors and the counters. */
void child_go(struct supervisor *, struct child *, int64_t grace_ms);

/* Send the worker a message without content, or the counters. */
void worker_send(struct supervisor *, enum channel_kind);

/* Ask the worker to leave.  If it does not within leave_ms, it is killed. */
void worker_leave(struct supervisor *, int64_t leave_ms);

/* When the child must have loaded its configuration; 0 if it has, or if there
 * is no child. */
int64_t child_load_ns(const struct supervisor *, const struct child *);

/* Kill the child if its configuration takes longer than Reload_Timeout. */
void child_check_load(struct supervisor *, struct child *);

/* --- reload.c */

/* Start a new worker beside the old one.  False if that is impossible now. */
bool reload_begin(struct supervisor *);

/* The new worker has ended before it was ready. */
void reload_failed(struct supervisor *, const char *why);

/* The next worker is ready: ask the old one to leave.  When it has left,
 * on_worker_end calls reload_take_over. */
void reload_hand_over(struct supervisor *);

/* The old worker has left: the next one is the worker now. */
void reload_take_over(struct supervisor *);

/* --- stopping.c */

/* When everything must have ended: Grace and STOP_MARGIN_MS after the signal to
 * stop.  0 if none has come. */
int64_t stopping_deadline_ns(const struct supervisor *);

/* At the deadline, kill the worker.  DEATH_MS later, end even if it still
 * lives. */
void stopping_check(struct supervisor *);

/* The worker was killed at the deadline: log how many messages stay in the
 * journal, and end. */
void stopping_end(struct supervisor *);

/* When stopping_check must be called next; 0: never. */
int64_t stopping_next_ns(const struct supervisor *);

#endif
