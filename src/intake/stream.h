/* SPDX-License-Identifier: Apache-2.0 */
/* stream - one connection: from the kernel's buffer to the journal.
 *
 *     kernel --recv--> held --framing--> journal
 *
 * Each whole message goes into the journal at once; what is held is the rest
 * that is not yet a whole one, at most the longest message and one recv.
 * Nothing is read for which the journal might have no room: the kernel's
 * buffer fills, and the sender waits.
 * When the sender ends the connection, a message without its end is one too.
 * Owns its descriptor.  The intake thread only. */
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
	const char *peer_address;   /* the sender's address, or NULL */
	struct socket_stats *stats; /* counted into; borrowed */
};

enum stream_state {
	STREAM_IDLE,  /* nothing more is there now */
	STREAM_BUSY,  /* others have a turn, there may be more */
	STREAM_FULL,  /* the journal has no room */
	STREAM_ENDED, /* all is in the journal, close it */
};

struct stream *stream_open(int fd, const struct stream_opts *);

/* Close; what is still held, here and in the kernel, is lost, unless another
 * one has the descriptor too.  Returns how many bytes that is. */
size_t stream_close(struct stream *);

int stream_fd(const struct stream *);

/* What is held of a message that is not yet whole, or for which the journal
 * has no room, and how far into the stream that is: with both another one goes
 * on, here or in another process.  Valid until the next stream_receive. */
struct span stream_held(const struct stream *);
const struct framing *stream_framing(const struct stream *);

/* Go on where that one was; before the first stream_receive.  Its kind and its
 * longest message may be others: they are from the next message on. */
void stream_restore(struct stream *, const struct framing *, struct span held);

/* Take what is there. */
enum stream_state stream_receive(struct stream *, struct journal *,
				 int64_t now_ns) MUST_USE;

/* The sender cannot send any more, as far as the kernel can tell it; what was
 * sent can still be received. */
void stream_refuse(struct stream *);

/* Nothing is received any more; the next stream_receive ends it. */
void stream_end(struct stream *);

#endif
