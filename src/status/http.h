/* SPDX-License-Identifier: Apache-2.0 */
/* http - a small HTTP server in the loop; the protocol is libmicrohttpd's.
 *
 * Its epoll descriptor is watched by the loop, so it has no thread of its
 * own: a request is answered between two batches of datagrams, and an answer
 * is a text that is ready at once.  Nobody can keep others out: connections
 * that say nothing are closed, and of one address there are only so many. */
#ifndef STATUS_HTTP_H
#define STATUS_HTTP_H

#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"

struct http;

struct http_request {
	const char *method; /* "GET" */
	const char *path;   /* without the query */
};

struct http_answer {
	unsigned status;
	const char *content_type; /* static, or NULL for none */
	const char *allow;	  /* the same */
	struct buf body;	  /* freed by http */
};

typedef void (*http_answer_fn)(void *, const struct http_request *,
			       struct http_answer *);

struct http_opts {
	int fd; /* listening; closed by http_stop, or by the caller on failure */
	http_answer_fn answer;
	void *data;
};

/* NULL on failure. */
struct http *http_start(uv_loop_t *, const struct http_opts *, struct err *);

/* Accept no more: whoever else has the listening socket does.  A connection
 * that was not answered yet has 50 ms for its request; then everything is
 * closed, done(data) is called, and its memory is freed. */
void http_stop(struct http *, void (*done)(void *), void *data);

#endif
