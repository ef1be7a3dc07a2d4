/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 *  1. datagrams arrive and libuv calls on_readable;
 *  2. receive() lets recvmmsg write them into the journal's slots and appends
 *     them to the journal;
 *  3. arrived() wakes the consumer at once if 256 KiB wait, otherwise after
 *     half of Flush;
 *  4. sockets of removed inputs are read until they are empty, before all
 *     others (intake/retired.h);
 *  5. under steady load the loop sleeps for a moment before it polls again, so
 *     that one recvmmsg call takes many datagrams (intake/pace.h).
 * Failure modes:
 *  - the journal is full and the consumer writes: datagrams are PAUSED and wait
 *    in the kernel until receiver_progress reports room;
 *  - the journal is full and the output is blocked: datagrams are DROPPING;
 *    they are still received, and the journal refuses and counts the newest;
 *  - a stream finds no room: connections.c pauses all streams; it never drops;
 *  - the worker finishes and the journal is full: on_progress calls
 *    receiver_take_rest again when there is room or the output is blocked. */
#include "intake/receiver.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "intake/connections.h"
#include "intake/endpoints.h"
#include "intake/pace.h"
#include "intake/receiver_state.h"
#include "intake/socket.h"
#include "intake/udp_receive.h"
#include "journal/journal.h"
#include "journal/peer_address.h"

#define NO_SLEEP UINT64_MAX

enum {
	SLEEPS_MAX = 8,
	ROUNDS_MAX = 64, /* recvmmsg calls before timers have a turn */
	WAKE_AT_BYTES = 256 * 1024, /* then the consumer is woken at once */
};

static void on_wake_timer(uv_timer_t *timer)
{
	struct receiver *r = timer->data;
	r->opts.on_messages(r->opts.data);
	for (uint32_t i = 0; i < r->input_count; i++)
		socket_see_drops(r->inputs[i].socket);
}

static void arrived(struct receiver *r)
{
	r->arrivals++;
	if (journal_pending_bytes(r->opts.journal) >= WAKE_AT_BYTES) {
		uv_timer_stop(&r->wake_timer);
		r->opts.on_messages(r->opts.data);
	} else if (!uv_is_active((uv_handle_t *)&r->wake_timer)) {
		uv_timer_start(&r->wake_timer, on_wake_timer,
			       r->opts.wake_after_ms, 0);
	}
}

void receiver_stop_polls(struct receiver *r)
{
	for (uint32_t i = 0; i < r->input_count; i++)
		uv_poll_stop(&r->inputs[i].poll);
	r->sleep_us = 0;
}

/* receiver_progress reports only while waits_for_room is set, so this function
 * looks for progress that was made just before. */
void receiver_wait_for_room(struct receiver *r)
{
	atomic_store(&r->waits_for_room, true);
	r->opts.on_messages(r->opts.data);
	if (journal_room(r->opts.journal) > 0 || receiver_is_blocked(r))
		uv_async_send(&r->progress);
}

static void pause_datagrams(struct receiver *r)
{
	receiver_stop_polls(r);
	r->flow = DATAGRAMS_PAUSED;
	log_rated(
		&r->pause_rate, LOG_WARN, "receiver",
		"err=\"journal full\" action=\"leaving datagrams in the "
		"kernel's queue until the pipeline has caught up; senders may "
		"drop or wait\"");
	receiver_wait_for_room(r);
}

static unsigned room_for(struct receiver *r, unsigned count)
{
	if (r->flow == DATAGRAMS_DROPPING && !receiver_is_blocked(r))
		r->flow = DATAGRAMS_FLOWING;
	size_t room = journal_room(r->opts.journal);
	bool may_drop =
		r->flow == DATAGRAMS_DROPPING || r->phase == RECEIVER_LEAVING;
	return may_drop || room > count ? count : (unsigned)room;
}

static void log_full(struct receiver *r)
{
	log_rated(&r->full_rate, LOG_ERROR, "journal",
		  "err=\"journal full\" size_bytes=%zu dropped_total=%" PRIu64
		  " action=\"dropping the newest messages until the journal "
		  "has room\"",
		  journal_ring_bytes(r->opts.journal),
		  journal_stats(r->opts.journal)->refused_total);
}

static uint64_t bytes_of(const struct mmsghdr *slots, unsigned count)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < count; i++)
		bytes += slots[i].msg_len;
	return bytes;
}

uint64_t receiver_receive(struct datagram_input *s)
{
	struct receiver *r = s->receiver;
	uint16_t mark = s->keeps_peer_address ? PEER_ADDRESS_MARK : 0;
	uint64_t all = 0;
	for (int round = 0; round < ROUNDS_MAX; round++) {
		unsigned count;
		struct mmsghdr *slots = journal_slots(r->opts.journal,
						      s->number | mark, &count);
		unsigned room = room_for(r, count);
		if (room == 0) {
			pause_datagrams(r);
			break;
		}
		unsigned received =
			s->keeps_peer_address
				? udp_receive(s->socket, r->names, slots, room)
				: socket_receive(s->socket, slots, room);
		if (received == 0)
			break;
		all += received;
		pace_received(&s->pace, received, bytes_of(slots, received));
		if (journal_append(r->opts.journal, received, clock_real_ns()) <
		    received)
			log_full(r);
		if (received < room)
			break;
	}
	if (all > 0)
		arrived(r);
	return all;
}

/* An input that received nothing and did not ask to sleep does not shorten
 * the sleep of the others. */
static void look(struct datagram_input *s)
{
	struct receiver *r = s->receiver;
	bool has_say = receiver_receive(s) > 0 || s->is_calm;
	uint64_t wait_us = pace_wait_us(&s->pace, clock_mono_ns());
	s->is_calm = wait_us > 0;
	if (has_say && wait_us < r->sleep_us)
		r->sleep_us = wait_us;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	look(poll->data);
}

/* Called before the loop polls its descriptors.  If the last turn found only
 * datagrams that arrive steadily, sleep and receive up to SLEEPS_MAX times.
 * Datagrams wait for one sleep at most; other events wait for all sleeps, at
 * most 16 ms.  Returning to the loop between two sleeps would cost each line
 * 1 us more at 2,000 lines per second. */
static void on_before_poll(uv_prepare_t *prepare)
{
	struct receiver *r = prepare->data;
	for (int i = 0;
	     i < SLEEPS_MAX && r->sleep_us > 0 && r->sleep_us != NO_SLEEP;
	     i++) {
		struct timespec time = {.tv_nsec = (long)r->sleep_us * 1000};
		nanosleep(&time, NULL);
		r->sleep_us = NO_SLEEP;
		for (uint32_t n = 0;
		     n < r->input_count && r->flow != DATAGRAMS_PAUSED; n++)
			look(&r->inputs[n]);
	}
	r->sleep_us = NO_SLEEP;
}

static void start_polls(struct receiver *r)
{
	for (uint32_t i = 0; i < r->input_count; i++)
		uv_poll_start(&r->inputs[i].poll, UV_READABLE, on_readable);
}

static void on_progress(uv_async_t *async)
{
	struct receiver *r = async->data;
	if (!atomic_load(&r->waits_for_room) || r->phase == RECEIVER_FINISHED)
		return;
	bool has_room = journal_room(r->opts.journal) > 0;
	bool may_drop = receiver_is_blocked(r);
	if (!may_drop && !has_room)
		return;
	bool were_paused = r->flow == DATAGRAMS_PAUSED;
	r->flow = may_drop ? DATAGRAMS_DROPPING : DATAGRAMS_FLOWING;
	/* Streams are never dropped: they continue to wait for room. */
	bool are_streams_paused = connections_are_paused(r->connections);
	bool may_resume = connections_have_room(r->connections);
	atomic_store(&r->waits_for_room, are_streams_paused && !may_resume);
	if (r->phase == RECEIVER_FINISHING) {
		receiver_take_rest(r);
		return;
	}
	if (were_paused) {
		start_polls(r);
		receiver_take_retired(r);
	}
	if (may_resume && are_streams_paused)
		connections_resume(r->connections);
}

/* Many busy connections in one turn of the loop would take longer than a short
 * queue of the kernel lasts, so receive datagrams between them. */
static void on_stream_turn(void *data, bool has_messages)
{
	struct receiver *r = data;
	if (has_messages) {
		r->sleep_us = 0;
		arrived(r);
	}
	if (r->phase == RECEIVER_RECEIVING)
		receiver_poll_datagrams(r);
}

static void on_stream_full(void *data)
{
	receiver_wait_for_room(data);
}

static void add_input(struct receiver *r, uint32_t number,
		      const struct receiver_input *input)
{
	struct socket *socket = r->opts.endpoints->sockets[number];
	if (socket_kind_is_stream(socket_kind(socket))) {
		struct connections_input stream = {
			.socket = socket,
			.number = (uint16_t)number,
			.framing = input->framing,
			.message_bytes_max = input->message_bytes_max,
			.keeps_peer_address = input->keeps_peer_address,
			.idle_ms = input->idle_ms,
		};
		connections_add(r->connections, &stream);
		return;
	}
	struct datagram_input *s = &r->inputs[r->input_count++];
	s->receiver = r;
	s->number = (uint16_t)number;
	s->socket = socket;
	s->keeps_peer_address = input->keeps_peer_address;
	if (s->keeps_peer_address && r->names == NULL)
		r->names = mem_new(r->opts.slots, sizeof *r->names);
	connections_yield_to_datagrams(r->connections);
	CHECK(uv_poll_init(r->opts.loop, &s->poll, socket_fd(socket)) == 0);
	s->poll.data = s;
	s->pace.queue_length = socket_queue_length(socket);
}

static void add_retired(struct receiver *r, const struct retired_socket *socket)
{
	r->inputs[r->input_count + r->retired_count++] =
		(struct datagram_input){
			.receiver = r,
			.socket = socket->socket,
			.number = socket->number,
		};
}

struct receiver *receiver_new(const struct receiver_opts *opts)
{
	struct receiver *r = mem_new(1, sizeof *r);
	r->opts = *opts;
	struct connections_opts streams = {
		.loop = opts->loop,
		.journal = opts->journal,
		.handover = opts->handover,
		.count_max = opts->connections_max,
		.ending_max = opts->ending_max,
		.on_turn = on_stream_turn,
		.on_full = on_stream_full,
		.data = r,
	};
	r->connections = connections_new(&streams);
	uint32_t count = opts->endpoints->specs.socket_count;
	const struct retired *retired = &opts->endpoints->retired;
	r->inputs = mem_new(count + retired->count, sizeof *r->inputs);
	for (uint32_t i = 0; i < count; i++)
		add_input(r, i, &opts->inputs[i]);
	for (uint32_t i = 0; i < retired->count; i++)
		add_retired(r, &retired->sockets[i]);
	r->opts.inputs = NULL; /* borrowed only until here */
	CHECK(uv_timer_init(opts->loop, &r->wake_timer) == 0);
	CHECK(uv_async_init(opts->loop, &r->progress, on_progress) == 0);
	CHECK(uv_prepare_init(opts->loop, &r->before_poll) == 0);
	r->wake_timer.data = r->progress.data = r->before_poll.data = r;
	r->sleep_us = NO_SLEEP;
	r->open_handles = r->input_count + 3;
	return r;
}

static bool may_sleep(const struct receiver *r)
{
	for (uint32_t i = 0; i < r->input_count; i++)
		if (pace_forbids(&r->inputs[i].pace))
			return false;
	return true;
}

void receiver_start(struct receiver *r)
{
	/* Messages that the journal held before are due now. */
	if (journal_pending_bytes(r->opts.journal) > 0)
		r->opts.on_messages(r->opts.data);
	start_polls(r);
	receiver_take_retired(r);
	if (may_sleep(r))
		uv_prepare_start(&r->before_poll, on_before_poll);
	connections_take_over(r->connections);
	connections_resume(r->connections);
}

void receiver_progress(struct receiver *r, bool is_output_blocked)
{
	atomic_store(&r->is_output_blocked, is_output_blocked);
	if (atomic_load(&r->waits_for_room))
		uv_async_send(&r->progress);
}

void receiver_poll(struct receiver *r)
{
	/* Messages without room in the journal count as arrivals, too. */
	if (r->flow == DATAGRAMS_PAUSED ||
	    connections_are_paused(r->connections))
		r->arrivals++;
	receiver_poll_datagrams(r);
	connections_poll(r->connections);
}

void receiver_poll_datagrams(struct receiver *r)
{
	for (uint32_t i = 0; i < r->input_count && r->flow != DATAGRAMS_PAUSED;
	     i++)
		receiver_receive(&r->inputs[i]);
}

uint64_t receiver_arrivals(const struct receiver *r)
{
	return r->arrivals;
}

static void on_closed(uv_handle_t *handle)
{
	struct receiver *r = handle->data;
	if (--r->open_handles > 0)
		return;
	free(r->inputs);
	free(r->names);
	free(r);
}

static void on_input_closed(uv_handle_t *handle)
{
	struct datagram_input *s = handle->data;
	handle->data = s->receiver;
	on_closed(handle);
}

void receiver_stop(struct receiver *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i < r->input_count; i++) {
		struct datagram_input *s = &r->inputs[i];
		uv_close((uv_handle_t *)&s->poll, on_input_closed);
	}
	connections_stop(r->connections);
	uv_close((uv_handle_t *)&r->wake_timer, on_closed);
	uv_close((uv_handle_t *)&r->before_poll, on_closed);
	uv_close((uv_handle_t *)&r->progress, on_closed);
}
