/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 *  1. libmicrohttpd's epoll descriptor becomes readable: on_readable runs it;
 *  2. on_request gets the header, then the end of the request, and queues the
 *     answer.  If there is none yet, the connection is suspended; http_resume
 *     lets libmicrohttpd call on_request again;
 *  3. on_timer runs libmicrohttpd again for its time-outs;
 *  4. http_stop closes the listening descriptor, waits up to STOP_MS for
 *     connections without an answer, closes the handles and calls done.
 *
 * Failure modes:
 *  - a client sends nothing: libmicrohttpd closes the connection after
 *    IDLE_TIMEOUT_S;
 *  - there are too many connections, in all or from one address: libmicrohttpd
 *    closes the new one. */
#include "status/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/mem.h"

enum {
	CONNECTION_BYTES = 8 * 1024,
	IDLE_TIMEOUT_S = 15,
	STOP_MS = 50,
};

struct http {
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
	uv_timer_t stop_timer;
	unsigned open_handles;
	struct MHD_Connection *pending; /* the one that is, or NULL */
	unsigned unanswered; /* connections that wait for an answer */
	struct http_opts opts;
	void (*on_stopped)(void *); /* not NULL: it is stopping */
	void *stopped_data;
};

static unsigned connections(struct http *h)
{
	return MHD_get_daemon_info(h->daemon,
				   MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
		->num_connections;
}

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

/* libmicrohttpd must be called when there is something to read and for its
 * time-outs.  At its limit of connections it stops listening, and only a call
 * after one of them has ended starts it again.  So if a connection ended within
 * the last call, another call must follow, or it would never listen again. */
static void on_timer(uv_timer_t *timer)
{
	struct http *h = timer->data;
	unsigned before;
	do {
		before = connections(h);
		MHD_run(h->daemon);
	} while (connections(h) < before);
	if (h->on_stopped != NULL && h->unanswered == 0) {
		close_handles(h);
		return;
	}
	MHD_UNSIGNED_LONG_LONG timeout_ms;
	if (MHD_get_timeout(h->daemon, &timeout_ms) == MHD_YES)
		uv_timer_start(timer, on_timer, timeout_ms, 0);
	else
		uv_timer_stop(timer);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct http *h = poll->data;
	(void)status;
	(void)events;
	on_timer(&h->timer);
}

struct client {
	bool is_answered;
};

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
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*client = mem_new(1, sizeof(struct client));
		h->unanswered++;
	} else {
		if (connection == h->pending)
			h->pending = NULL;
		count_answered(h, *client);
		free(*client);
	}
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection,
				  const char *url, const char *method,
				  const char *version, const char *upload,
				  size_t *upload_bytes, void **state)
{
	struct http *h = data;
	(void)version;
	(void)upload;
	if (*state == NULL) { /* only the header has arrived */
		*state = h;
		return MHD_YES;
	}
	if (*upload_bytes > 0) { /* ignore the body */
		*upload_bytes = 0;
		return MHD_YES;
	}
	struct http_request request = {.method = method,
				       .path = url,
				       .is_resumed = connection == h->pending};
	struct http_answer answer = {.status = 200};
	if (request.is_resumed)
		h->pending = NULL;
	h->opts.answer(h->opts.data, &request, &answer);
	if (answer.is_pending) {
		CHECK(h->pending == NULL);
		h->pending = connection;
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
	enum MHD_Result result =
		MHD_queue_response(connection, answer.status, response);
	MHD_destroy_response(response);
	count_answered(
		h, MHD_get_connection_info(connection,
					   MHD_CONNECTION_INFO_SOCKET_CONTEXT)
			   ->socket_context);
	return result;
}

struct http *http_start(uv_loop_t *loop, const struct http_opts *opts,
			struct err *e)
{
	struct http *h = mem_new(1, sizeof *h);
	h->opts = *opts;
	/* One address gets half of them; further ones are closed at once. */
	unsigned count_max = (unsigned)descriptors_for_http();
	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		on_request, h, MHD_OPTION_LISTEN_SOCKET, opts->fd,
		MHD_OPTION_CONNECTION_LIMIT, count_max,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (count_max + 1) / 2,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
	if (h->daemon == NULL) {
		err_sys(e, errno, "HTTP server");
		free(h);
		return NULL;
	}
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	CHECK(info != NULL);
	CHECK(uv_poll_init(loop, &h->poll, info->epoll_fd) == 0);
	CHECK(uv_timer_init(loop, &h->timer) == 0);
	CHECK(uv_timer_init(loop, &h->stop_timer) == 0);
	h->open_handles = 3;
	h->poll.data = h->timer.data = h->stop_timer.data = h;
	uv_poll_start(&h->poll, UV_READABLE, on_readable);
	return h;
}

void http_resume(struct http *h)
{
	if (h == NULL || h->pending == NULL)
		return;
	MHD_resume_connection(h->pending);
	on_timer(&h->timer);
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
	int fd = MHD_quiesce_daemon(h->daemon);
	if (fd >= 0)
		close(fd);
	http_resume(h);
	uv_timer_start(&h->stop_timer, on_stop_timer, STOP_MS, 0);
	on_timer(&h->timer);
}
