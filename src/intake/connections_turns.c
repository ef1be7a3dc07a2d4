/* SPDX-License-Identifier: Apache-2.0 */
/* How connections are read: each has a turn in which a part of its bytes goes
 * into the journal.
 *
 * Beside datagram inputs, streams yield to datagrams.  A sender over a stream
 * waits without loss, but the kernel refuses datagrams when its short queue is
 * full:
 *  - a quarter of the journal stays free for datagrams.  When streams have used
 *    up the rest, they pause until half of the journal is free;
 *  - under a CPU limit, reading pauses whenever it has used up its share
 *    (base/cpu_budget.h).  Meanwhile the kernel joins small pieces, so the next
 *    turn reads more at once. */
#include "base/clock.h"
#include "intake/connection.h"
#include "intake/socket.h"
#include "journal/journal.h"

enum {
	RESERVE_PART = 4, /* which part of the journal stays free */
	RESUME_PART = 2,  /* which part must be free to continue */
	/* In a shorter pause, the budget gains too little for a round of turns,
	 * and the kernel joins too little. */
	REST_MS_MIN = 20,
};

void connection_unlink(struct connection *connection)
{
	*connection->place = connection->next;
	if (connection->next != NULL)
		connection->next->place = connection->place;
	else
		connection->all->last = connection->place;
}

void connection_link_last(struct connection *connection)
{
	struct connections *c = connection->all;
	connection->next = NULL;
	connection->place = c->last;
	*c->last = connection;
	c->last = &connection->next;
}

static void stop_reading(struct connections *c)
{
	for (struct connection *i = c->first; i != NULL; i = i->next)
		uv_poll_stop(&i->poll);
}

static void pause_all(struct connections *c)
{
	c->state = CONNECTIONS_PAUSED;
	connections_stop_listening(c);
	stop_reading(c);
	c->opts.on_full(c->opts.data);
}

static void on_rested(uv_timer_t *timer);

bool connections_are_resting(const struct connections *c)
{
	return uv_is_active((const uv_handle_t *)&c->rest) != 0;
}

/* Reading has used up used_ns of CPU time. */
static void charge_reading(struct connections *c, int64_t used_ns)
{
	int64_t pause_ns = cpu_budget_pause_ns(&c->reading_budget,
					       clock_mono_ns(), used_ns);
	if (pause_ns == 0 || c->state != CONNECTIONS_OPEN ||
	    connections_are_resting(c))
		return;
	uint64_t ms = (uint64_t)(pause_ns / NS_PER_MS + 1);
	stop_reading(c);
	uv_timer_start(&c->rest, on_rested, ms < REST_MS_MIN ? REST_MS_MIN : ms,
		       0);
}

/* How many bytes of the journal stay free for datagrams.  When this worker
 * finishes or leaves, streams may use them, too. */
static size_t reserve_bytes(const struct connections *c)
{
	if (!c->has_datagrams || c->state != CONNECTIONS_OPEN)
		return 0;
	return journal_ring_bytes(c->opts.journal) / RESERVE_PART;
}

static enum stream_state take_turn(struct connection *connection)
{
	struct connections *c = connection->all;
	struct socket_stats *stats =
		socket_stats(connection->from->input.socket);
	uint64_t before = stats->stream_messages_total;
	enum stream_state state =
		stream_receive(connection->stream, c->opts.journal,
			       clock_real_ns(), reserve_bytes(c));
	bool has_messages = stats->stream_messages_total != before;
	if (has_messages)
		shares_touch(&c->shares, &connection->share, clock_mono_ns());
	c->opts.on_turn(c->opts.data, has_messages);
	if (state == STREAM_ENDED)
		connection_cut(connection);
	return state;
}

enum stream_state connection_receive(struct connection *connection)
{
	struct connections *c = connection->all;
	if (!c->has_datagrams)
		return take_turn(connection);
	cpu_budget_read_limit(&c->reading_budget, clock_mono_ns());
	if (c->reading_budget.limit.quota_ns == 0)
		return take_turn(connection);
	int64_t began_ns = clock_thread_cpu_ns();
	enum stream_state state = take_turn(connection);
	charge_reading(c, clock_thread_cpu_ns() - began_ns);
	return state;
}

void connection_receive_or_pause(struct connection *connection)
{
	struct connections *c = connection->all;
	if (connection_receive(connection) == STREAM_FULL &&
	    c->state == CONNECTIONS_OPEN)
		pause_all(c);
}

static void start_turn(struct connection *connection)
{
	connection_unlink(connection);
	connection_link_last(connection);
	connection_receive_or_pause(connection);
}

void connection_on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status; /* recv() reports errors */
	(void)events;
	start_turn(poll->data);
}

void connections_receive_all(struct connections *c)
{
	size_t count = c->shares.count + c->ending_count;
	for (size_t i = 0; i < count && c->first != NULL; i++) {
		if (c->state != CONNECTIONS_OPEN || connections_are_resting(c))
			break;
		start_turn(c->first);
	}
}

void connections_start_reading(struct connections *c)
{
	connections_receive_all(c);
	if (c->state != CONNECTIONS_OPEN || connections_are_resting(c))
		return;
	for (struct connection *i = c->first; i != NULL; i = i->next)
		uv_poll_start(&i->poll, UV_READABLE, connection_on_readable);
}

static void on_rested(uv_timer_t *timer)
{
	connections_start_reading(timer->data);
}

void connections_yield_to_datagrams(struct connections *c)
{
	c->has_datagrams = true;
}

bool connections_have_room(const struct connections *c)
{
	struct journal *j = c->opts.journal;
	return journal_room(j) > 0 &&
	       (!c->has_datagrams ||
		journal_pending_bytes(j) <=
			journal_ring_bytes(j) / RESUME_PART);
}
