/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/connections.h"
#include "intake/receiver_state.h"
#include "intake/socket.h"
#include "journal/journal.h"

enum {
	/* These read more than a receive buffer holds.  A UDP sender may
	 * continue, so the number of rounds is bounded. */
	REST_ROUNDS_MAX = 16,
	/* The smallest datagrams of that number take 48 MiB in the kernel. */
	REST_DATAGRAMS_MAX = 65536,
};

/* Read what waits in the socket, as far as the journal has room. */
static void take_waiting(struct datagram_input *s)
{
	int round = 0;
	while (round++ < REST_ROUNDS_MAX && receiver_receive(s) > 0 &&
	       s->receiver->flow != DATAGRAMS_PAUSED)
		;
}

void receiver_take_retired(struct receiver *r)
{
	uint32_t end = r->input_count + r->retired_count;
	if (r->retired_count == 0)
		return;
	for (uint32_t i = r->input_count; i < end; i++) {
		take_waiting(&r->inputs[i]);
		if (r->flow == DATAGRAMS_PAUSED)
			return;
	}
	r->retired_count = 0;
	r->opts.on_retired_read(r->opts.data);
}

/* The senders of UDP and of a socket of systemd cannot be refused, and may
 * continue.  So only as much is read as can have waited before. */
static void take_rest_of(struct datagram_input *s)
{
	bool is_refused = socket_is_refused(s->socket);
	uint64_t count = 1;
	while (s->receiver->flow != DATAGRAMS_PAUSED && count > 0 &&
	       (is_refused || s->rest_count < REST_DATAGRAMS_MAX)) {
		count = receiver_receive(s);
		s->rest_count += count;
	}
}

void receiver_take_rest(struct receiver *r)
{
	receiver_take_retired(r);
	for (uint32_t i = 0; i < r->input_count; i++)
		take_rest_of(&r->inputs[i]);
	if (r->flow == DATAGRAMS_PAUSED)
		return;
	if (!connections_finish(r->connections)) {
		if (!receiver_is_blocked(r)) {
			receiver_wait_for_room(r);
			return;
		}
		connections_leave(r->connections, NULL);
	}
	uv_timer_stop(&r->wake_timer);
	r->phase = RECEIVER_FINISHED;
	r->on_done(r->done_data);
}

void receiver_finish(struct receiver *r, void (*on_done)(void *), void *data)
{
	r->on_done = on_done;
	r->done_data = data;
	r->phase = RECEIVER_FINISHING;
	receiver_stop_polls(r);
	for (uint32_t i = 0; i < r->input_count; i++)
		socket_refuse(r->inputs[i].socket);
	if (r->flow != DATAGRAMS_PAUSED)
		receiver_take_rest(r);
}

/* No other worker listens on this socket: read the data that the kernel still
 * holds. */
static void take_last(struct datagram_input *s)
{
	socket_refuse(s->socket);
	take_waiting(s);
}

void receiver_leave(struct receiver *r, const bool *kept_by_next)
{
	atomic_store(&r->waits_for_room, false);
	r->flow = DATAGRAMS_FLOWING;
	r->phase = RECEIVER_LEAVING;
	receiver_stop_polls(r);
	for (uint32_t i = 0; i < r->input_count; i++)
		if (kept_by_next == NULL || !kept_by_next[r->inputs[i].number])
			take_last(&r->inputs[i]);
	for (uint32_t i = 0; i < r->retired_count; i++)
		take_last(&r->inputs[r->input_count + i]);
	connections_leave(r->connections, kept_by_next);
	uv_timer_stop(&r->wake_timer);
}
