/* SPDX-License-Identifier: Apache-2.0 */
/* handover - the connections of streams, from a worker that leaves to the next.
 *
 *     old worker --give--> [ the queue of a socket pair ] --take--> next worker
 *
 * One packet for each: its descriptor, the socket that it came from, and what
 * its stream holds of a message that is not yet whole, as a file in memory
 * since that may be longer than a packet.
 * The supervisor opens the pair, keeps it and never reads it: a packet waits
 * for whichever worker comes next, and without a supervisor it ends, and the
 * connection with it.
 * Nothing is lost and nothing comes twice: who has given a connection receives
 * no more from it, and what he received is in the journal or in the packet;
 * who takes has the journal already, so the other one is gone.  A worker that
 * is killed takes the connections along that it has not given. */
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

/* Plain data: it travels from process to process. */
struct handed {
	ino_t listener; /* socket_inode() of where it was accepted */
	struct framing framing;
	char peer_address[PEER_ADDRESS_TEXT_BYTES];
	size_t held_bytes;
};

bool handover_open(struct handover *, struct err *) MUST_USE;
void handover_close(struct handover *);

/* The descriptor stays the caller's to close.  `held` are held_bytes.  False
 * when the kernel does not take it: too many are under way. */
bool handover_give(const struct handover *, int fd, const struct handed *,
		   const char *held) MUST_USE;

/* The next one's descriptor, -1 when there is none.  `held` is overwritten. */
int handover_take(const struct handover *, struct handed *, struct buf *held);

#endif
