/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 *  1. a sender connects: accept_one opens a stream and a poll handle for it;
 *  2. bytes arrive: on_readable puts whole messages into the journal;
 *  3. the sender closes the connection: the last bytes become a message, too;
 *  4. or this worker leaves: the next worker takes over the connection together
 *     with the bytes of its unfinished message.
 *
 * Failure modes:
 *  - the journal is full: all connections pause until connections_resume;
 *  - too many connections are open: nobody is accepted until one ends;
 *  - the process is out of descriptors: the same, and retried every second;
 *  - the listening socket was shut down, by this worker or by one that was
 *    killed while it finished: nobody can connect, so it is not polled. */
#include "intake/connections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/mem.h"
#include "intake/handover.h"
#include "intake/socket.h"
#include "intake/stream.h"
#include "journal/peer_address.h"

enum {
	SHORT_RETRY_MS = 1000,
	/* Rounds of up to 200 KiB read more than the kernel's buffer holds.
	 * A refused sender on the network may continue, hence the limit. */
	REST_ROUNDS_MAX = 64,
};

/* PAUSED <-> OPEN, then FINISHING, then STOPPING. */
enum connections_state {
	CONNECTIONS_PAUSED,    /* the journal is full, or not yet started */
	CONNECTIONS_OPEN,      /* connections are accepted and read */
	CONNECTIONS_FINISHING, /* nobody is accepted any more */
	CONNECTIONS_STOPPING,  /* handles are being closed */
};

struct listener {
	struct connections *all;
	struct connections_input input;
	uv_poll_t poll;
	bool is_shut;
};

struct connection {
	struct connections *all;
	struct listener *from;
	struct stream *stream;
	uv_poll_t poll;
	char peer_address[PEER_ADDRESS_TEXT_BYTES];
	struct connection *next;
	struct connection **place; /* the pointer to this connection */
};

struct connections {
	struct connections_opts opts;
	struct listener **listeners;
	size_t listener_count;
	struct connection *first;
	size_t count;
	size_t count_max;
	enum connections_state state;
	uv_timer_t retry; /* active while the process is out of descriptors */
	unsigned open_handles;
	uv_poll_cb on_connect; /* these two are used before they are defined */
	uv_poll_cb on_readable;
	struct log_rate short_rate;
	struct log_rate many_rate;
	struct log_rate lost_rate;
};

static void on_closed(struct connections *c)
{
	if (--c->open_handles > 0 || c->state != CONNECTIONS_STOPPING)
		return;
	for (size_t i = 0; i < c->listener_count; i++)
		free(c->listeners[i]);
	free(c->listeners);
	free(c);
}

static void on_connection_closed(uv_handle_t *handle)
{
	struct connection *connection = handle->data;
	struct connections *c = connection->all;
	free(connection);
	on_closed(c);
}

/* Returns how many received or readable bytes are lost with it. */
static size_t close_one(struct connection *connection)
{
	struct connections *c = connection->all;
	uv_close((uv_handle_t *)&connection->poll, on_connection_closed);
	size_t left = stream_close(connection->stream);
	*connection->place = connection->next;
	if (connection->next != NULL)
		connection->next->place = connection->place;
	c->count--;
	socket_stats(connection->from->input.socket)->connections--;
	return left;
}

/* Bytes are lost if they found no room in the journal. */
static void end(struct connection *connection)
{
	struct connections *c = connection->all;
	size_t lost = close_one(connection);
	if (lost > 0)
		log_rated(&c->lost_rate, LOG_ERROR, "connections",
			  "err=\"journal full\" lost_bytes=%zu "
			  "action=\"losing the connection's last bytes\"",
			  lost);
}

static void start_listening(struct connections *c)
{
	if (c->state != CONNECTIONS_OPEN || c->count >= c->count_max ||
	    uv_is_active((uv_handle_t *)&c->retry))
		return;
	for (size_t i = 0; i < c->listener_count; i++)
		if (!c->listeners[i]->is_shut)
			uv_poll_start(&c->listeners[i]->poll,
				      UV_READABLE | UV_DISCONNECT,
				      c->on_connect);
}

static void stop_listening(struct connections *c)
{
	for (size_t i = 0; i < c->listener_count; i++)
		uv_poll_stop(&c->listeners[i]->poll);
}

static void pause_all(struct connections *c)
{
	c->state = CONNECTIONS_PAUSED;
	stop_listening(c);
	for (struct connection *i = c->first; i != NULL; i = i->next)
		uv_poll_stop(&i->poll);
	c->opts.on_full(c->opts.data);
}

static enum stream_state receive(struct connection *connection)
{
	struct connections *c = connection->all;
	struct socket_stats *stats =
		socket_stats(connection->from->input.socket);
	uint64_t before = stats->stream_messages_total;
	enum stream_state state = stream_receive(
		connection->stream, c->opts.journal, clock_real_ns());
	if (stats->stream_messages_total != before)
		c->opts.on_arrival(c->opts.data);
	if (state == STREAM_ENDED)
		end(connection);
	return state;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct connection *connection = poll->data;
	struct connections *c = connection->all;
	(void)status; /* recv() reports errors */
	(void)events;
	switch (receive(connection)) {
	case STREAM_IDLE:
	case STREAM_BUSY:
		break;
	case STREAM_ENDED:
		start_listening(c);
		break;
	case STREAM_FULL:
		pause_all(c);
		break;
	}
}

static struct connection *open_connection(struct listener *from, int fd,
					  const char *peer_address)
{
	struct connections *c = from->all;
	const struct connections_input *input = &from->input;
	struct stream_opts opts = {
		.framing = input->framing,
		.message_bytes_max = input->message_bytes_max,
		.input = input->number,
		.peer_address = input->keeps_peer_address ? peer_address : NULL,
		.stats = socket_stats(input->socket),
	};
	struct connection *connection = mem_new(1, sizeof *connection);
	connection->all = c;
	connection->from = from;
	snprintf(connection->peer_address, sizeof connection->peer_address,
		 "%s", peer_address);
	connection->stream = stream_open(fd, &opts);
	CHECK(uv_poll_init(c->opts.loop, &connection->poll, fd) == 0);
	connection->poll.data = connection;
	c->open_handles++;
	connection->next = c->first;
	connection->place = &c->first;
	if (c->first != NULL)
		c->first->place = &connection->next;
	c->first = connection;
	c->count++;
	opts.stats->connections++;
	uv_poll_start(&connection->poll, UV_READABLE, c->on_readable);
	return connection;
}

static void open_accepted(struct listener *from, int fd,
			  const struct sockaddr_storage *peer)
{
	char text[PEER_ADDRESS_TEXT_BYTES];
	if (socket_kind(from->input.socket) == SOCKET_TCP)
		peer_address_of_address(text, "tcp", peer);
	else
		peer_address_of_process(text, fd);
	open_connection(from, fd, text);
}

static void on_retry(uv_timer_t *timer)
{
	start_listening(timer->data);
}

static void pause_accepting(struct connections *c, int why)
{
	stop_listening(c);
	uv_timer_start(&c->retry, on_retry, SHORT_RETRY_MS, 0);
	log_rated(&c->short_rate, LOG_ERROR, "connections",
		  "err=\"accept: %s\" connections=%zu "
		  "action=\"accepting no connection for 1 s\"",
		  strerror(why), c->count);
}

/* Whether a connection was accepted. */
static bool accept_one(struct listener *from)
{
	struct connections *c = from->all;
	struct sockaddr_storage peer;
	if (c->count >= c->count_max) {
		stop_listening(c);
		log_rated(&c->many_rate, LOG_WARN, "connections",
			  "err=\"too many connections\" connections=%zu "
			  "action=\"accepting no more until one ends\"",
			  c->count);
		return false;
	}
	int fd = socket_accept(from->input.socket, &peer);
	if (fd >= 0) {
		open_accepted(from, fd, &peer);
		return true;
	}
	if (socket_is_short(errno))
		pause_accepting(c, errno);
	return false;
}

static void on_connect(uv_poll_t *poll, int status, int events)
{
	struct listener *from = poll->data;
	(void)status;
	while (accept_one(from))
		;
	if ((events & UV_DISCONNECT) != 0) {
		from->is_shut = true;
		uv_poll_stop(poll);
	}
}

struct connections *connections_new(const struct connections_opts *opts)
{
	struct connections *c = mem_new(1, sizeof *c);
	c->opts = *opts;
	c->count_max = descriptors_for_connections();
	c->on_connect = on_connect;
	c->on_readable = on_readable;
	CHECK(uv_timer_init(opts->loop, &c->retry) == 0);
	c->retry.data = c;
	c->open_handles = 1;
	return c;
}

void connections_add(struct connections *c,
		     const struct connections_input *input)
{
	struct listener *l = mem_new(1, sizeof *l);
	l->all = c;
	l->input = *input;
	CHECK(uv_poll_init(c->opts.loop, &l->poll, socket_fd(input->socket)) ==
	      0);
	l->poll.data = l;
	c->open_handles++;
	size_t n = c->listener_count++;
	c->listeners = mem_grow(c->listeners, n + 1, sizeof(struct listener *));
	c->listeners[n] = l;
}

/* Read all connections.  Whole messages that a stream already holds go into the
 * journal, too. */
static void receive_all(struct connections *c)
{
	struct connection *next;
	for (struct connection *i = c->first;
	     i != NULL && c->state == CONNECTIONS_OPEN; i = next) {
		next = i->next;
		if (receive(i) == STREAM_FULL)
			pause_all(c);
	}
}

static struct listener *find_listener(struct connections *c, ino_t inode)
{
	for (size_t i = 0; i < c->listener_count; i++)
		if (socket_inode(c->listeners[i]->input.socket) == inode)
			return c->listeners[i];
	return NULL;
}

void connections_take_over(struct connections *c)
{
	struct buf held = {0};
	struct handed handed;
	int fd;
	if (c->opts.handover == NULL)
		return;
	while ((fd = handover_take(c->opts.handover, &handed, &held)) >= 0) {
		struct listener *from = find_listener(c, handed.listener);
		if (from == NULL) { /* the configuration changed meanwhile */
			log_line(LOG_ERROR, "connections",
				 "err=\"the input of a connection was "
				 "removed\" lost_bytes=%zu "
				 "action=\"closing the connection\"",
				 held.len);
			close(fd);
			continue;
		}
		struct connection *connection =
			open_connection(from, fd, handed.peer_address);
		stream_restore(connection->stream, &handed.framing,
			       buf_span(&held));
	}
	buf_fini(&held);
	if (c->count > 0)
		log_line(LOG_INFO, "connections",
			 "msg=\"took over connections\" count=%zu", c->count);
}

void connections_resume(struct connections *c)
{
	c->state = CONNECTIONS_OPEN;
	for (struct connection *i = c->first; i != NULL; i = i->next)
		uv_poll_start(&i->poll, UV_READABLE, c->on_readable);
	receive_all(c);
	start_listening(c);
}

bool connections_are_paused(const struct connections *c)
{
	return c->state == CONNECTIONS_PAUSED;
}

void connections_poll(struct connections *c)
{
	if (c->state != CONNECTIONS_OPEN)
		return;
	for (size_t i = 0; i < c->listener_count; i++)
		while (accept_one(c->listeners[i]))
			;
	receive_all(c);
	start_listening(c);
}

/* Refuse the sender, read the kernel's bytes.  False if the journal is full. */
static bool take_rest(struct connection *connection)
{
	uv_poll_stop(&connection->poll);
	stream_refuse(connection->stream);
	for (int round = 0; round < REST_ROUNDS_MAX; round++) {
		enum stream_state state = receive(connection);
		if (state == STREAM_ENDED)
			return true;
		if (state == STREAM_FULL)
			return false;
		if (state == STREAM_IDLE)
			break;
	}
	stream_end(connection->stream);
	return receive(connection) == STREAM_ENDED;
}

/* Accept the connections that wait in the kernel, up to the maximum.  If none
 * is left, shut down the socket, so that no sender can connect any more. */
static void accept_rest(struct listener *l)
{
	struct connections *c = l->all;
	while (accept_one(l))
		;
	if (l->is_shut || c->count >= c->count_max)
		return;
	socket_refuse(l->input.socket);
	l->is_shut = true;
	while (accept_one(l)) /* connected in between */
		;
}

bool connections_finish(struct connections *c)
{
	bool may_others_wait;
	c->state = CONNECTIONS_FINISHING;
	stop_listening(c);
	do {
		for (size_t i = 0; i < c->listener_count; i++)
			accept_rest(c->listeners[i]);
		may_others_wait = c->count >= c->count_max;
		while (c->first != NULL)
			if (!take_rest(c->first))
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
	close_one(connection);
	return true;
}

static bool is_kept(const struct listener *l, const bool *kept_by_next)
{
	return kept_by_next != NULL && kept_by_next[l->input.number];
}

void connections_leave(struct connections *c, const bool *kept_by_next)
{
	bool may_others_wait;
	stop_listening(c);
	uv_timer_stop(&c->retry);
	c->state = CONNECTIONS_FINISHING;
	do {
		for (size_t i = 0; i < c->listener_count; i++)
			if (!is_kept(c->listeners[i], kept_by_next))
				accept_rest(c->listeners[i]);
		may_others_wait = c->count >= c->count_max;
		while (c->first != NULL) {
			if (is_kept(c->first->from, kept_by_next) &&
			    hand_over(c->first))
				continue;
			if (!take_rest(c->first))
				end(c->first);
		}
	} while (may_others_wait);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct listener *l = handle->data;
	on_closed(l->all);
}

static void on_timer_closed(uv_handle_t *handle)
{
	on_closed(handle->data);
}

void connections_stop(struct connections *c)
{
	if (c == NULL)
		return;
	c->state = CONNECTIONS_STOPPING;
	while (c->first != NULL)
		end(c->first);
	for (size_t i = 0; i < c->listener_count; i++)
		uv_close((uv_handle_t *)&c->listeners[i]->poll,
			 on_listener_closed);
	uv_close((uv_handle_t *)&c->retry, on_timer_closed);
}
