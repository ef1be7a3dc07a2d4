/* SPDX-License-Identifier: Apache-2.0 */
/* receiver - the sockets in the loop: from the kernel's queue to the journal.
 *
 * While the pipeline keeps writing but is behind, receiving pauses: the
 * kernel's queue is one more buffer, and a sender that may wait does.  While
 * the disk takes nothing that would only lose lines uncounted: then they are
 * received, and the newest dropped when the journal is full.
 * The pipeline is rung once for a whole batch: when enough waits, or when the
 * oldest message has waited for half of Flush.
 * The intake thread only, but for receiver_tell_settled. */
#ifndef RUN_RECEIVER_H
#define RUN_RECEIVER_H

#include <stdint.h>
#include <uv.h>

struct endpoints;
struct journal;
struct pipeline;
struct receiver;

struct receiver_opts { /* all borrowed */
	uv_loop_t *loop;
	struct journal *journal;
	const struct endpoints *endpoints;
	uint64_t ring_after_ms; /* half of Flush */
};

/* Not yet receiving: the pipeline comes with receiver_start. */
struct receiver *receiver_new(const struct receiver_opts *);
void receiver_start(struct receiver *, struct pipeline *);

/* From the pipeline's thread: it has committed something, or is blocked. */
void receiver_tell_settled(struct receiver *);

/* Receive what is there now. */
void receiver_poll(struct receiver *);

/* Grows with everything that comes: to see whether anything does. */
uint64_t receiver_arrivals(const struct receiver *);

/* Refuse senders (they see EPIPE), take what the kernel still holds, however
 * long the journal needs to have room for it, then call on_done. */
void receiver_finish(struct receiver *, void (*on_done)(void *), void *data);

/* Receive no more; the kernel's queue keeps what is there. */
void receiver_leave(struct receiver *);

/* Close the handles; freed once the loop has run once more. */
void receiver_stop(struct receiver *);

#endif
