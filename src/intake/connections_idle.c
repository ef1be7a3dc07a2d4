/* SPDX-License-Identifier: Apache-2.0 */
/* How one connection ends because it is idle or makes way for another:
 *  1. end() informs the sender.  A Unix sender is refused at once; a sender
 *     over the network gets a FIN;
 *  2. the bytes that it has sent are received as before;
 *  3. when the sender has closed the connection, it is closed here, too.
 *
 * Failure modes:
 *  - the sender does not close it within ENDING_MS, or too many connections are
 *    ending: the bytes that have arrived are received, and it is closed;
 *  - the journal is full: the connection waits like all others. */
#include "base/clock.h"
#include "intake/connection.h"
#include "intake/socket.h"

enum {
	ENDING_MS = 2000,
	TICK_MS_MIN = 10,
	TICK_MS_MAX = 1000,
};

/* Receive the data that has arrived and close the connection.  If the journal
 * is full, the connection waits. */
static void cut(struct connection *connection)
{
	if (!connection_take_rest(connection))
		connection_receive_or_pause(connection);
}

static struct connection *oldest_ending(struct connections *c)
{
	struct connection *oldest = NULL;
	for (struct connection *i = c->first; i != NULL; i = i->next)
		if (i->end_by_ns != 0 &&
		    (oldest == NULL || i->end_by_ns < oldest->end_by_ns))
			oldest = i;
	return oldest;
}

static void end(struct connection *connection)
{
	struct connections *c = connection->all;
	struct socket *socket = connection->from->input.socket;
	if (c->ending_count >= c->opts.ending_max)
		cut(oldest_ending(c));
	shares_remove(&c->shares, &connection->share);
	connection->end_by_ns = clock_mono_ns() + ENDING_MS * NS_PER_MS;
	c->ending_count++;
	socket_stats(socket)->connections_ended_total++;
	if (socket_kind_is_unix(socket_kind(socket)))
		stream_refuse(connection->stream);
	else
		stream_say_end(connection->stream);
	connections_watch_idle(c);
	connection_receive_or_pause(connection);
}

void connections_make_way(struct connections *c)
{
	struct connection *connection = shares_pick(&c->shares)->owner;
	log_rated(&c->many_rate, LOG_WARN, "connections",
		  "err=\"too many connections\" connections=%zu peer=%s "
		  "action=\"ending this connection to make room for a new "
		  "one; of all connections of its host or process, it was "
		  "silent for longest\"",
		  c->shares.count - 1, connection->peer_address);
	end(connection);
}

static void cut_late(struct connections *c, int64_t now_ns)
{
	struct connection *next;
	for (struct connection *i = c->first; i != NULL; i = next) {
		next = i->next;
		if (i->end_by_ns != 0 && i->end_by_ns <= now_ns)
			cut(i);
	}
}

static int64_t idle_ns_of(const struct connection *connection)
{
	return connection->from->input.idle_ms * NS_PER_MS;
}

static void end_idle(struct connections *c, int64_t now_ns)
{
	struct share *next;
	for (struct share *s = c->shares.first; s != NULL; s = next) {
		struct connection *connection = s->owner;
		int64_t idle_ns = idle_ns_of(connection);
		next = s->next;
		if (idle_ns == 0 || now_ns - s->active_ns < idle_ns)
			continue;
		/* Timers run before descriptors are polled, so it may have
		 * sent bytes that are not yet read. */
		connection_receive_or_pause(connection);
		if (c->state != CONNECTIONS_OPEN)
			break;
		if (s->host != NULL && now_ns - s->active_ns >= idle_ns)
			end(connection);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct connections *c = timer->data;
	int64_t now_ns = clock_mono_ns();
	if (c->state == CONNECTIONS_OPEN)
		cut_late(c, now_ns);
	if (c->state == CONNECTIONS_OPEN)
		end_idle(c, now_ns);
	connections_watch_idle(c);
}

void connections_watch_idle(struct connections *c)
{
	int64_t tick_ms = TICK_MS_MAX;
	bool is_needed = c->ending_count > 0;
	for (size_t i = 0; i < c->listener_count; i++) {
		int64_t idle_ms = c->listeners[i]->input.idle_ms;
		is_needed |= idle_ms > 0;
		if (idle_ms > 0 && idle_ms / 2 < tick_ms)
			tick_ms = idle_ms / 2;
	}
	if (tick_ms < TICK_MS_MIN)
		tick_ms = TICK_MS_MIN;
	if (!is_needed)
		uv_timer_stop(&c->tick);
	else if (!uv_is_active((uv_handle_t *)&c->tick))
		uv_timer_start(&c->tick, on_tick, (uint64_t)tick_ms,
			       (uint64_t)tick_ms);
}
