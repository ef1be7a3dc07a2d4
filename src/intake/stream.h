/* SPDX-License-Identifier: Apache-2.0 */
/* stream - one connection: from the kernel's buffer to the journal.
 *
 *     kernel --recv--> held --framing--> journal
 *
 * Each whole message goes to the journal at once.  The stream holds the rest,
 * which is not yet a whole message: at most a message of the largest size and
 * the bytes of one recv.  It reads only as much as the journal certainly has
 * room for.  If the journal is full, the kernel's buffer fills, and the sender
 * waits.  A datagram cannot wait like that, so the caller can reserve a part of
 * the journal, which streams leave free for datagrams.  When the sender closes
 * the connection, the bytes of an unfinished message become a message, too.  A
 * stream owns its descriptor.  For the intake thread only. */
#ifndef INTAKE_STREAM_H
#define INTAKE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/framing.h"

struct journal;
struct socket_stats;
struct stream;

struct stream_opts {
	enum framing_kind framing;
	size_t message_bytes_max;
	uint16_t input;		    /* the input's number, for the journal */
	const char *peer_address;   /* the sender's, copied; or NULL */
	struct socket_stats *stats; /* counted into; borrowed */
};

enum stream_state {
	STREAM_IDLE,  /* nothing waits in the kernel */
	STREAM_BUSY,  /* more may wait; other streams have their turn */
	STREAM_FULL,  /* the journal has no room above the reserve */
	STREAM_ENDED, /* everything is in the journal: close the stream */
};

/* Takes over the descriptor. */
struct stream *stream_open(int fd, const struct stream_opts *);

/* Close the stream.  Bytes that it still holds or that wait in the kernel are
 * lost, unless another process has the descriptor, too.  Returns the number of
 * these bytes. */
size_t stream_close(struct stream *);

/* Its descriptor, which it still owns. */
int stream_fd(const struct stream *);

/* The bytes that the stream holds, and the state of its framing.  With both,
 * another stream can continue, here or in another process.  Valid until the
 * next stream_receive. */
struct span stream_held(const struct stream *);

/* See stream_held. */
const struct framing *stream_framing(const struct stream *);

/* Continue where another stream stopped.  Call this before the first
 * stream_receive.  The kind of framing and the longest message may differ; they
 * apply from the next message on. */
void stream_restore(struct stream *, const struct framing *, struct span held);

/* Receive the bytes that wait in the kernel, and append whole messages to the
 * journal with the arrival time now_ns (clock_real_ns).  Nothing is received
 * while the journal has no room for a message of the largest size besides
 * reserve_bytes.  A message that began before may use a part of the reserve. */
enum stream_state stream_receive(struct stream *, struct journal *,
				 int64_t now_ns, size_t reserve_bytes) MUST_USE;

/* Refuse further bytes, as far as the kernel can tell the sender.  Bytes that
 * were sent can still be received. */
void stream_refuse(struct stream *);

/* Tell a sender over the network that its connection should end: it reads the
 * end of the stream.  Bytes can still be received. */
void stream_say_end(struct stream *);

/* Receive nothing more; the next stream_receive ends the stream. */
void stream_end(struct stream *);

#endif
