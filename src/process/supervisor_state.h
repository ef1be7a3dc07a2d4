/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor_state - struct supervisor, for the files of the supervisor only.
 *
 *     supervisor.c  waits for events and reacts to them
 *     children.c    starts workers, sends them messages
 *     reports.c     messages that matter even after their worker's death
 *     reload.c      replaces one worker by another
 *     stopping.c    a stop and its deadline
 *     left.c        processes that do not end
 *     kept.c        keeps the journal open between two workers */
#ifndef PROCESS_SUPERVISOR_STATE_H
#define PROCESS_SUPERVISOR_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/backoff.h"
#include "base/check.h"
#include "base/log.h"
#include "intake/endpoints.h"
#include "intake/handover.h"
#include "process/channel.h"
#include "process/deaths.h"
#include "process/reload_pace.h"
#include "process/spills_left.h"
#include "status/worker_counts.h"

struct assemble_opts;

enum {
	LEAVE_MS = 30000,
	LEFT_MAX = 8, /* processes that have not ended yet */
};

enum reload_cause {
	RELOAD_BY_SUPERVISOR, /* the new worker works without Log_File, too */
	RELOAD_BY_SIGNAL,
	RELOAD_BY_HTTP,
};

enum supervisor_state { STARTING, RUNNING, STOPPING };

struct child {
	pid_t pid; /* 0: none */
	int channel;
	bool is_ready;	    /* it has sent READY */
	bool has_journal;   /* it has sent JOURNAL */
	bool is_working;    /* it has sent WORKING */
	bool has_endpoints; /* GO was sent to it */
	bool is_leaving;    /* LEAVE was sent to it */
	bool is_stuck;	    /* it has sent STUCK */
	bool is_late;	    /* killed: its configuration took too long */
	bool is_dismissed;  /* killed: the old worker stays */
	bool is_refused;    /* killed: its endpoints cannot be opened */
	bool keeps_sockets; /* its old ones, if new ones cannot be opened */
	/* left_by_dead has seen that it is dead, but waitpid has not returned
	 * it yet. */
	bool was_dead;
	struct endpoint_specs specs;
	ino_t sockets[ENDPOINTS_MAX]; /* inodes of the sockets in GO */
	struct channel_limits limits;
	int64_t started_ns; /* or later, after a stall while it loads */
};

/* A process that the supervisor no longer waits for, because a thread of it
 * waits for a disk that hangs, and the process cannot end before that. */
struct left {
	pid_t pid;	/* 0: none */
	bool is_dead;	/* it did not send LEFT; its death was counted */
	bool may_write; /* one of its writes may still store bytes */
	int journal;	/* its file, for left_end; or -1 */
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
	int signals;		/* signalfd */
	int64_t restart_ns;	/* when to start a worker */
	int64_t replace_ns;	/* when to replace a stuck worker */
	int64_t kill_ns;	/* when to kill a leaving worker */
	int64_t progress_ns;	/* when a leaving worker last had progress */
	uint64_t left_messages; /* of the leaving worker, also in memory */
	bool is_cancelling;	/* reload_cancel was called for this reload */
	struct left left[LEFT_MAX];
	int64_t look_ns; /* when to look for dead children */
	struct log_rate left_rate;
	int64_t stop_ns;    /* when the first signal to stop came */
	int64_t stalled_ns; /* since then, how long nothing could run */
	int64_t killed_ns;  /* when the worker was killed at the deadline */
	int stop_signal;    /* held until the first worker works; 0: none */
	/* SIGHUP came before the first worker worked, or during a reload. */
	bool is_reload_held;
	struct reload_pace reload_pace;
	/* While stopping: a journal that the configuration no longer names. */
	char left_journal[4096];
	struct spills_left spills_left;
	/* The file that came with the last JOURNAL; -1: none.  It stays locked
	 * as long as a process has this descriptor or a copy of it. */
	int journal;
	/* When to check whether its file still has a name, and the delays of
	 * that check while it has none. */
	int64_t journal_look_ns;
	struct backoff journal_again;
	/* While stopping: messages of the journal were lost or stay in a file
	 * that was renamed. */
	bool has_left_messages;
	struct deaths deaths;
	/* The last worker that had the journal was killed from outside, or
	 * together with its supervisor. */
	bool died_of_other;
	struct log_rate refused_rate; /* of reloads */
	struct log_rate stall_rate;
	bool is_over;
	int exit_code;
};

/* Leave the loop with this exit code. */
void supervisor_end(struct supervisor *, int exit_code);

/* --- children.c */

/* Start a worker.  With log_may_fail, it works even if it cannot open Log_File.
 * False if the worker could not be started, which has been logged. */
bool child_spawn(struct supervisor *, struct child *,
		 bool log_may_fail) MUST_USE;

enum { CHILD_END_BYTES = 32 };

/* "signal=9" or "exit_code=1", from the status of waitpid. */
const char *child_end_text(int status, char room[static CHILD_END_BYTES]);

/* Log what the worker died of: the status of waitpid. */
void child_log_death(pid_t, int status);

/* The child is dead: close its channel. */
void child_forget(struct child *);

/* Send GO: the endpoints' descriptors and the counters.  While the supervisor
 * stops, the child drains for the rest of its Grace. */
void child_go(struct supervisor *, struct child *);

/* Send the worker a message without content, the counters, or STOP with the
 * rest of its Grace. */
void worker_send(struct supervisor *, enum channel_kind);

/* Ask the worker to leave.  If it does not within leave_ms, it is killed. */
void worker_leave(struct supervisor *, int64_t leave_ms);

/* Tell the worker that it must not leave.  It answers with CANCELLED, unless it
 * has already begun to leave. */
void worker_cancel_leave(struct supervisor *);

/* The worker has sent CANCELLED.  If the next worker of another reload is ready
 * already, nothing changes: the worker must leave for that one.  Otherwise it
 * is no longer killed for not leaving.  If its reload was cancelled or sluiced
 * stops, kill the next worker, if any. */
void worker_cancelled_leave(struct supervisor *);

/* The worker has sent STAY: postpone its kill if it has progress or receives.
 * If it receives, but has no progress for Reload_Timeout, cancel the reload. */
void worker_stays(struct supervisor *, const struct channel_message *);

/* Kill the worker if it has not left in time. */
void worker_check_leave(struct supervisor *);

/* When the child must have loaded its configuration; 0 if it has, or if there
 * is no child. */
int64_t child_load_ns(const struct supervisor *, const struct child *);

/* Kill the child if its configuration takes longer than Reload_Timeout. */
void child_check_load(struct supervisor *, struct child *);

/* --- reports.c */

/* The child has sent a message: if it is a report, take note of it.  Otherwise
 * return false. */
bool reports_take(struct supervisor *, struct child *,
		  const struct channel_message *) MUST_USE;

/* The child is dead: read the messages that it sent before.  Take note of
 * reports, and obey a signal to stop. */
void reports_take_rest(struct supervisor *, struct child *);

/* --- left.c */

/* The worker has sent LEFT: remember its process, which is about to end.
 * False if too many have not ended: then the worker's end must be awaited. */
bool left_by_worker(struct supervisor *) MUST_USE;

/* If the child was dead at the last call, and waitpid has not returned it since
 * then, remember its process and return true.  *status is what it died of.
 * False also if it may have locked a journal of which there is no descriptor
 * here, or if too many processes have not ended. */
bool left_by_dead(struct supervisor *, struct child *, int *status) MUST_USE;

/* Whether a write of a dead worker may still store bytes. */
bool left_may_write(const struct supervisor *);

/* If no write of a dead worker can store bytes any more, tell the worker to
 * write. */
void left_look(struct supervisor *);

/* A process has ended.  If it is remembered, forget it and do the same as
 * left_look.  A bad end of a process that had sent LEFT is logged and counted.
 */
void left_ended(struct supervisor *, pid_t pid, int status);

/* In a new worker: close its copies of the journals of these processes. */
void left_disown(struct supervisor *);

/* The supervisor ends: kill the worker and all processes that have left.  Their
 * journal stays locked until these processes have ended, so the next sluiced
 * cannot write before that.  If none can write any more, unlock it. */
void left_end(struct supervisor *);

/* --- kept.c */

/* A worker has sent JOURNAL: keep the journal that came with it instead of the
 * previous one.  If messages stay in that one because it was renamed, log
 * this. */
void kept_take(struct supervisor *, const struct channel_message *);

/* Add the journal to GO. */
void kept_pass(struct supervisor *, struct channel_message *);

/* The configuration now has the journal at this path; empty: in memory.  If
 * that is another one, end the old one, and log if messages wait in it. */
void kept_change(struct supervisor *, const char *path);

/* The worker has ended.  If the journal's file is not in its place, put it
 * there again, unless that would copy much data.  If it was removed and another
 * file is in its place, log how many messages are lost. */
void kept_worker_ended(struct supervisor *);

/* If the journal's file was renamed, rename it back.  If it was removed,
 * reload, so that it is copied; with much data, or another file in its place,
 * only log that. */
void kept_look(struct supervisor *, int64_t now_ns);

/* The worker is asked to leave: whether the next one cannot continue in the
 * journal, because another file is in its place, or because it was renamed and
 * cannot be renamed back. */
bool kept_must_be_emptied(const struct supervisor *) MUST_USE;

/* No worker will use the journal: if its file is not in its place, put it there
 * again, or log how many messages are lost or stay behind.  Then do the same as
 * kept_close. */
void kept_end(struct supervisor *);

/* Close the journal.  Unless a process has it, it is unlocked. */
void kept_close(struct supervisor *);

/* --- reload.c */

/* Start a new worker beside the old one.  False, and logged, if that is
 * impossible now. */
bool reload_begin(struct supervisor *, enum reload_cause);

/* SIGHUP has come.  If a reload is impossible until the first worker works or
 * until another reload ends, it is held.  Several such signals count as one,
 * because the reload that they cause reads all that was changed before. */
void reload_signalled(struct supervisor *);

/* If a SIGHUP is held, and a reload is possible now, start it. */
void reload_begin_held(struct supervisor *);

/* The worker has sent RELOAD: start a reload, or answer why not. */
void reload_requested(struct supervisor *);

/* The new worker has ended.  If the old one was asked to leave, but has not
 * begun to, it stays.  is_conf_bad: the new worker could not load the
 * configuration, or its endpoints could not be opened, so the next worker would
 * fail, too. */
void reload_failed(struct supervisor *, const char *why, bool is_conf_bad);

/* The old worker waits for too long: ask it to stay.  If it does, the new
 * worker ends, and the reload has failed.  Nothing happens if the new
 * configuration has closed one of the old worker's sockets. */
void reload_cancel(struct supervisor *);

/* The next worker is ready: ask the old one to leave.  When it has left,
 * on_worker_end calls reload_take_over. */
void reload_hand_over(struct supervisor *);

/* The old worker has left: the next one is the worker now. */
void reload_take_over(struct supervisor *);

/* --- stopping.c */

/* A signal to stop has come.  If the first worker does not work yet, obey the
 * signal when it does; at a second signal, the supervisor ends at once. */
void stopping_begin(struct supervisor *, int signum);

/* At the deadline, kill the worker.  DEATH_MS later, end even if it still
 * lives. */
void stopping_check(struct supervisor *);

/* The worker was killed at the deadline: log how many messages stay in the
 * journal, and end. */
void stopping_end(struct supervisor *);

/* While stopping, the worker has ended with this status of waitpid.  Whether
 * another worker must continue: it died, or failed before Grace was over, for
 * example because the kernel refused it a thread. */
bool stopping_starts_next(const struct supervisor *, int status) MUST_USE;

/* While stopping, a worker's configuration was seen that has this journal. */
void stopping_saw_journal(struct supervisor *, const char *path);

/* The supervisor ends: if messages stay in a journal that the configuration no
 * longer names, or lines in spills beside it, log that, and do not end with
 * 0. */
void stopping_report_journal(struct supervisor *);

/* When stopping_check must be called next; 0: never. */
int64_t stopping_next_ns(const struct supervisor *);

#endif
