/* SPDX-License-Identifier: Apache-2.0 */
/* receiver - moves datagrams from the kernel's queues into the journal.
 *
 * The receiver owns the inputs in the libuv loop: datagram sockets directly,
 * stream sockets through intake/connections.h.  It calls on_messages when
 * messages wait in the journal.  The consumer calls receiver_progress after it
 * has committed some of them.
 *
 * If the journal is full while the consumer writes, receiving pauses: the
 * kernel's queue is one more buffer, and a sender that can wait does so.  If
 * the output is blocked, the kernel's queue would fill too, and nobody would
 * count the datagrams lost there.  So datagrams are still received, and the
 * journal drops and counts the newest.  Streams always wait.
 *
 * All functions but receiver_progress belong to the intake thread. */
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

struct receiver_input { /* the settings of an input */
	enum framing_kind framing;
	size_t message_bytes_max;
	bool keeps_peer_address;
	int64_t idle_ms; /* of a connection; 0: forever */
};

struct receiver_opts { /* all borrowed */
	uv_loop_t *loop;
	struct journal *journal;
	const struct endpoints *endpoints;
	const struct handover *handover; /* or NULL */
	/* One per socket; used only by receiver_new. */
	const struct receiver_input *inputs;
	size_t connections_max; /* see connections_opts */
	size_t ending_max;
	unsigned slots;		/* of the journal */
	uint64_t wake_after_ms; /* half of Flush */
	/* Messages wait in the journal.  Called when 256 KiB wait, or
	 * when the oldest has waited for wake_after_ms. */
	void (*on_messages)(void *);
	/* All that the retired sockets of `endpoints` held is in the journal,
	 * or was dropped and counted.  The caller may close them.  Not called
	 * if there are none. */
	void (*on_retired_read)(void *);
	void *data;
};

/* Nothing is received and nothing called back before receiver_start. */
struct receiver *receiver_new(const struct receiver_opts *);
void receiver_start(struct receiver *);

/* The consumer has committed messages, or its output is blocked.  May be called
 * from any thread. */
void receiver_progress(struct receiver *, bool is_output_blocked);

/* Receive the data that waits in the kernel now. */
void receiver_poll(struct receiver *);

/* The same for the datagram inputs only.  Not after receiver_finish or
 * receiver_leave. */
void receiver_poll_datagrams(struct receiver *);

/* A count that grows whenever something arrives. */
uint64_t receiver_arrivals(const struct receiver *);

/* Refuse senders, read the data that the kernel still holds, and call on_done
 * when all of it is in the journal.  If the journal is full, this waits for
 * room without a time limit, unless the output is blocked: then datagrams are
 * dropped and counted, and bytes of connections are lost and logged.  Senders
 * to a Unix socket get EPIPE. */
void receiver_finish(struct receiver *, void (*on_done)(void *), void *data);

/* Make way for the next worker.  `kept_by_next` has a flag for each input whose
 * socket the next worker keeps; NULL means that there is no next worker.
 * Datagrams of kept inputs stay in the kernel, and their connections are handed
 * over.  Senders to the other inputs are refused.  Their data that the kernel
 * still holds is read; if the journal has no room, datagrams are dropped and
 * counted, and bytes of connections are lost and logged. */
void receiver_leave(struct receiver *, const bool *kept_by_next);

/* Close the handles.  The loop must run again, which frees the memory.  NULL is
 * allowed. */
void receiver_stop(struct receiver *);

#endif
