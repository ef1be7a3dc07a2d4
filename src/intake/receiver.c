/* SPDX-License-Identifier: Apache-2.0 */
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
#include "intake/socket.h"
#include "journal/journal.h"
#include "journal/peer_address.h"

#define NO_NAP UINT64_MAX

enum {
	NAPS_MAX = 8,
	ROUNDS_MAX = 64, /* recvmmsg calls before timers have a turn */
	/* More than a receive buffer holds.  Who sends by UDP need not stop. */
	REST_ROUNDS_MAX = 16,
	WAKE_AT_BYTES = 256 * 1024, /* so much waits: no need for the timer */
};

struct source { /* one socket of datagrams */
	struct receiver *receiver;
	struct socket *socket;
	uint16_t number;
	bool keeps_peer_address;
	struct pace pace;
	bool is_calm;
	uv_poll_t poll;
};

struct receiver {
	struct receiver_opts opts;
	struct source *sources;
	uint32_t source_count;
	struct connections *connections;
	struct sockaddr_storage *names; /* of senders; NULL: not asked for */
	uv_timer_t wake_timer;
	uv_prepare_t nap;
	bool never_naps; /* one of the queues is too short for it */
	uint64_t nap_us; /* the shortest that a source asked for in this turn */
	uv_async_t settled;
	unsigned open_handles;
	atomic_bool is_waiting; /* somebody is, for room */
	bool is_paused;		/* datagrams: the kernel's queue holds them */
	bool is_dropping;	/* nor will there be: the disk is blocked */
	bool is_finishing;
	bool is_finished;
	bool is_leaving; /* what finds no room is dropped, and counted */
	uint64_t arrivals;
	void (*on_done)(void *);
	void *done_data;
	struct log_rate full_rate;
};

static void on_wake_timer(uv_timer_t *timer)
{
	struct receiver *r = timer->data;
	r->opts.wake(r->opts.data);
	for (uint32_t i = 0; i < r->source_count; i++)
		socket_see_drops(r->sources[i].socket);
}

static void ring_in_time(struct receiver *r)
{
	if (journal_pending_bytes(r->opts.journal) >= WAKE_AT_BYTES) {
		uv_timer_stop(&r->wake_timer);
		r->opts.wake(r->opts.data);
	} else if (!uv_is_active((uv_handle_t *)&r->wake_timer)) {
		uv_timer_start(&r->wake_timer, on_wake_timer,
			       r->opts.wake_after_ms, 0);
	}
}

static void arrived(struct receiver *r)
{
	r->arrivals++;
	ring_in_time(r);
}

static bool is_blocked(struct receiver *r)
{
	return r->opts.is_output_blocked(r->opts.data);
}

static void stop_polls(struct receiver *r)
{
	for (uint32_t i = 0; i < r->source_count; i++)
		uv_poll_stop(&r->sources[i].poll);
	r->nap_us = 0;
}

/* The pipeline tells what it has settled while is_waiting is set; what it
 * settled before that is looked for here. */
static void wait_for_room(struct receiver *r)
{
	atomic_store(&r->is_waiting, true);
	r->opts.wake(r->opts.data);
	if (journal_room(r->opts.journal) > 0 || is_blocked(r))
		uv_async_send(&r->settled);
}

static void pause_datagrams(struct receiver *r)
{
	stop_polls(r);
	r->is_paused = true;
	wait_for_room(r);
}

static unsigned room_for(struct receiver *r, unsigned count)
{
	if (r->is_dropping)
		r->is_dropping = is_blocked(r);
	size_t room = journal_room(r->opts.journal);
	bool may_drop = r->is_dropping || r->is_leaving;
	return may_drop || room > count ? count : (unsigned)room;
}

static void say_full(struct receiver *r)
{
	log_rated(&r->full_rate, LOG_ERROR, "journal",
		  "err=\"journal full, the newest messages are dropped\" "
		  "size_bytes=%zu refused_total=%" PRIu64,
		  journal_ring_bytes(r->opts.journal),
		  journal_stats(r->opts.journal)->refused_total);
}

/* Where the kernel shall write who sent each datagram. */
static void ask_names(struct receiver *r, struct mmsghdr *slots, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		slots[i].msg_hdr.msg_name = &r->names[i];
		slots[i].msg_hdr.msg_namelen = sizeof r->names[i];
	}
}

/* A slot is longer than any datagram of UDP.  Its length is stored last: a
 * process that is killed before leaves the message without its peer_address. */
static void add_origins(struct receiver *r, struct mmsghdr *slots,
			unsigned received)
{
	char text[PEER_ADDRESS_TEXT_BYTES];
	for (unsigned i = 0; i < received; i++) {
		char *bytes = slots[i].msg_hdr.msg_iov->iov_base;
		peer_address_of_address(text, "udp", &r->names[i]);
		size_t added = peer_address_put(bytes + slots[i].msg_len, text);
		atomic_signal_fence(memory_order_seq_cst);
		slots[i].msg_len += (unsigned)added;
	}
}

static void forget_names(struct mmsghdr *slots, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		slots[i].msg_hdr.msg_name = NULL;
		slots[i].msg_hdr.msg_namelen = 0;
	}
}

static unsigned receive_with_origin(struct source *s, struct mmsghdr *slots,
				    unsigned count)
{
	ask_names(s->receiver, slots, count);
	unsigned received = socket_receive(s->socket, slots, count);
	add_origins(s->receiver, slots, received);
	forget_names(slots, count);
	return received;
}

static uint64_t bytes_of(const struct mmsghdr *slots, unsigned count)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < count; i++)
		bytes += slots[i].msg_len;
	return bytes;
}

/* Receive what is there, as far as there is room.  How many came. */
static uint64_t receive(struct source *s)
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
				? receive_with_origin(s, slots, room)
				: socket_receive(s->socket, slots, room);
		if (received == 0)
			break;
		all += received;
		pace_received(&s->pace, received, bytes_of(slots, received));
		if (journal_append(r->opts.journal, received, clock_real_ns()) <
		    received)
			say_full(r);
		if (received < room)
			break;
	}
	if (all > 0)
		arrived(r);
	return all;
}

/* Who has nothing and waits for nothing has no say in the others' nap. */
static void look(struct source *s)
{
	struct receiver *r = s->receiver;
	bool has_say = receive(s) > 0 || s->is_calm;
	uint64_t wait_us = pace_wait_us(&s->pace, clock_mono_ns());
	s->is_calm = wait_us > 0;
	if (has_say && wait_us < r->nap_us)
		r->nap_us = r->never_naps ? 0 : wait_us;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	look(poll->data);
}

/* Before the loop looks at its descriptors again, when calm datagrams were all
 * that it found.  Datagrams wait for one nap, whatever else comes for NAPS_MAX:
 * 16 ms.  For the loop's own way between two naps a line would cost 1 us more
 * at 2,000 a second. */
static void on_nap(uv_prepare_t *prepare)
{
	struct receiver *r = prepare->data;
	for (int i = 0; i < NAPS_MAX && r->nap_us > 0 && r->nap_us != NO_NAP;
	     i++) {
		struct timespec nap = {.tv_nsec = (long)r->nap_us * 1000};
		nanosleep(&nap, NULL);
		r->nap_us = NO_NAP;
		for (uint32_t n = 0; n < r->source_count && !r->is_paused; n++)
			look(&r->sources[n]);
	}
	r->nap_us = NO_NAP;
}

static void start_polls(struct receiver *r)
{
	for (uint32_t i = 0; i < r->source_count; i++)
		uv_poll_start(&r->sources[i].poll, UV_READABLE, on_readable);
}

/* When the journal has no room on the way, on_settled comes here again.
 * Datagrams are dropped when there will be none, and counted; a connection's
 * sender is told by its end. */
static void take_rest(struct receiver *r)
{
	for (uint32_t i = 0; i < r->source_count; i++)
		while (receive(&r->sources[i]) > 0 && !r->is_paused)
			;
	if (r->is_paused)
		return;
	if (!connections_finish(r->connections)) {
		if (!is_blocked(r)) {
			wait_for_room(r);
			return;
		}
		connections_leave(r->connections, NULL);
	}
	uv_timer_stop(&r->wake_timer);
	r->is_finished = true;
	r->on_done(r->done_data);
}

static void on_settled(uv_async_t *async)
{
	struct receiver *r = async->data;
	if (!atomic_load(&r->is_waiting) || r->is_finished)
		return;
	bool has_room = journal_room(r->opts.journal) > 0;
	r->is_dropping = is_blocked(r);
	if (!r->is_dropping && !has_room)
		return;
	/* Streams are never dropped: they wait on. */
	bool go_streams = has_room && connections_are_paused(r->connections);
	atomic_store(&r->is_waiting,
		     !has_room && connections_are_paused(r->connections));
	bool go_datagrams = r->is_paused;
	r->is_paused = false;
	if (r->is_finishing) {
		take_rest(r);
		return;
	}
	if (go_datagrams)
		start_polls(r);
	if (go_streams)
		connections_resume(r->connections);
}

static void on_stream_arrival(void *data)
{
	struct receiver *r = data;
	r->nap_us = 0;
	arrived(r);
}

static void on_stream_full(void *data)
{
	wait_for_room(data);
}

static void add_source(struct receiver *r, uint32_t number,
		       const struct receiver_input *input)
{
	struct socket *socket = r->opts.endpoints->sockets[number];
	if (socket_kind_is_stream(socket_kind(socket))) {
		struct connections_input stream = {
			.socket = socket,
			.source = (uint16_t)number,
			.framing = input->framing,
			.message_bytes_max = input->message_bytes_max,
			.keeps_peer_address = input->keeps_peer_address,
		};
		connections_add(r->connections, &stream);
		return;
	}
	struct source *s = &r->sources[r->source_count++];
	s->receiver = r;
	s->number = (uint16_t)number;
	s->socket = socket;
	s->keeps_peer_address = input->keeps_peer_address;
	if (s->keeps_peer_address && r->names == NULL)
		r->names = mem_new(r->opts.slots, sizeof *r->names);
	CHECK(uv_poll_init(r->opts.loop, &s->poll, socket_fd(socket)) == 0);
	s->poll.data = s;
	s->pace.queue_length = socket_queue_length(socket);
	r->never_naps = r->never_naps || pace_forbids(&s->pace);
}

struct receiver *receiver_new(const struct receiver_opts *opts)
{
	struct receiver *r = mem_new(1, sizeof *r);
	r->opts = *opts;
	struct connections_opts streams = {
		.loop = opts->loop,
		.journal = opts->journal,
		.handover = opts->handover,
		.on_arrival = on_stream_arrival,
		.on_full = on_stream_full,
		.data = r,
	};
	r->connections = connections_new(&streams);
	uint32_t count = opts->endpoints->specs.socket_count;
	r->sources = mem_new(count, sizeof *r->sources);
	for (uint32_t i = 0; i < count; i++)
		add_source(r, i, &opts->inputs[i]);
	r->opts.inputs = NULL; /* the caller's, until here */
	CHECK(uv_timer_init(opts->loop, &r->wake_timer) == 0);
	CHECK(uv_async_init(opts->loop, &r->settled, on_settled) == 0);
	CHECK(uv_prepare_init(opts->loop, &r->nap) == 0);
	r->wake_timer.data = r->settled.data = r->nap.data = r;
	r->nap_us = NO_NAP;
	r->open_handles = r->source_count + 3;
	return r;
}

void receiver_start(struct receiver *r)
{
	/* What the journal had already is due.  What comes now is not. */
	if (journal_pending_bytes(r->opts.journal) > 0)
		r->opts.wake(r->opts.data);
	start_polls(r);
	uv_prepare_start(&r->nap, on_nap);
	connections_take_over(r->connections);
	connections_resume(r->connections);
}

void receiver_tell_settled(struct receiver *r)
{
	if (atomic_load(&r->is_waiting))
		uv_async_send(&r->settled);
}

void receiver_poll(struct receiver *r)
{
	/* There is something, it only has no room. */
	if (r->is_paused || connections_are_paused(r->connections))
		r->arrivals++;
	for (uint32_t i = 0; i < r->source_count && !r->is_paused; i++)
		receive(&r->sources[i]);
	connections_poll(r->connections);
}

uint64_t receiver_arrivals(const struct receiver *r)
{
	return r->arrivals;
}

void receiver_finish(struct receiver *r, void (*on_done)(void *), void *data)
{
	r->on_done = on_done;
	r->done_data = data;
	r->is_finishing = true;
	stop_polls(r);
	for (uint32_t i = 0; i < r->source_count; i++)
		socket_refuse(r->sources[i].socket);
	if (!r->is_paused)
		take_rest(r);
}

/* Nobody else will take what the kernel holds of it. */
static void take_last(struct source *s)
{
	socket_refuse(s->socket);
	for (int round = 0; round < REST_ROUNDS_MAX && receive(s) > 0; round++)
		;
}

void receiver_leave(struct receiver *r, const bool *live_on)
{
	atomic_store(&r->is_waiting, false);
	r->is_paused = false;
	r->is_leaving = true;
	stop_polls(r);
	for (uint32_t i = 0; i < r->source_count; i++)
		if (live_on == NULL || !live_on[r->sources[i].number])
			take_last(&r->sources[i]);
	connections_leave(r->connections, live_on);
	uv_timer_stop(&r->wake_timer);
}

static void on_closed(uv_handle_t *handle)
{
	struct receiver *r = handle->data;
	if (--r->open_handles > 0)
		return;
	free(r->sources);
	free(r->names);
	free(r);
}

static void on_source_closed(uv_handle_t *handle)
{
	struct source *s = handle->data;
	handle->data = s->receiver;
	on_closed(handle);
}

void receiver_stop(struct receiver *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i < r->source_count; i++) {
		struct source *s = &r->sources[i];
		uv_close((uv_handle_t *)&s->poll, on_source_closed);
	}
	connections_stop(r->connections);
	uv_close((uv_handle_t *)&r->wake_timer, on_closed);
	uv_close((uv_handle_t *)&r->nap, on_closed);
	uv_close((uv_handle_t *)&r->settled, on_closed);
}
