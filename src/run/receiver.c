/* SPDX-License-Identifier: Apache-2.0 */
#include "run/receiver.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/say.h"
#include "intake/journal.h"
#include "intake/socket.h"
#include "run/endpoints.h"
#include "run/pipeline.h"

enum {
	ROUNDS_MAX = 64, /* recvmmsg calls before timers have a turn */
	RING_AT_BYTES = 256 * 1024, /* so much waits: no need for the timer */
};

struct source { /* one socket */
	struct receiver *receiver;
	struct dgram_socket *socket;
	uint16_t number;
	uv_poll_t poll;
};

struct receiver {
	struct receiver_opts opts;
	struct pipeline *pipeline;
	struct source *sources;
	uint32_t source_count;
	uv_timer_t ring_timer;
	uv_async_t settled;
	unsigned open_handles;
	atomic_bool is_paused; /* no room: the kernel's queue holds */
	bool is_dropping;      /* nor will there be: the disk is blocked */
	bool is_finishing;
	uint64_t arrivals;
	void (*on_done)(void *);
	void *done_data;
	struct say_rate full_rate;
};

static void on_ring_timer(uv_timer_t *timer)
{
	struct receiver *r = timer->data;
	pipeline_ring(r->pipeline);
}

static void ring_in_time(struct receiver *r)
{
	if (journal_pending_bytes(r->opts.journal) >= RING_AT_BYTES) {
		uv_timer_stop(&r->ring_timer);
		pipeline_ring(r->pipeline);
	} else if (!uv_is_active((uv_handle_t *)&r->ring_timer)) {
		uv_timer_start(&r->ring_timer, on_ring_timer,
			       r->opts.ring_after_ms, 0);
	}
}

static bool is_blocked(struct receiver *r)
{
	bool blocked = pipeline_view_begin(r->pipeline)->is_blocked;
	pipeline_view_end(r->pipeline);
	return blocked;
}

static void stop_polls(struct receiver *r)
{
	for (uint32_t i = 0; i < r->source_count; i++)
		uv_poll_stop(&r->sources[i].poll);
}

/* The pipeline tells what it has settled while is_paused is set; what it
 * settled before that is looked for here. */
static void pause_all(struct receiver *r)
{
	stop_polls(r);
	atomic_store(&r->is_paused, true);
	pipeline_ring(r->pipeline);
	if (journal_room(r->opts.journal) > 0 || is_blocked(r))
		uv_async_send(&r->settled);
}

static unsigned room_for(struct receiver *r, unsigned count)
{
	if (r->is_dropping)
		r->is_dropping = is_blocked(r);
	size_t room = journal_room(r->opts.journal);
	return r->is_dropping || room > count ? count : (unsigned)room;
}

static void say_full(struct receiver *r)
{
	say_rated(&r->full_rate, SAY_ERROR, "journal",
		  "err=\"journal full, the newest messages are dropped\" "
		  "size_bytes=%zu refused_total=%" PRIu64,
		  journal_ring_bytes(r->opts.journal),
		  journal_stats(r->opts.journal)->refused_total);
}

/* Receive what is there, as far as there is room.  Whether anything came. */
static bool receive(struct source *s)
{
	struct receiver *r = s->receiver;
	bool any = false;
	for (int round = 0; round < ROUNDS_MAX; round++) {
		unsigned count;
		struct mmsghdr *slots =
			journal_slots(r->opts.journal, s->number, &count);
		unsigned room = room_for(r, count);
		if (room == 0) {
			pause_all(r);
			break;
		}
		unsigned received = socket_receive(s->socket, slots, room);
		if (received == 0)
			break;
		any = true;
		if (journal_append(r->opts.journal, received, clock_real_ns()) <
		    received)
			say_full(r);
		if (received < room)
			break;
	}
	if (any) {
		r->arrivals++;
		ring_in_time(r);
	}
	return any;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	receive(poll->data);
}

static void start_polls(struct receiver *r)
{
	for (uint32_t i = 0; i < r->source_count; i++)
		uv_poll_start(&r->sources[i].poll, UV_READABLE, on_readable);
}

/* When the journal has no room on the way, on_settled comes here again. */
static void take_rest(struct receiver *r)
{
	for (uint32_t i = 0; i < r->source_count; i++)
		while (receive(&r->sources[i]) && !r->is_paused)
			;
	if (r->is_paused)
		return;
	uv_timer_stop(&r->ring_timer);
	r->on_done(r->done_data);
}

static void on_settled(uv_async_t *async)
{
	struct receiver *r = async->data;
	if (!r->is_paused)
		return;
	r->is_dropping = is_blocked(r);
	if (!r->is_dropping && journal_room(r->opts.journal) == 0)
		return;
	atomic_store(&r->is_paused, false);
	if (r->is_finishing)
		take_rest(r);
	else
		start_polls(r);
}

struct receiver *receiver_new(const struct receiver_opts *opts)
{
	struct receiver *r = mem_new(1, sizeof *r);
	r->opts = *opts;
	r->source_count = opts->endpoints->specs.socket_count;
	r->sources = mem_new(r->source_count, sizeof *r->sources);
	for (uint32_t i = 0; i < r->source_count; i++) {
		struct source *s = &r->sources[i];
		s->receiver = r;
		s->number = (uint16_t)i;
		s->socket = opts->endpoints->sockets[i];
		CHECK(uv_poll_init(opts->loop, &s->poll,
				   socket_fd(s->socket)) == 0);
		s->poll.data = s;
	}
	CHECK(uv_timer_init(opts->loop, &r->ring_timer) == 0);
	CHECK(uv_async_init(opts->loop, &r->settled, on_settled) == 0);
	r->ring_timer.data = r->settled.data = r;
	r->open_handles = r->source_count + 2;
	return r;
}

void receiver_start(struct receiver *r, struct pipeline *pipeline)
{
	r->pipeline = pipeline;
	start_polls(r);
	/* What the journal had already is due. */
	pipeline_ring(pipeline);
}

void receiver_tell_settled(struct receiver *r)
{
	if (atomic_load(&r->is_paused))
		uv_async_send(&r->settled);
}

void receiver_poll(struct receiver *r)
{
	if (r->is_paused) /* there is something, it only has no room */
		r->arrivals++;
	for (uint32_t i = 0; i < r->source_count && !r->is_paused; i++)
		receive(&r->sources[i]);
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

void receiver_leave(struct receiver *r)
{
	atomic_store(&r->is_paused, false);
	stop_polls(r);
	uv_timer_stop(&r->ring_timer);
}

static void on_closed(uv_handle_t *handle)
{
	struct receiver *r = handle->data;
	if (--r->open_handles > 0)
		return;
	free(r->sources);
	free(r);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct source *s = handle->data;
	handle->data = s->receiver;
	on_closed(handle);
}

void receiver_stop(struct receiver *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i < r->source_count; i++)
		uv_close((uv_handle_t *)&r->sources[i].poll, on_poll_closed);
	uv_close((uv_handle_t *)&r->ring_timer, on_closed);
	uv_close((uv_handle_t *)&r->settled, on_closed);
}
