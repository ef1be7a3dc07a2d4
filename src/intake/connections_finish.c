/* SPDX-License-Identifier: Apache-2.0 */
/* How all connections end: because this worker finishes, or leaves them to the
 * next worker. */
#include <string.h>
#include <sys/socket.h>

#include "intake/connection.h"
#include "intake/handover.h"
#include "intake/socket.h"

enum {
	/* More than the kernel's buffer holds.  A sender on the network need
	 * not stop when it is refused, so this is bounded. */
	REST_BYTES_MAX = 16 * 1024 * 1024,
	/* Twice what can wait in the kernel.  A client on the network can
	 * connect until it is refused. */
	REST_CONNECTIONS_MAX = 2 * SOMAXCONN,
};

bool connection_take_rest(struct connection *connection)
{
	const struct socket_stats *stats =
		socket_stats(connection->from->input.socket);
	uint64_t before = stats->bytes_total;
	uv_poll_stop(&connection->poll);
	stream_refuse(connection->stream);
	while (stats->bytes_total - before < REST_BYTES_MAX) {
		enum stream_state state = connection_receive(connection);
		if (state == STREAM_ENDED)
			return true;
		if (state == STREAM_FULL)
			return false;
		if (state == STREAM_IDLE)
			break;
	}
	stream_end(connection->stream);
	return connection_receive(connection) == STREAM_ENDED;
}

static void refuse(struct listener *l)
{
	socket_refuse(l->input.socket);
	l->is_shut = true;
}

/* Returns whether more may wait. */
static bool accept_waiting(struct listener *l)
{
	while (l->rest_count < REST_CONNECTIONS_MAX && connection_accept(l))
		l->rest_count++;
	return l->rest_count < REST_CONNECTIONS_MAX &&
	       l->all->shares.count >= l->all->opts.count_max;
}

/* Accept the connections that wait in the kernel, up to the maximum, and let no
 * other sender connect.  A Unix socket that is shut down keeps the connections
 * that wait (af_unix.c, unix_accept), but TCP resets them.  So a Unix socket is
 * shut down first, and TCP when no connection is left.  Returns whether more
 * may wait. */
static bool accept_rest(struct listener *l)
{
	bool is_unix = socket_kind_is_unix(socket_kind(l->input.socket));
	if (is_unix && !l->is_shut)
		refuse(l);
	if (accept_waiting(l))
		return true;
	if (!l->is_shut)
		refuse(l);
	return false;
}

bool connections_finish(struct connections *c)
{
	bool may_others_wait;
	c->state = CONNECTIONS_FINISHING;
	connections_stop_listening(c);
	do {
		may_others_wait = false;
		for (size_t i = 0; i < c->listener_count; i++)
			may_others_wait |= accept_rest(c->listeners[i]);
		while (c->first != NULL)
			if (!connection_take_rest(c->first))
				return false;
	} while (may_others_wait);
	return true;
}

/* False when the connection stays here. */
static bool hand_over(struct connection *connection)
{
	const struct stream *stream = connection->stream;
	struct span held = stream_held(stream);
	struct handed handed = {
		.listener = socket_inode(connection->from->input.socket),
		.framing = *stream_framing(stream),
		.held_bytes = held.len,
	};
	memcpy(handed.peer_address, connection->peer_address,
	       sizeof handed.peer_address);
	if (!handover_give(connection->all->opts.handover, stream_fd(stream),
			   &handed, held.ptr))
		return false;
	connection_close(connection);
	return true;
}

static bool is_kept(const struct listener *l, const bool *kept_by_next)
{
	return kept_by_next != NULL && kept_by_next[l->input.number];
}

void connections_leave(struct connections *c, const bool *kept_by_next)
{
	bool may_others_wait;
	connections_stop_listening(c);
	uv_timer_stop(&c->retry);
	uv_timer_stop(&c->tick);
	uv_timer_stop(&c->rest);
	c->state = CONNECTIONS_FINISHING;
	do {
		may_others_wait = false;
		for (size_t i = 0; i < c->listener_count; i++)
			if (!is_kept(c->listeners[i], kept_by_next))
				may_others_wait |= accept_rest(c->listeners[i]);
		while (c->first != NULL) {
			if (c->first->end_by_ns == 0 &&
			    is_kept(c->first->from, kept_by_next) &&
			    hand_over(c->first))
				continue;
			if (!connection_take_rest(c->first))
				connection_cut(c->first);
		}
	} while (may_others_wait);
}
