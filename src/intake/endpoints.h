/* SPDX-License-Identifier: Apache-2.0 */
/* endpoints - the inputs' sockets and the HTTP listener.
 *
 * They outlive a worker: the supervisor opens them according to a worker's
 * specs and passes their descriptors to each worker in turn
 * (process/channel.h).  Without a supervisor, the worker opens them itself. */
#ifndef INTAKE_ENDPOINTS_H
#define INTAKE_ENDPOINTS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "intake/retired.h"
#include "intake/socket.h"

enum { ENDPOINTS_MAX = 16, ENDPOINT_PATH_BYTES = 128 };

static_assert((int)RETIRED_MAX <= (int)ENDPOINTS_MAX,
	      "struct endpoint_specs has room for retired sockets");

/* Plain data: it travels between processes. */
struct socket_spec { /* struct socket_opts */
	uint32_t kind;
	char path[ENDPOINT_PATH_BYTES];
	uint16_t port;
	uint32_t mode;
	uint32_t queue_length;
	uint64_t receive_bytes;
	struct journal_input input; /* how its messages are decoded */
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
	int http_fd;	 /* -1: none */
	int64_t look_ns; /* when to look for the sockets' paths, never 0 */
	/* When endpoints_restore may return false again. */
	int64_t again_ns;
	struct log_rate lost_rate;
	/* Sockets that endpoints_set took out of use. */
	struct retired retired;
	/* True if no worker has the inputs of the sockets that endpoints_set
	 * will take out of use.  It then closes them and logs what is lost
	 * (socket_discard). */
	bool has_no_reader;
};

/* No endpoints. */
void endpoints_init(struct endpoints *e);

/* Make `e` match the specs: endpoints that are open and in the specs stay open
 * (socket_keep), new ones are opened, and the others are closed or, if they may
 * hold datagrams, retired.  A new endpoint may have the path or the port of one
 * that is closed or retired.  On failure, `e` is unchanged. */
bool endpoints_set(struct endpoints *e, const struct endpoint_specs *,
		   struct err *) MUST_USE;

/* The same for the next worker, without whom nobody receives.  So if an input's
 * new socket or the HTTP listener cannot be opened, its old one stays in use,
 * with an error line.  The old socket of an input is the one that was at the
 * same place, or has the same kind, name, tag and parser.  Fails if there is
 * none. */
bool endpoints_set_or_keep(struct endpoints *e, const struct endpoint_specs *,
			   struct err *) MUST_USE;

/* Whether one of the sockets is the one with this inode (socket_inode). */
bool endpoints_have(const struct endpoints *, ino_t);

/* If now_ns (clock_mono_ns) has reached look_ns, set the next look_ns and
 * restore the paths of Unix sockets if somebody removed them (socket_restore).
 * Without its path, no new sender can connect to a socket.  False if a socket
 * is lost and another can probably be opened in its place: call
 * endpoints_set_or_keep.
 * Returns false at most once in ten seconds until endpoints_set succeeds. */
bool endpoints_restore(struct endpoints *e, int64_t now_ns);

/* Close or retire the sockets that no longer accept anything
 * (socket_is_refused), so that endpoints_set opens others in their place.
 * Returns how many. */
unsigned endpoints_close_refused(struct endpoints *e);

/* No worker will read any of the sockets: log what is lost. */
void endpoints_discard(struct endpoints *e, const char *why);

/* Close all endpoints. */
void endpoints_close(struct endpoints *e);

/* Take over the sockets that systemd opened and passed (LISTEN_FDS, see
 * sd_listen_fds(3)).  endpoints_set then uses them for specs with the same
 * path, or the same address and port; one of them may be the HTTP listener.
 * Unsets the environment variables. */
bool endpoints_adopt_systemd(struct endpoints *e, struct err *) MUST_USE;

#endif
