/* SPDX-License-Identifier: Apache-2.0 */
/* http - a small HTTP server in the libuv loop, on libmicrohttpd.
 *
 * The loop watches libmicrohttpd's epoll descriptor, so the server needs no
 * thread: a request is answered between two batches of datagrams.  Every answer
 * is complete at once, except that one request may be pending.  No client can
 * keep others out: each has 10 s to send a request and read the answer.  If
 * clients_max are connected, a new client replaces a client of the host with
 * the most connections (intake/shares.h).  All clients together get a part of
 * the CPU limit (base/cpu_budget.h). */
#ifndef STATUS_HTTP_H
#define STATUS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"

struct http;

struct http_request {
	const char *method; /* "GET" */
	const char *path;   /* without the query */
	bool is_resumed;    /* the second call for a pending request */
	/* The answer must not be pending: another one is, or the server is
	 * stopping. */
	bool must_not_wait;
};

struct http_answer {
	unsigned status;
	const char *content_type; /* a static text, or NULL for none */
	const char *allow;     /* value of the Allow header; static, or NULL */
	int64_t retry_after_s; /* the Retry-After header; 0: none */
	struct buf body;       /* freed by http */
	/* The answer is not known yet: the function is called again after
	 * http_resume or http_stop. */
	bool is_pending;
};

/* Fill in the answer; its status is 200 already. */
typedef void (*http_answer_fn)(void *, const struct http_request *,
			       struct http_answer *);

struct http_opts {
	int fd; /* listening; http_stop, or on failure the caller, closes it */
	size_t clients_max;
	size_t ending_max; /* clients being disconnected, in addition */
	http_answer_fn answer;
	void *data;
};

/* Start to serve on opts->fd.  *opts is copied.  NULL on failure, with *e
 * set. */
struct http *http_start(uv_loop_t *, const struct http_opts *, struct err *);

/* Ask for the answer to the pending request again and send it.  No effect if no
 * request is pending, or for NULL. */
void http_resume(struct http *);

/* Stop accepting connections; other processes that have the listening socket
 * continue to accept.  The pending request is answered, and no other answer may
 * be pending.  New connections and requests under way get 50 ms.  Then
 * everything is closed and freed, and done(data) is called.  With NULL, done is
 * called at once. */
void http_stop(struct http *, void (*done)(void *), void *data);

#endif
