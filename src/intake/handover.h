/* SPDX-License-Identifier: Apache-2.0 */
/* handover - hands stream connections over from a leaving worker to the next.
 *
 *     old worker --give--> [ queue of a socket pair ] --take--> next worker
 *
 * One packet per connection carries its descriptor, the inode of the socket
 * that accepted it, and the bytes of its unfinished message.  Those bytes are
 * in a file in memory, because they may be too many for a packet.
 *
 * The supervisor opens the pair, keeps both ends and never reads: a packet
 * waits for the next worker, whenever it comes.
 *
 * Nothing is lost and nothing comes twice.  A worker that has given a
 * connection reads no more from it; the bytes that it has read are in the
 * journal or in the packet.  A worker takes connections only after the
 * supervisor has sent it GO, that is, after the old worker has left.  If a
 * worker is killed, the connections that it has not given are closed. */
#ifndef INTAKE_HANDOVER_H
#define INTAKE_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/err.h"
#include "intake/framing.h"
#include "journal/peer_address.h"

struct buf;

struct handover {
	int ends[2]; /* given into the first, taken from the second */
};

/* A connection that is being handed over.  Plain data: it travels between
 * processes. */
struct handed {
	ino_t listener; /* socket_inode() of the socket that accepted it */
	struct framing framing;
	char peer_address[PEER_ADDRESS_TEXT_BYTES];
	size_t held_bytes; /* of its unfinished message */
};

/* Open the socket pair.  False on failure. */
bool handover_open(struct handover *, struct err *) MUST_USE;

/* Close both ends.  Connections that no worker has taken are cut. */
void handover_close(struct handover *);

/* Give the connection `fd` with its `held` bytes; the caller still closes the
 * descriptor.  False on failure, for example if the kernel's queue is full. */
bool handover_give(const struct handover *, int fd, const struct handed *,
		   const char *held) MUST_USE;

/* The descriptor of the next connection, which the caller owns; -1 when there
 * is none.  Overwrites `held`. */
int handover_take(const struct handover *, struct handed *, struct buf *held);

#endif
