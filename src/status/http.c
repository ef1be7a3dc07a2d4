/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 *  1. a client connects: on_connect accepts it for libmicrohttpd;
 *  2. libmicrohttpd's epoll descriptor becomes readable: on_readable runs
 *     libmicrohttpd;
 *  3. on_request gets the header, then the end of the request, and queues the
 *     answer.  If the answer is pending, on_request suspends the connection;
 *     http_resume lets libmicrohttpd call on_request again;
 *  4. the client has read the answer and may send another request within
 *     DEADLINE_MS;
 *  5. http_stop closes the listening descriptor and resumes the pending
 *     request.  It waits up to STOP_MS for new connections and requests under
 *     way, closes the handles and calls done.  libmicrohttpd aborts if it is
 *     closed with a suspended connection, so after http_stop no answer is
 *     pending.
 *
 * Failure modes:
 *  - a client needs more than DEADLINE_MS for a request and its answer, even
 *    if it sends or reads all the time: on_timer disconnects it;
 *  - clients send requests without a pause: the server pauses whenever it has
 *    used up its CPU time (base/cpu_budget.h).  Requests and new connections
 *    then wait in the kernel;
 *  - a client connects when clients_max are connected: the client that
 *    intake/shares.h picks is disconnected;
 *  - the process is out of descriptors, in spite of base/descriptors.h: the
 *    client whose deadline is next is disconnected. */
#include "status/http.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpu_budget.h"
#include "base/mem.h"
#include "intake/shares.h"
#include "intake/socket.h"

enum {
	CONNECTION_BYTES = 8 * 1024,
	DEADLINE_MS = 10000,
	ACCEPTS_MAX = 16, /* in a row, before other events are handled */
	STOP_MS = 50,
};

struct http {
	struct MHD_Daemon *daemon;
	uv_poll_t listener;
	uv_poll_t poll;
	uv_timer_t timer;
	uv_timer_t stop_timer;
	unsigned open_handles;
	struct shares shares; /* of the clients, by their last answer */
	size_t unanswered; /* clients with a request under way, or new ones */
	struct MHD_Connection *pending; /* the suspended one, or NULL */
	struct cpu_budget budget;
	bool is_resting; /* until the timer runs */
	struct http_opts opts;
	void (*on_stopped)(void *); /* not NULL: the server is stopping */
	void *stopped_data;
};

struct client {
	int fd;
	bool is_answered;   /* the last request, if any, has its answer */
	struct share share; /* in no list once it is disconnected */
};

static void on_closed(uv_handle_t *handle)
{
	struct http *h = handle->data;
	if (--h->open_handles > 0)
		return;
	MHD_stop_daemon(h->daemon);
	h->on_stopped(h->stopped_data);
	free(h);
}

static void close_handles(struct http *h)
{
	if (uv_is_closing((uv_handle_t *)&h->poll))
		return;
	uv_close((uv_handle_t *)&h->poll, on_closed);
	uv_close((uv_handle_t *)&h->timer, on_closed);
	uv_close((uv_handle_t *)&h->stop_timer, on_closed);
}

static void on_stop_timer(uv_timer_t *timer)
{
	close_handles(timer->data);
}

/* libmicrohttpd reads the end of the stream and closes the connection. */
static void disconnect(struct http *h, struct client *c)
{
	shares_remove(&h->shares, &c->share);
	shutdown(c->fd, SHUT_RDWR);
}

static int64_t left_ms(const struct share *s)
{
	return DEADLINE_MS - (clock_mono_ns() - s->active_ns) / NS_PER_MS;
}

/* How long to wait before the next deadline of a client, or before the next
 * call that libmicrohttpd wants.  -1: until something arrives.  Never 0: before
 * libuv 1.45, a timer that is started with 0 in its own callback runs again
 * before the loop polls, so one client that sends requests without a pause
 * would stop receiving. */
static int64_t wait_ms(const struct http *h)
{
	MHD_UNSIGNED_LONG_LONG asked_ms;
	int64_t ms = -1;
	if (h->shares.first != NULL) {
		ms = left_ms(h->shares.first);
		if (ms < 0)
			ms = 0;
	}
	if (MHD_get_timeout(h->daemon, &asked_ms) == MHD_YES &&
	    (ms < 0 || (int64_t)asked_ms < ms))
		ms = (int64_t)asked_ms;
	return ms == 0 ? 1 : ms;
}

/* Answer the requests that have arrived.  If there are still too many clients,
 * disconnect one. */
static void make_way(struct http *h)
{
	MHD_run(h->daemon);
	if (h->shares.count <= h->opts.clients_max)
		return;
	disconnect(h, shares_pick(&h->shares)->owner);
	MHD_run(h->daemon);
}

/* Accept a connection.  Returns whether another one may be waiting. */
static bool accept_one(struct http *h)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof peer;
	int fd = accept4(h->opts.fd, (struct sockaddr *)&peer, &length,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && socket_is_short(errno) && h->shares.first != NULL) {
		disconnect(h, h->shares.first->owner);
		return false;
	}
	if (fd < 0)
		return errno == EINTR || errno == ECONNABORTED;
	/* libmicrohttpd owns the descriptor, also on failure. */
	(void)MHD_add_connection(h->daemon, fd, (struct sockaddr *)&peer,
				 length);
	if (h->shares.count > h->opts.clients_max)
		make_way(h);
	return true;
}

static void on_timer(uv_timer_t *timer);

/* For pause_ns, accept and read nothing; it waits in the kernel. */
static void rest(struct http *h, int64_t pause_ns)
{
	h->is_resting = true;
	uv_poll_stop(&h->poll);
	uv_poll_stop(&h->listener);
	uv_timer_start(&h->timer, on_timer,
		       (uint64_t)(pause_ns / NS_PER_MS + 1), 0);
}

static void serve(struct http *h, bool accepts)
{
	int64_t began_ns = clock_thread_cpu_ns();
	cpu_budget_read_limit(&h->budget, clock_mono_ns());
	while (h->shares.first != NULL && left_ms(h->shares.first) <= 0)
		disconnect(h, h->shares.first->owner);
	for (int i = 0; accepts && i < ACCEPTS_MAX && accept_one(h); i++)
		;
	MHD_run(h->daemon);
	if (h->on_stopped != NULL && h->unanswered == 0) {
		close_handles(h);
		return;
	}
	int64_t pause_ns = cpu_budget_pause_ns(
		&h->budget, clock_mono_ns(), clock_thread_cpu_ns() - began_ns);
	if (pause_ns > 0 && h->on_stopped == NULL) {
		rest(h, pause_ns);
		return;
	}
	int64_t ms = wait_ms(h);
	if (ms >= 0)
		uv_timer_start(&h->timer, on_timer, (uint64_t)ms, 0);
	else
		uv_timer_stop(&h->timer);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	serve(poll->data, false);
}

static void on_connect(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	serve(poll->data, true);
}

static void watch(struct http *h)
{
	h->is_resting = false;
	uv_poll_start(&h->poll, UV_READABLE, on_readable);
	if (h->on_stopped == NULL)
		uv_poll_start(&h->listener, UV_READABLE, on_connect);
}

/* After a pause, accept first: a flood of the connected clients must not shut
 * out a probe. */
static void on_timer(uv_timer_t *timer)
{
	struct http *h = timer->data;
	bool has_rested = h->is_resting;
	if (has_rested)
		watch(h);
	serve(h, has_rested);
}

static void count_request(struct http *h, struct client *c)
{
	if (c->is_answered)
		h->unanswered++;
	c->is_answered = false;
}

static void count_answered(struct http *h, struct client *c)
{
	if (!c->is_answered)
		h->unanswered--;
	c->is_answered = true;
}

static void on_connection(void *data, struct MHD_Connection *connection,
			  void **client,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http *h = data;
	struct client *c = *client;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*client = c = mem_new(1, sizeof *c);
		c->fd = MHD_get_connection_info(
				connection, MHD_CONNECTION_INFO_CONNECTION_FD)
				->connect_fd;
		c->share.owner = c;
		shares_add(&h->shares, &c->share, c->fd, clock_mono_ns());
		h->unanswered++;
	} else {
		if (connection == h->pending)
			h->pending = NULL;
		count_answered(h, c);
		shares_remove(&h->shares, &c->share);
		free(c);
	}
}

static struct client *client_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

static void on_completed(void *data, struct MHD_Connection *connection,
			 void **state, enum MHD_RequestTerminationCode why)
{
	struct http *h = data;
	struct client *c = client_of(connection);
	(void)state;
	(void)why;
	count_answered(h, c);
	shares_touch(&h->shares, &c->share, clock_mono_ns());
}

static void add_retry_after(struct MHD_Response *response, int64_t s)
{
	char value[24];
	snprintf(value, sizeof value, "%" PRId64, s);
	MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, value);
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection,
				  const char *url, const char *method,
				  const char *version, const char *upload,
				  size_t *upload_bytes, void **state)
{
	struct http *h = data;
	(void)version;
	(void)upload;
	struct client *c = client_of(connection);
	if (*state == NULL) { /* only the header has arrived */
		*state = h;
		count_request(h, c);
		return MHD_YES;
	}
	if (*upload_bytes > 0) { /* ignore the body */
		*upload_bytes = 0;
		return MHD_YES;
	}
	struct http_request request = {
		.method = method,
		.path = url,
		.is_resumed = connection == h->pending,
		.must_not_wait =
			h->on_stopped != NULL ||
			(h->pending != NULL && connection != h->pending)};
	struct http_answer answer = {.status = 200};
	if (request.is_resumed) {
		h->pending = NULL;
		shares_add(&h->shares, &c->share, c->fd, clock_mono_ns());
	}
	h->opts.answer(h->opts.data, &request, &answer);
	if (answer.is_pending) {
		CHECK(h->pending == NULL && !request.must_not_wait);
		h->pending = connection;
		/* A pending request has no deadline, because the delay is
		 * not the client's. */
		shares_remove(&h->shares, &c->share);
		MHD_suspend_connection(connection);
		return MHD_YES;
	}
	struct MHD_Response *response = MHD_create_response_from_buffer(
		answer.body.len, answer.body.ptr, MHD_RESPMEM_MUST_FREE);
	CHECK(response != NULL);
	if (answer.content_type != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
					answer.content_type);
	if (answer.allow != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
					answer.allow);
	if (answer.retry_after_s > 0)
		add_retry_after(response, answer.retry_after_s);
	enum MHD_Result result =
		MHD_queue_response(connection, answer.status, response);
	MHD_destroy_response(response);
	return result;
}

struct http *http_start(uv_loop_t *loop, const struct http_opts *opts,
			struct err *e)
{
	struct http *h = mem_new(1, sizeof *h);
	h->opts = *opts;
	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
			MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, on_request, h, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)(opts->clients_max + opts->ending_max),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
	if (h->daemon == NULL) {
		err_sys(e, errno, "HTTP server");
		free(h);
		return NULL;
	}
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	CHECK(info != NULL);
	CHECK(uv_poll_init(loop, &h->poll, info->epoll_fd) == 0);
	CHECK(uv_poll_init(loop, &h->listener, opts->fd) == 0);
	CHECK(uv_timer_init(loop, &h->timer) == 0);
	CHECK(uv_timer_init(loop, &h->stop_timer) == 0);
	h->open_handles = 4;
	h->poll.data = h->listener.data = h;
	h->timer.data = h->stop_timer.data = h;
	watch(h);
	return h;
}

void http_resume(struct http *h)
{
	if (h == NULL || h->pending == NULL)
		return;
	MHD_resume_connection(h->pending);
	if (!h->is_resting)
		serve(h, false);
}

void http_stop(struct http *h, void (*done)(void *), void *data)
{
	if (h == NULL) {
		done(data);
		return;
	}
	h->on_stopped = done;
	h->stopped_data = data;
	/* Close this process's descriptor only; the listening socket itself
	 * stays open for the next worker. */
	uv_close((uv_handle_t *)&h->listener, on_closed);
	close(h->opts.fd);
	watch(h);
	http_resume(h);
	uv_timer_start(&h->stop_timer, on_stop_timer, STOP_MS, 0);
	serve(h, false);
}
