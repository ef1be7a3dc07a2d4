/* SPDX-License-Identifier: Apache-2.0 */
/* receiver - the sockets in the loop: from the kernel's queue to the journal.
 *
 * Datagrams here, streams in intake/connections.h.  While the pipeline keeps
 * writing but is behind, receiving pauses: the kernel's queue is one more
 * buffer, and a sender that may wait does.  While the disk takes nothing that
 * would only lose lines uncounted: then they are received, and the newest
 * dropped when the journal is full; streams wait.
 * While a long queue fills steadily the whole loop sleeps between two looks,
 * see intake/pace.h.
 * The pipeline is rung once for a whole batch: when enough waits, or when the
 * oldest message has waited for half of Flush.
 * The intake thread only, but for receiver_tell_settled. */
#ifndef INTAKE_RECEIVER_H
#define INTAKE_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "intake/framing.h"

struct endpoints;
struct handover;
struct journal;
struct receiver;

struct receiver_input { /* beside its socket */
	enum framing_kind framing;
	size_t message_bytes_max;
	bool keeps_peer_address;
};

struct receiver_opts { /* all borrowed */
	uv_loop_t *loop;
	struct journal *journal;
	const struct endpoints *endpoints;
	const struct handover *handover;     /* or NULL */
	const struct receiver_input *inputs; /* one a socket; until _new */
	unsigned slots;			     /* of the journal */
	uint64_t wake_after_ms;		     /* half of Flush */
	/* Messages wait in the journal for whoever consumes them. */
	void (*wake)(void *);
	/* Whether the consumer cannot write at present. */
	bool (*is_output_blocked)(void *);
	void *data;
};

/* Not yet receiving; nothing is called back before receiver_start. */
struct receiver *receiver_new(const struct receiver_opts *);
void receiver_start(struct receiver *);

/* From the pipeline's thread: it has committed something, or is blocked. */
void receiver_tell_settled(struct receiver *);

/* Receive what is there now. */
void receiver_poll(struct receiver *);

/* Grows with everything that comes: to see whether anything does. */
uint64_t receiver_arrivals(const struct receiver *);

/* Refuse senders (of Unix sockets: they see EPIPE), take what the kernel still holds, however
 * long the journal needs to have room for it, then call on_done. */
void receiver_finish(struct receiver *, void (*on_done)(void *), void *data);

/* Make room for the next worker, which has the sockets where live_on[input]
 * says so; NULL when there is none.  What the kernel holds of their datagrams
 * stays there, and their connections are given to it.  Senders to the others
 * are refused; what the kernel holds of them is taken, as far as the journal
 * has room; datagrams beyond that are dropped and counted. */
void receiver_leave(struct receiver *, const bool *live_on);

/* Close the handles; freed once the loop has run once more. */
void receiver_stop(struct receiver *);

#endif
