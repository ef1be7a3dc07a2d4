/* SPDX-License-Identifier: Apache-2.0 */
/* connections - the streams in the loop: accepted, received from, ended.
 *
 * All inputs together have at most CONNECTIONS_MAX, or half of the descriptors
 * that the process may have; who connects beyond that waits in the kernel until
 * one ends.  While the journal has no room nothing
 * is accepted or received: the senders wait, and nothing is dropped.
 * A worker that leaves gives them to the next one (intake/handover.h), whose
 * senders notice nothing.
 * The intake thread only. */
#ifndef INTAKE_CONNECTIONS_H
#define INTAKE_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "intake/framing.h"

struct connections;
struct handover;
struct journal;
struct socket;

struct connections_opts { /* all borrowed */
	uv_loop_t *loop;
	struct journal *journal;
	const struct handover *handover; /* or NULL */
	void (*on_arrival)(void *);	 /* something is in the journal */
	void (*on_full)(void *); /* paused now: call connections_resume */
	void *data;
};

struct connections_input {
	struct socket *socket; /* of a stream */
	uint16_t source;
	enum framing_kind framing;
	size_t message_bytes_max;
	bool keeps_peer_address;
};

struct connections *connections_new(const struct connections_opts *);

/* Before connections_resume. */
void connections_add(struct connections *, const struct connections_input *);

/* Take what the worker before has given; before connections_resume. */
void connections_take_over(struct connections *);

/* Accept and receive, from the beginning or after on_full. */
void connections_resume(struct connections *);
bool connections_are_paused(const struct connections *);

/* Accept and receive what is there now. */
void connections_poll(struct connections *);

/* Accept whoever has connected, however many, refuse others, take what the
 * kernel holds, end them all.  False when the journal has no room for it yet:
 * call again. */
bool connections_finish(struct connections *);

/* Give to the next worker the connections of those inputs whose sockets live
 * on: live_on[source], or NULL when there is no next worker.  With the others
 * the same as connections_finish, as far as the journal has room. */
void connections_leave(struct connections *, const bool *live_on);

/* Close the handles; freed once the loop has run once more. */
void connections_stop(struct connections *);

#endif
