/* SPDX-License-Identifier: Apache-2.0 */
/* journal - the ring of raw messages between the socket and the pipeline.
 *
 * The socket must never wait for a slow disk or a slow script.  So datagrams
 * go here first, unparsed.
 *
 *          tail (commit)      read (take)        head (append)
 *     -------|------------------|-------------------|-------
 *      free  |  taken, not yet  |   not yet taken   |  free
 *            |  on the output   |                   |
 *
 *     map:   [ header: positions | slots: where recvmmsg receives | ring ]
 *     entry: u32 length | u16 source | u16 kind | u64 seq | i64 arrival ns
 *            | bytes | padding to 8
 *
 * Datagrams are received into slots of full size and then packed into the
 * ring.  Positions only grow; an entry never wraps: one of kind "skip" fills
 * the end of the ring.  When the ring is empty, and a 256th of it used, the
 * producer starts over at its beginning, so that a calm collector touches only
 * a few pages of it.
 *
 * One thread produces (journal_slots, journal_append,
 * journal_room), one consumes
 * (journal_take, journal_commit); journal_pending_bytes may be called by both.
 * Anonymous memory: a dead process loses what is in it. */
#ifndef INTAKE_JOURNAL_H
#define INTAKE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct journal;

struct journal_opts {
	size_t ring_bytes; /* rounded up to whole pages */
	size_t slot_bytes; /* the largest datagram that arrives whole */
	unsigned slots;	   /* datagrams for one recvmmsg */
};

/* Counted by the producer. */
struct journal_stats {
	uint64_t appended_total;  /* messages accepted */
	uint64_t refused_total;	  /* messages refused, the ring was full */
	uint64_t truncated_total; /* datagrams longer than a slot, cut */
};

struct journal_entry {
	struct span bytes; /* in the map, until journal_commit */
	uint64_t seq;	   /* 0, 1, 2 ... */
	int64_t arrival_ns;
	uint16_t source; /* which input, as given to journal_append */
};

struct journal *journal_open(const struct journal_opts *, struct err *);
void journal_close(struct journal *);

/* The headers for one recvmmsg, ready to be filled: each with room for a
 * datagram and for the control message of SO_TIMESTAMPNS. */
struct mmsghdr *journal_slots(struct journal *, unsigned *count);

/* Take the first `received` slots over into the ring and make the slots ready
 * again.  The arrival time is the one in the control message, else now_ns.
 * What does not fit is counted as refused; returns how many went in. */
unsigned journal_append(struct journal *, unsigned received, uint16_t source,
			int64_t now_ns);
const struct journal_stats *journal_stats(const struct journal *);

/* The producer's: for how many messages of the largest size there is room in
 * any case. */
size_t journal_room(const struct journal *);

/* The next message; false when there is none. */
bool journal_take(struct journal *, struct journal_entry *) MUST_USE;

/* Everything taken so far is settled; its room is free again. */
void journal_commit(struct journal *);

/* Bytes in the ring that are not yet committed, and the ring's size. */
size_t journal_pending_bytes(const struct journal *);
size_t journal_ring_bytes(const struct journal *);

#endif
