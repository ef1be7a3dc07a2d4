/* SPDX-License-Identifier: Apache-2.0 */
/* connection - the inside of connections: for connections.c, which opens them,
 * connections_turns.c, which reads them, connections_idle.c, which ends single
 * ones, and connections_finish.c, which ends all. */
#ifndef INTAKE_CONNECTION_H
#define INTAKE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/check.h"
#include "base/cpu_budget.h"
#include "base/log.h"
#include "intake/connections.h"
#include "intake/shares.h"
#include "intake/stream.h"
#include "journal/peer_address.h"

/* PAUSED <-> OPEN, then FINISHING, then STOPPING. */
enum connections_state {
	CONNECTIONS_PAUSED,    /* at first, and while the journal is full */
	CONNECTIONS_OPEN,      /* connections are accepted and read */
	CONNECTIONS_FINISHING, /* only waiting connections are accepted */
	CONNECTIONS_STOPPING,  /* handles are being closed */
};

struct listener {
	struct connections *all;
	struct connections_input input;
	uv_poll_t poll;
	bool is_shut;
	uint32_t rest_count; /* connections accepted while all end */
};

struct connection {
	struct connections *all;
	struct listener *from;
	struct stream *stream;
	uv_poll_t poll;
	char peer_address[PEER_ADDRESS_TEXT_BYTES];
	struct share share; /* in no list while it is ending */
	int64_t end_by_ns;  /* the deadline while it is ending; otherwise 0 */
	struct connection *next;
	struct connection **place; /* the pointer to this connection */
};

struct connections {
	struct connections_opts opts;
	struct listener **listeners;
	size_t listener_count;
	/* In the order of their turns: the first waits longest. */
	struct connection *first;
	struct connection **last; /* the pointer after the last one */
	struct shares shares;	  /* of the connections that are not ending */
	size_t ending_count;
	enum connections_state state;
	uv_timer_t retry;	  /* active while accepting is paused */
	uv_timer_t tick;	  /* for idle and ending connections */
	struct cpu_budget budget; /* for accepting and closing */
	int64_t closing_cpu_ns;	  /* since the budget was last charged */
	bool has_datagrams;	  /* see connections_yield_to_datagrams */
	struct cpu_budget reading_budget;
	uv_timer_t rest; /* active while the budget makes reading pause */
	unsigned open_handles;
	uv_poll_cb on_connect; /* used before it is defined */
	struct log_rate short_rate;
	struct log_rate many_rate;
	struct log_rate lost_rate;
};

/* Accept the next connection.  False if none waits, or if none may be accepted
 * now. */
bool connection_accept(struct listener *from);

/* Put the connection at the end of the list, or take it out. */
void connection_link_last(struct connection *);
void connection_unlink(struct connection *);

/* Whether reading pauses because its budget is used up.  Then no connection is
 * polled. */
bool connections_are_resting(const struct connections *);

/* Read all connections once, or until reading pauses.  The connection that has
 * waited longest comes first.  Whole messages that a stream already holds go
 * into the journal, too. */
void connections_receive_all(struct connections *);

/* Call connections_receive_all, and poll all connections if reading has not
 * paused again. */
void connections_start_reading(struct connections *);

/* Give a connection with waiting bytes its turn. */
void connection_on_readable(uv_poll_t *, int status, int events);

/* Read the waiting data.  STREAM_ENDED: the connection has been closed. */
enum stream_state connection_receive(struct connection *) MUST_USE;

/* Like connection_receive; if the journal is full, pause all connections. */
void connection_receive_or_pause(struct connection *);

/* Refuse the sender, read the bytes that the kernel still holds, and close the
 * connection.  False when the journal has no room: the connection is still
 * open. */
bool connection_take_rest(struct connection *) MUST_USE;

/* Close the connection.  Returns how many received or readable bytes are lost
 * with it. */
size_t connection_close(struct connection *);

/* Close the connection.  Bytes that found no room in the journal are lost and
 * logged. */
void connection_cut(struct connection *);

/* Accept no connections. */
void connections_stop_listening(struct connections *);

/* There is one connection too many: end the one that shares_pick names. */
void connections_make_way(struct connections *);

/* Let the timer look for idle and ending connections, if there can be any. */
void connections_watch_idle(struct connections *);

#endif
