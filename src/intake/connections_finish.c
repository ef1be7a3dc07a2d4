/* SPDX-License-Identifier: Apache-2.0 */
/* How all connections end: because this worker finishes, or leaves them to the
 * next worker. */
#include <string.h>

#include "intake/connection.h"
#include "intake/handover.h"
#include "intake/socket.h"

enum {
	/* More than the kernel's buffer holds.  A sender on the network need
	 * not stop when it is refused, so this is bounded. */
	REST_BYTES_MAX = 16 * 1024 * 1024,
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

/* Accept the connections that wait in the kernel, up to the maximum.  If none
 * is left, shut down the socket, so that no sender can connect any more. */
static void accept_rest(struct listener *l)
{
	struct connections *c = l->all;
	while (connection_accept(l))
		;
	if (l->is_shut || c->shares.count >= c->opts.count_max)
		return;
	socket_refuse(l->input.socket);
	l->is_shut = true;
	while (connection_accept(l)) /* connected in between */
		;
}

bool connections_finish(struct connections *c)
{
	bool may_others_wait;
	c->state = CONNECTIONS_FINISHING;
	connections_stop_listening(c);
	do {
		for (size_t i = 0; i < c->listener_count; i++)
			accept_rest(c->listeners[i]);
		may_others_wait = c->shares.count >= c->opts.count_max;
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
		for (size_t i = 0; i < c->listener_count; i++)
			if (!is_kept(c->listeners[i], kept_by_next))
				accept_rest(c->listeners[i]);
		may_others_wait = c->shares.count >= c->opts.count_max;
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
