/* SPDX-License-Identifier: Apache-2.0 */
/* retired - datagram sockets that no input has any more, but that may still
 * hold datagrams.
 *
 *     reload: an input is removed, or has another address
 *        |
 *     supervisor keeps the socket -----> the old worker reads it and ends
 *        |                                  |
 *        | it was killed before that        | the socket is empty
 *        v                                  v
 *     the next worker reads it first ----> the supervisor closes it
 *
 * A worker that does not find the input in its configuration needs to know how
 * to decode the datagrams, so the input's description comes with the socket. */
#ifndef INTAKE_RETIRED_H
#define INTAKE_RETIRED_H

#include <stdbool.h>
#include <stdint.h>

#include "journal/journal.h"

enum { RETIRED_MAX = 16 }; /* no more than ENDPOINTS_MAX */

struct socket;
struct socket_opts;

struct retired_socket {
	struct socket *socket;
	struct journal_input input; /* of the configuration that had it */
	uint16_t number; /* in the worker: the input's number in the journal */
};

struct retired { /* zero-initialised: none */
	struct retired_socket sockets[RETIRED_MAX];
	uint32_t count;
	/* In the supervisor: how many, from the first on, were passed to the
	 * working worker, which does not have them as inputs. */
	uint32_t passed;
};

/* Keep a socket whose path was removed (socket_retire).  Closes it at once if
 * it is a stream socket, or if systemd has it open, too.  If there are already
 * RETIRED_MAX, logs what is lost. */
void retired_add(struct retired *, struct socket *,
		 const struct journal_input *);

/* No worker that had the sockets as inputs exists any more: refuse senders, and
 * close the sockets that are empty. */
void retired_settle(struct retired *);

/* The worker has read the sockets that were passed to it: close them. */
void retired_close_passed(struct retired *);

/* The same as socket_share_port, for each of the sockets that is in the way of
 * a new one with these options.  Returns whether there is one. */
bool retired_share(const struct retired *, const struct socket_opts *,
		   bool is_shared);

/* Close all. */
void retired_close(struct retired *);

#endif
