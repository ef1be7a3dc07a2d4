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
 *  - all places are taken: the new sender gets the place of the connection that
 *    intake/shares.h picks, which is ended after its bytes were received;
 *  - a connection was idle for Idle_Timeout: it is ended in the same way;
 *  - senders connect and disconnect without a pause: accepting pauses whenever
 *    it has used up its CPU time (base/cpu_budget.h);
 *  - the process is out of descriptors: new connections wait in the kernel, and
 *    accepting them is retried every second;
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
#include "base/log.h"
#include "base/mem.h"
#include "intake/connection.h"
#include "intake/handover.h"
#include "intake/socket.h"

enum {
	SHORT_RETRY_MS = 1000,
	ACCEPTS_MAX = 64, /* in a row, before other events have a turn */
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

size_t connection_close(struct connection *connection)
{
	struct connections *c = connection->all;
	int64_t began_ns = clock_thread_cpu_ns();
	uv_close((uv_handle_t *)&connection->poll, on_connection_closed);
	size_t left = stream_close(connection->stream);
	connection_unlink(connection);
	if (connection->end_by_ns != 0)
		c->ending_count--;
	shares_remove(&c->shares, &connection->share);
	socket_stats(connection->from->input.socket)->connections--;
	c->closing_cpu_ns += clock_thread_cpu_ns() - began_ns;
	return left;
}

void connection_cut(struct connection *connection)
{
	struct connections *c = connection->all;
	char peer_address[PEER_ADDRESS_TEXT_BYTES];
	memcpy(peer_address, connection->peer_address, sizeof peer_address);
	size_t lost = connection_close(connection);
	if (lost > 0)
		log_rated(&c->lost_rate, LOG_ERROR, "connections",
			  "peer=%s err=\"the last bytes could not be received: "
			  "the journal is full, or they are urgent data of "
			  "TCP\" lost_bytes=%zu action=\"closing the "
			  "connection\"",
			  peer_address, lost);
}

static void start_listening(struct connections *c)
{
	if (c->state != CONNECTIONS_OPEN ||
	    uv_is_active((uv_handle_t *)&c->retry))
		return;
	for (size_t i = 0; i < c->listener_count; i++)
		if (!c->listeners[i]->is_shut)
			uv_poll_start(&c->listeners[i]->poll,
				      UV_READABLE | UV_DISCONNECT,
				      c->on_connect);
}

void connections_stop_listening(struct connections *c)
{
	for (size_t i = 0; i < c->listener_count; i++)
		uv_poll_stop(&c->listeners[i]->poll);
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
	connection_link_last(connection);
	connection->share.owner = connection;
	shares_add(&c->shares, &connection->share, fd, clock_mono_ns());
	opts.stats->connections++;
	if (!connections_are_resting(c))
		uv_poll_start(&connection->poll, UV_READABLE,
			      connection_on_readable);
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
	connections_stop_listening(c);
	uv_timer_start(&c->retry, on_retry, SHORT_RETRY_MS, 0);
	log_rated(&c->short_rate, LOG_ERROR, "connections",
		  "err=\"accept: %s\" connections=%zu "
		  "action=\"accepting no connection for 1 s\"",
		  strerror(why), c->shares.count);
}

bool connection_accept(struct listener *from)
{
	struct connections *c = from->all;
	struct sockaddr_storage peer;
	bool is_full = c->shares.count >= c->opts.count_max;
	if (c->state == CONNECTIONS_PAUSED ||
	    (is_full && c->state != CONNECTIONS_OPEN))
		return false;
	int fd = socket_accept(from->input.socket, &peer);
	if (fd >= 0) {
		open_accepted(from, fd, &peer);
		if (is_full)
			connections_make_way(c);
		return true;
	}
	if (socket_is_short(errno))
		pause_accepting(c, errno);
	return false;
}

static void accept_some(struct listener *from)
{
	for (int i = 0; i < ACCEPTS_MAX && connection_accept(from); i++)
		;
}

/* Accepting and closing have used up used_ns of CPU time. */
static void charge(struct connections *c, int64_t used_ns)
{
	int64_t now_ns = clock_mono_ns();
	cpu_budget_read_limit(&c->budget, now_ns);
	int64_t pause_ns = cpu_budget_pause_ns(&c->budget, now_ns, used_ns);
	c->closing_cpu_ns = 0;
	if (pause_ns == 0 || uv_is_active((uv_handle_t *)&c->retry))
		return;
	connections_stop_listening(c);
	uv_timer_start(&c->retry, on_retry,
		       (uint64_t)(pause_ns / NS_PER_MS + 1), 0);
}

static void on_connect(uv_poll_t *poll, int status, int events)
{
	struct listener *from = poll->data;
	int64_t closing_ns = from->all->closing_cpu_ns;
	int64_t began_ns = clock_thread_cpu_ns();
	(void)status;
	accept_some(from);
	charge(from->all, closing_ns + clock_thread_cpu_ns() - began_ns);
	if ((events & UV_DISCONNECT) != 0) {
		from->is_shut = true;
		uv_poll_stop(poll);
	}
}

struct connections *connections_new(const struct connections_opts *opts)
{
	struct connections *c = mem_new(1, sizeof *c);
	c->opts = *opts;
	c->on_connect = on_connect;
	CHECK(uv_timer_init(opts->loop, &c->retry) == 0);
	CHECK(uv_timer_init(opts->loop, &c->tick) == 0);
	CHECK(uv_timer_init(opts->loop, &c->rest) == 0);
	c->retry.data = c->tick.data = c->rest.data = c;
	c->open_handles = 3;
	c->last = &c->first;
	c->reading_budget.share = CPU_BUDGET_READING_SHARE;
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
	if (c->shares.count > 0)
		log_line(LOG_INFO, "connections",
			 "msg=\"took over connections\" count=%zu",
			 c->shares.count);
}

void connections_resume(struct connections *c)
{
	c->state = CONNECTIONS_OPEN;
	connections_start_reading(c);
	start_listening(c);
	connections_watch_idle(c);
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
		accept_some(c->listeners[i]);
	connections_receive_all(c);
	start_listening(c);
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
		connection_cut(c->first);
	for (size_t i = 0; i < c->listener_count; i++)
		uv_close((uv_handle_t *)&c->listeners[i]->poll,
			 on_listener_closed);
	uv_close((uv_handle_t *)&c->retry, on_timer_closed);
	uv_close((uv_handle_t *)&c->tick, on_timer_closed);
	uv_close((uv_handle_t *)&c->rest, on_timer_closed);
}
