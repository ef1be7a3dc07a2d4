/* SPDX-License-Identifier: Apache-2.0 */
/* channel - the messages between supervisor and worker, over a socket pair.
 *
 *     worker                                     supervisor
 *       | reads the configuration                    |
 *       |--- READY: the endpoints that I need ------>| opens them; on a reload:
 *       |                                            | sends LEAVE to the old
 *       |<-- GO: here they are ----------------------| worker, awaits LEFT
 *       | opens the journal                          |
 *       |--- JOURNAL: this is its file ------------->| keeps it (kept.c)
 *       | starts its pipeline                        |
 *       |--- WORKING ------------------------------->|
 *       |--- RETIRED_READ: old sockets are empty --->| closes them (retired.h)
 *       |--- RELOAD: requested over HTTP ----------->|
 *       |--- OUTPUTS_GOOD: they took a write ------->|
 *       |<-- REFUSED: no reload is possible now -----|
 *       |<-- TOO_SOON: no reload over HTTP before ...|
 *       |--- TOO_SOON: I have refused n of them ---->|
 *       |<-- COUNTS: a reload has failed ------------|
 *       |<-- LEAVE: finish the batch, hand over, end |
 *       |--- STAY: I cannot leave yet -------------->| does not kill it for now
 *       |--- LEFT: all is closed ------------------->| sends GO to the next
 *       |                                            | worker
 *       |<-- CANCEL: do not leave -------------------|
 *       |--- CANCELLED: I had not begun to leave --->|
 *       |<-- WRITE: the dead worker writes no more --|
 *       |--- STUCK: one message takes too long ----->| sends LEAVE and starts
 *       |                                            | another worker
 *       |--- SIGNAL: somebody signalled the worker ->| obeys the signal
 *       |<-- STOP: drain, write everything, end -----|
 *
 * Each message is one packet.  A closed channel means that the other process is
 * gone. */
#ifndef PROCESS_CHANNEL_H
#define PROCESS_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "intake/endpoints.h"
#include "status/worker_counts.h"

enum channel_kind {
	CHANNEL_READY = 1,
	CHANNEL_GO,
	CHANNEL_JOURNAL,
	CHANNEL_WORKING,
	CHANNEL_RETIRED_READ,
	CHANNEL_RELOAD,
	CHANNEL_OUTPUTS_GOOD,
	CHANNEL_COUNTS,
	CHANNEL_LEAVE,
	CHANNEL_STAY,
	CHANNEL_LEFT,
	CHANNEL_CANCEL,
	CHANNEL_CANCELLED,
	CHANNEL_STUCK,
	CHANNEL_REFUSED,
	CHANNEL_TOO_SOON,
	CHANNEL_WRITE,
	CHANNEL_SIGNAL,
	CHANNEL_STOP,
};

/* Sockets, retired sockets, HTTP, the journal. */
enum { CHANNEL_FDS_MAX = ENDPOINTS_MAX + RETIRED_MAX + 2 };

/* Where and what to log, as configured. */
struct channel_log {
	char path[ENDPOINT_PATH_BYTES]; /* empty: standard error */
	int level;			/* enum log_level */
};

/* Limits that the supervisor enforces when the worker does not react. */
struct channel_limits {
	int64_t grace_ms;	 /* Grace */
	int64_t reload_ms;	 /* Reload_Timeout */
	char journal_path[4096]; /* empty: in memory */
};

struct channel_message {
	enum channel_kind kind;
	/* READY: the endpoints.  GO: only the retired sockets: how many there
	 * are, and the `input` of each. */
	struct endpoint_specs specs;
	struct channel_log log; /* READY */
	/* READY.  GO: only journal_path, of an earlier configuration
	 * (process/spills_left.h). */
	struct channel_limits limits;
	struct worker_counts worker_counts; /* GO, COUNTS, TOO_SOON */
	bool is_draining;		    /* GO: a signal to stop has come */
	bool died_of_other;		    /* GO: as in journal_opts */
	/* GO: a dead worker may still write; do not write before WRITE. */
	bool is_held;
	int64_t grace_left_ms;		       /* STOP; GO, when draining */
	uint32_t queue_lengths[ENDPOINTS_MAX]; /* GO */
	bool are_kept[ENDPOINTS_MAX];	       /* GO, see socket_adopt */
	bool is_reload;			       /* LEAVE */
	bool is_journal_left; /* LEAVE: the next worker has another journal */
	bool kept_by_next[ENDPOINTS_MAX]; /* LEAVE: inputs that remain */
	bool has_progress; /* STAY: since the last one; see leaving.c */
	bool is_receiving; /* STAY: the worker receives as before */
	uint64_t queued;   /* STAY: messages in the journal or only in memory */
	/* TOO_SOON: no reload over HTTP is accepted before this time
	 * (clock_mono_ns). */
	int64_t reload_from_ns;
	int signum;	  /* SIGNAL: a signal to stop, or SIGHUP */
	bool has_journal; /* GO: the last descriptor is the journal's file */
	/* GO: the sockets, then HTTP, then the retired sockets, then the file
	 * of the previous worker's journal, if any.  JOURNAL: the journal's
	 * file, if any.  The receiver must close them. */
	int fds[CHANNEL_FDS_MAX];
	uint32_t fd_count;
};

/* Create a channel; both ends are close-on-exec. */
bool channel_pair(int ends[2], struct err *) MUST_USE;

/* False if the other process is gone. */
bool channel_send(int fd, const struct channel_message *) MUST_USE;

/* Wait for a message.  False if the other process is gone, and all that it sent
 * has been received. */
bool channel_receive(int fd, struct channel_message *) MUST_USE;

/* Whether channel_receive would not wait. */
bool channel_is_readable(int fd) MUST_USE;

#endif
