/* SPDX-License-Identifier: Apache-2.0 */
/* journal - the durable ring of raw messages between socket and pipeline.
 *
 * The socket must never wait for a slow disk or a slow script, and a killed
 * process must not lose what it accepted.  So datagrams go here first,
 * unparsed, into a file that is mapped: recvmmsg writes straight into it.
 *
 *          tail (commit)      read (take)        head (append)
 *     -------|------------------|-------------------|-------
 *      free  |  taken, not yet  |   not yet taken   |  free
 *            |  on the output   |                   |
 *
 *     file:  [ header | counters x 2 | slots: headers of recvmmsg | notes
 *            | slots: buffers | ring ]
 *     entry: u32 length | u16 source | u16 kind | u64 seq | i64 arrival ns
 *            | u64 xxh3 of all that and the bytes | bytes | padding to 8
 *
 * Positions only grow; an entry never wraps: one of kind "skip" fills the end
 * of the ring.  When the ring is empty the producer starts over at its
 * beginning, so that a calm collector touches only a few pages of it.
 *
 * What survives what:
 *  - SIGKILL at any instant: everything that the kernel gave us, exactly once
 *    (journal.c lists the instants);
 *  - a power cut: what the file system had written back;
 *  - a file of another version, cut or damaged: it is renamed to
 *    PATH.damaged.N and reported, never trusted, never deleted.  One of other
 *    sizes is good: what is in it moves to a new one, if it fits there.
 * Without a path, anonymous memory: the same code, nothing survives.
 * The file is sparse.  What is used of it is reserved beforehand, under 1 MiB
 * at first: on a full file system the ring is smaller, and refuses earlier.
 * It belongs on a tmpfs, which outlives the container as an emptyDir of medium
 * Memory.  On a device the kernel writes its pages back every few seconds; a
 * store waits meanwhile, for tens of milliseconds on a busy disk, and so does
 * receiving.  A SIGKILL that strikes there can cost one datagram (seen once in
 * 2,000 kills while it was synced 2,000 times a second, else never).
 * One owner at a time: the file is locked (flock).
 *
 * One thread produces (journal_slots, journal_append, journal_offer,
 * journal_room), one consumes (journal_take, journal_note, journal_commit); journal_pending_bytes
 * may be called by both. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"
#include "journal/append_note.h"

struct journal;

struct journal_opts {
	const char *path;      /* NULL: anonymous memory */
	size_t ring_bytes;     /* rounded up to whole pages */
	size_t slot_bytes;     /* the largest datagram that arrives whole */
	unsigned slots;	       /* datagrams for one recvmmsg */
	size_t counters_bytes; /* for what journal_commit takes along */
	int64_t wait_ms;       /* for another owner to let go; 0: not at all */
};

/* Counted by the producer; survive in the file. */
struct journal_stats {
	uint64_t appended_total;  /* messages accepted */
	uint64_t refused_total;	  /* messages refused, the ring was full */
	uint64_t truncated_total; /* datagrams longer than a slot, cut */
};

/* What opening found. */
struct journal_found {
	uint64_t messages;    /* in the ring, not committed; includes: */
	uint64_t from_slots;  /* received, but not yet appended */
	uint64_t noted;	      /* taken by a batch that was not committed */
	char damaged[256];    /* where the old file went; "" when it was good */
	char why[128];	      /* what was wrong with it */
	bool is_written_back; /* to a device, see above */
};

struct journal_entry {
	struct span bytes; /* in the map, until journal_commit */
	uint64_t seq;	   /* 0, 1, 2 ...; goes on after a restart */
	int64_t arrival_ns;
	uint16_t source; /* which input, as given to journal_slots */
};

/* Open or create, recover.  NULL on failure, also when another process owns
 * the file. */
struct journal *journal_open(const struct journal_opts *,
			     struct journal_found *, struct err *);

/* Unlock, unmap, close; what is not committed stays in the file. */
void journal_close(struct journal *);

/* The headers for one recvmmsg on that input, ready to be filled: each with
 * room for a datagram and for the control message of SO_TIMESTAMPNS.  In a
 * file there are few at first, and more when all were used.  A process that is
 * killed before journal_append finds them when it opens. */
struct mmsghdr *journal_slots(struct journal *, uint16_t source,
			      unsigned *count);

/* Take the first `received` slots over into the ring.  The arrival time is
 * the one in the control message, else now_ns.  What does not fit is counted
 * as refused; returns how many went in. */
unsigned journal_append(struct journal *, unsigned received, int64_t now_ns);

/* Append one message that is not in a slot; seq is given here.  False when
 * there is no room: nothing is changed or counted, it may be offered again. */
bool journal_offer(struct journal *, const struct journal_entry *) MUST_USE;

const struct journal_stats *journal_stats(const struct journal *);

/* The producer's: for how many messages of the largest size there is room in
 * any case. */
size_t journal_room(struct journal *);

/* The next message; false when there is none.  Directly after journal_open
 * the first batch ends where the batch ended that was under way when the last
 * process died: false there until journal_commit, so that the same messages
 * make the same lines. */
bool journal_take(struct journal *, struct journal_entry *) MUST_USE;

/* Whether that batch is to come, or under way: it must be taken to its end,
 * for the commit forgets the notes. */
bool journal_is_repeating(const struct journal *);

/* Everything taken since the last commit is a batch now, and this is about to
 * be appended for it.  Beyond JOURNAL_NOTES_MAX a batch is at least once. */
enum { JOURNAL_NOTES_MAX = 8192 };
void journal_note(struct journal *, const struct append_note *);

/* The nth note of the batch that was under way when the last process died,
 * for that output and file; NULL behind the last, and after a commit. */
const struct append_note *journal_noted(const struct journal *, uint32_t sink,
					uint64_t device, uint64_t inode,
					size_t nth);

/* Everything taken so far is settled, its room is free again, and these are
 * the counters as of now: all of it in one instant.  bytes is at most
 * counters_bytes. */
void journal_commit(struct journal *, const void *counters, size_t bytes);

/* The counters committed last by whoever had the file before, NULL when there
 * are none or of another size. */
const void *journal_counters(const struct journal *, size_t bytes);

/* Bytes in the ring that are not yet committed, and the ring's size. */
size_t journal_pending_bytes(const struct journal *);
size_t journal_ring_bytes(const struct journal *);

/* --- for `sluiced journal FILE`: read only, no lock, nothing is changed */

struct journal_summary {
	uint32_t version;
	uint64_t ring_bytes, slot_bytes;
	uint64_t head, tail;
	uint64_t appended_total, refused_total;
	uint64_t notes;
	bool is_owned; /* a process has it locked */
};

/* Call each_entry for every message that is not committed.  False with *e
 * when the file is not a good journal (what was good before is still given). */
bool journal_inspect(const char *path, struct journal_summary *,
		     void (*each_entry)(void *, const struct journal_entry *),
		     void *data, struct err *) MUST_USE;

#endif
