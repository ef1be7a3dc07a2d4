/* SPDX-License-Identifier: Apache-2.0 */
/* journal_ring - struct journal, for the files of journal/ only.
 *
 *     journal.c         appends, takes, commits
 *     journal_slots.c   slots for recvmmsg
 *     journal_inputs.c  the table of inputs
 *     journal_work.c    what the consumer works on, and what killed it
 *     journal_open.c    opening and recovery
 *     journal_move.c    moving the messages to a file of other sizes */
#ifndef JOURNAL_JOURNAL_RING_H
#define JOURNAL_JOURNAL_RING_H

#include "base/check.h"
#include "base/log.h"
#include "journal/journal.h"
#include "journal/journal_format.h"

/* A part of the file that is reserved from its beginning, step by step. */
struct journal_region {
	size_t at;
	size_t bytes;
	size_t step;
	size_t ready;
};

struct journal_producer {
	uint64_t head;
	uint64_t word;	/* published last */
	uint64_t start; /* everything before it is committed */
	uint64_t tail;	/* as last seen */
	bool is_short;	/* the file system has no room for more of the ring */
	struct log_rate short_rate;
	unsigned slots; /* that recvmmsg may use */
	unsigned slots_max;
	size_t longest;			    /* datagram so far */
	uint8_t row_of[JOURNAL_INPUTS_MAX]; /* by the input's number */
	struct journal_region ring;
	struct journal_region buffers;
	struct journal_stats stats; /* appended_total is the next seq */
};

struct journal_consumer {
	uint64_t read;
	uint64_t head;	   /* as last seen */
	uint64_t seq;	   /* of the next message */
	uint64_t hold_seq; /* where the repeated batch ends; UINT64_MAX: no
			    * batch is repeated */
	uint64_t number;   /* of the last commit */
	uint64_t found_notes;
	bool is_claimed[JOURNAL_NOTES_MAX];    /* of the found notes */
	uint8_t number_of[JOURNAL_INPUTS_MAX]; /* by row */
	struct journal_region notes;
	uint64_t suspects[JOURNAL_SUSPECTS_MAX]; /* as in the header */
	size_t suspect_count;
	struct journal_replayed replayed; /* as found */
	void *counters;			  /* as found; NULL: none */
	size_t counters_bytes;
};

struct journal {
	struct journal_view view;
	int fd; /* -1: anonymous memory */
	bool is_written_back;
	struct mmsghdr *slots;
	uint64_t used_rows;		     /* as found, a bit for each row */
	uint8_t removed[JOURNAL_INPUTS_MAX]; /* rows of removed inputs */
	size_t removed_count;
	/* The threads write to different cache lines. */
	char apart_1[JOURNAL_LINE_BYTES];
	_Atomic uint64_t start; /* the producer's, for the consumer */
	struct journal_producer producer;
	char apart_2[JOURNAL_LINE_BYTES];
	struct journal_consumer consumer;
};

/* The value that an entry of this input stores: the input's row, with the mark
 * if it is set. */
static inline uint16_t journal_input_stored(const struct journal *j,
					    uint16_t input)
{
	unsigned number = journal_row_of(input);
	CHECK(number < JOURNAL_INPUTS_MAX);
	return (uint16_t)((input & JOURNAL_INPUT_MARK) |
			  j->producer.row_of[number]);
}

/* Give each input its row, and each used row its number.  False when more rows
 * are needed than there are. */
bool journal_map_inputs(struct journal *, const struct journal_opts *) MUST_USE;

/* About how many bytes a new file takes at first. */
size_t journal_first_bytes(const struct journal_geometry *);

/* Reserve the first `upto` bytes of the region; false when the file system has
 * no room. */
bool journal_reserve(struct journal *, struct journal_region *,
		     size_t upto) MUST_USE;

/* Let recvmmsg use `count` slots; false when the file system has no room. */
bool journal_use_slots(struct journal *, size_t count) MUST_USE;

/* Use no more than `count` slots. */
void journal_limit_slots(struct journal *, unsigned count);

/* Append the datagrams in the first slots and publish them.  Returns how many
 * had room.  The slots are not changed. */
unsigned journal_take_over(struct journal *, unsigned received, int64_t now_ns);

/* Append one message after the head, without publishing it.  The entry's input
 * must be the stored value (journal_input_stored).  False when there is no
 * room. */
bool journal_put(struct journal *, const struct journal_entry *) MUST_USE;

/* Publish all messages up to the head. */
void journal_publish(struct journal *);

/* Take over positions, totals, notes and counters that were read from the
 * file. */
void journal_take_state(struct journal *, const struct journal_content *);

/* How many bytes the uncommitted messages take in the ring.  This leaves out
 * the end of the ring that a skip fills, so it may be less than
 * journal_pending_bytes. */
size_t journal_waiting_bytes(const struct journal *);

/* Return to the file system the room that the file has reserved but does not
 * need now.  The slots must be empty. */
void journal_free_unused(struct journal *);

/* Copy the messages of `from` that are not committed, its inputs, notes, totals
 * and counters to the new journal `to`, whose ring must have room for them.
 * False with errno if the file system has no room. */
bool journal_carry_over(struct journal *to, struct journal *from) MUST_USE;

/* After opening: the message that the previous process worked on becomes a
 * suspect.  False without such a message. */
bool journal_find_suspects(struct journal *, bool died_of_other);

/* As half_deaths in journal_entry. */
unsigned journal_half_deaths_at(const struct journal *, uint64_t seq);

/* After a commit: finished messages are no longer suspects. */
void journal_forget_suspects(struct journal *);

/* Whether sluiced replay has sent the message.  If it was sent with --again but
 * belongs to the batch that is repeated, the result is false: only the whole
 * batch makes the same lines. */
bool journal_is_replayed(const struct journal *, uint64_t seq);

/* Empty the slot for its next use by recvmmsg. */
void journal_make_ready(struct mmsghdr *slot);

#endif
