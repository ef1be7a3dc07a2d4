/* SPDX-License-Identifier: Apache-2.0 */
/* endpoints - what the world talks to: the inputs' sockets and the HTTP
 * listener.
 *
 * They outlive a worker: the supervisor opens them as a worker's specs ask,
 * and hands their descriptors to each worker in turn (process/channel.h).  Without a
 * supervisor the worker opens them itself. */
#ifndef INTAKE_ENDPOINTS_H
#define INTAKE_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "intake/socket.h"

enum { ENDPOINTS_MAX = 16, ENDPOINT_PATH_BYTES = 128 };

/* Plain data: it travels from process to process. */
struct socket_spec { /* struct socket_opts */
	uint32_t kind;
	char path[ENDPOINT_PATH_BYTES];
	uint16_t port;
	uint32_t mode;
	uint32_t queue_length;
	uint64_t receive_bytes;
};

struct endpoint_specs {
	uint32_t socket_count;
	struct socket_spec sockets[ENDPOINTS_MAX];
	bool has_http;
	char http_listen[ENDPOINT_PATH_BYTES];
	uint16_t http_port;
};

struct endpoints {
	struct endpoint_specs specs;
	struct socket *sockets[ENDPOINTS_MAX];
	int http_fd; /* -1: none */
};

/* Make `e` what the specs ask: what it has already stays open, what is new is
 * opened, what is not wanted any more is closed.  On failure `e` is as it was.
 * Begin with endpoints_init. */
void endpoints_init(struct endpoints *e);
bool endpoints_set(struct endpoints *e, const struct endpoint_specs *,
		   struct err *) MUST_USE;
void endpoints_close(struct endpoints *e);

/* Whether it is open. */
bool endpoints_have(const struct endpoints *, const struct socket_spec *);

/* Sockets that systemd opened and passed (LISTEN_FDS, sd_listen_fds(3)): they
 * are used for the specs whose path, or address and port, they have; the HTTP
 * listener is one of them.  Unsets the environment variables. */
bool endpoints_adopt_systemd(struct endpoints *e, struct err *) MUST_USE;

#endif
