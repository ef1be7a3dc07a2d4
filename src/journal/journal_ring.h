/* SPDX-License-Identifier: Apache-2.0 */
/* journal_ring - struct journal, known only to journal.c and journal_open.c. */
#ifndef JOURNAL_JOURNAL_RING_H
#define JOURNAL_JOURNAL_RING_H

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
	uint64_t start; /* of the lap */
	uint64_t tail;	/* as last seen */
	bool is_short;	/* the file system has no room for more of the ring */
	unsigned slots; /* given to recvmmsg */
	size_t longest; /* datagram so far */
	struct journal_region ring;
	struct journal_region buffers;
	struct journal_stats stats; /* appended_total is the next seq */
};

struct journal_consumer {
	uint64_t read;
	uint64_t head;	   /* as last seen */
	uint64_t seq;	   /* of the next message */
	uint64_t hold_seq; /* where the first batch ends */
	uint64_t number;   /* of the last commit */
	uint64_t found_notes;
	struct journal_region notes;
	void *counters; /* as found */
	size_t counters_bytes;
};

struct journal {
	struct journal_view view;
	int fd; /* -1: anonymous memory */
	bool is_written_back;
	struct mmsghdr *slots;
	char apart_1[JOURNAL_LINE_BYTES];
	_Atomic uint64_t start; /* the producer's, for the consumer */
	struct journal_producer producer;
	char apart_2[JOURNAL_LINE_BYTES];
	struct journal_consumer consumer;
};

/* Reserve the region up to there; false when the file system has no room. */
bool journal_reserve(struct journal *, struct journal_region *,
		     size_t upto) MUST_USE;

/* Give so many slots to recvmmsg; false when the file system has no room. */
bool journal_use_slots(struct journal *, size_t count) MUST_USE;

/* Append what is in the first slots and publish it; the slots are as they
 * were. */
unsigned journal_take_over(struct journal *, unsigned received, int64_t now_ns);

/* Append one message behind the head; false when there is no room for it.
 * Nothing is published. */
bool journal_put(struct journal *, const struct journal_entry *) MUST_USE;
void journal_publish(struct journal *);

/* What recvmmsg needs and changes, between one use and the next. */
void journal_make_ready(struct mmsghdr *slot);

#endif
