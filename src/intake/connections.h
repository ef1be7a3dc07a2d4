/* SPDX-License-Identifier: Apache-2.0 */
/* connections - stream sockets in the libuv loop: connections are accepted,
 * read and closed.
 *
 * All inputs together have at most count_max connections, and connecting and
 * disconnecting get a part of the CPU limit (base/cpu_budget.h).
 * If all places are taken, a new sender gets the place of an open connection.
 * The user or host with the most connections loses one of them
 * (intake/shares.h).  The bytes that its sender had sent are received.  While
 * the journal is full, nothing is accepted or read: the senders wait, and
 * nothing is dropped.  Beside datagram inputs, the journal counts as full when
 * only a quarter of it is free, and reading pauses whenever it has used up half
 * of the CPU limit.
 * A worker that leaves hands its connections over to the next worker
 * (intake/handover.h), and their senders notice nothing.  For the intake thread
 * only. */
#ifndef INTAKE_CONNECTIONS_H
#define INTAKE_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "intake/framing.h"

struct connections;
struct handover;
struct journal;
struct socket;

struct connections_opts { /* all borrowed */
	uv_loop_t *loop;
	struct journal *journal;
	const struct handover *handover; /* or NULL */
	size_t count_max;		 /* of connections */
	size_t ending_max;		 /* ending ones, in addition */
	/* Called after each read from a connection, so that other inputs can
	 * be served before the next connection. */
	void (*on_turn)(void *, bool has_messages);
	/* The journal is full and all connections are paused.  Call
	 * connections_resume when connections_have_room. */
	void (*on_full)(void *);
	void *data;
};

struct connections_input {
	struct socket *socket; /* a stream socket */
	uint16_t number;       /* of the input */
	enum framing_kind framing;
	size_t message_bytes_max;
	bool keeps_peer_address;
	int64_t idle_ms; /* how long it may be silent; 0: forever */
};

/* Nothing is accepted before connections_resume. */
struct connections *connections_new(const struct connections_opts *);

/* Add an input.  Call this before connections_resume. */
void connections_add(struct connections *, const struct connections_input *);

/* Take over the connections of the previous worker.  Call this before
 * connections_resume. */
void connections_take_over(struct connections *);

/* There are datagram inputs, too.  Datagrams cannot wait as long as streams
 * can, so connections leave a quarter of the journal and half of the CPU limit
 * to them.  Call this before connections_resume. */
void connections_yield_to_datagrams(struct connections *);

/* Accept and read: for the first time, or again after on_full. */
void connections_resume(struct connections *);

/* Whether they wait for connections_resume. */
bool connections_are_paused(const struct connections *);

/* Whether the journal has room enough to resume.  Beside datagram inputs, half
 * of it must be free. */
bool connections_have_room(const struct connections *);

/* Accept the connections and read the bytes that wait now. */
void connections_poll(struct connections *);

/* Accept the connections that wait in the kernel, refuse new ones, read the
 * bytes that the kernel holds, and close all connections.  False when the
 * journal has no room yet: call again. */
bool connections_finish(struct connections *);

/* Hand over the connections of those inputs whose sockets the next worker
 * keeps: kept_by_next[input number], or NULL when there is no next worker.
 * Finish the other connections as connections_finish does; bytes for which the
 * journal has no room are lost and logged. */
void connections_leave(struct connections *, const bool *kept_by_next);

/* Close the handles.  The loop must run again, which frees the memory.  NULL is
 * allowed. */
void connections_stop(struct connections *);

#endif
