/* SPDX-License-Identifier: Apache-2.0 */
/* link - what supervisor and worker say to each other, over a socket pair.
 *
 *     worker                                     supervisor
 *       | assembles the configuration                |
 *       |--- READY: the endpoints that I need ------>| opens them; on a reload:
 *       |                                            | LEAVE to the worker before
 *       |<-- GO: here they are ----------------------| and waits for its end
 *       | opens the journal                          |
 *       |--- WORKING ------------------------------->|
 *       |--- RELOAD: somebody asked over HTTP ------>|
 *       |<-- TALLY: reloads, deaths -----------------|
 *       |<-- LEAVE: hand over, finish the batch, end |
 *       |--- STAY: not yet, I would lose lines ----->| for so long it is not
 *       |                                            | killed
 *
 * Each message is one packet.  A closed link means that the other is gone. */
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
	CHANNEL_WORKING,
	CHANNEL_RELOAD,
	CHANNEL_COUNTS,
	CHANNEL_LEAVE,
	CHANNEL_STAY,
};

/* Where the configuration wants our own lines. */
struct channel_log {
	char path[ENDPOINT_PATH_BYTES]; /* empty: standard error */
	int level;			/* enum log_level */
};

struct channel_message {
	enum channel_kind kind;
	struct endpoint_specs specs;	    /* READY */
	struct channel_log log;		    /* READY */
	struct worker_counts worker_counts; /* GO, TALLY */
	bool is_draining;		    /* GO: a signal has come already */
	int64_t grace_left_ms;		    /* GO, when draining */
	uint32_t queue_lengths[ENDPOINTS_MAX]; /* GO */
	bool are_kept[ENDPOINTS_MAX];	       /* GO, see socket_adopt */
	bool live_on[ENDPOINTS_MAX];	       /* LEAVE: the next has it too */
	/* GO: sockets, then HTTP.  Of a message that was received, the
	 * receiver's to close. */
	int fds[ENDPOINTS_MAX + 1];
	uint32_t fd_count;
};

/* Two ends, close-on-exec. */
bool channel_pair(int ends[2], struct err *) MUST_USE;

/* False when the other end is gone. */
bool channel_send(int fd, const struct channel_message *) MUST_USE;

/* Wait for a message.  False when the other end is gone. */
bool channel_receive(int fd, struct channel_message *) MUST_USE;

#endif
