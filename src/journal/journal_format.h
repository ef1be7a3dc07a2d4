/* SPDX-License-Identifier: Apache-2.0 */
/* journal_format - what lies where in the journal's file, and whether what is
 * there can be believed.
 *
 *     [ header | tails x 2 | slots: mmsghdr, iovec, control | notes
 *              | slots: buffers | ring ]
 *
 * A position is published by one store of 8 bytes.  Positions are multiples
 * of 8; the low bit of the word that is stored says which of two blocks goes
 * with it, the other one is the next to be written.  So what belongs together
 * (a head and the totals of the producer; a tail and the counters of the
 * consumer) changes in one instant.
 *
 * Everything here only reads; any content is survived.  The byte order and
 * the sizes are the machine's: a file does not travel. */
#ifndef JOURNAL_JOURNAL_FORMAT_H
#define JOURNAL_JOURNAL_FORMAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#include "base/check.h"
#include "journal/journal.h"

enum {
	JOURNAL_VERSION = 1,
	JOURNAL_LINE_BYTES = 64, /* of a processor's cache */
	JOURNAL_PAGE_BYTES = 4096,
	JOURNAL_SLOTS_MAX = 1024, /* what recvmmsg takes at once, UIO_MAXIOV */
	JOURNAL_SLOT_BYTES_MAX = 64 << 20,
	JOURNAL_COUNTERS_BYTES_MAX = 1 << 20,
	JOURNAL_SKIP_BYTES = 8,
	JOURNAL_WHY_BYTES = 128,
};

/* In a slot's msg_len: nothing arrived here. */
#define JOURNAL_SLOT_EMPTY UINT32_MAX

struct journal_geometry {
	uint64_t ring_bytes;
	uint64_t slot_bytes;
	uint64_t counters_bytes;
	uint64_t slots;
};

struct journal_head_block {
	uint64_t word;
	uint64_t start; /* of the lap: before it everything is committed */
	uint64_t refused_total;
	uint64_t truncated_total;
	uint64_t check;
};

struct journal_tail_block {
	uint64_t word;
	uint64_t number; /* of the commit */
	uint64_t seq;	 /* of the first message that is not committed */
	uint64_t counters_bytes;
	uint64_t check; /* of the above and the counters, which follow */
};

struct journal_header {
	char magic[8];
	uint64_t version;
	struct journal_geometry geometry;
	uint64_t check;
	/* The producer's. */
	_Alignas(JOURNAL_LINE_BYTES) _Atomic uint64_t head;
	_Atomic uint64_t slots_head; /* when equal: not yet in the ring */
	_Atomic uint64_t slots_source;
	struct journal_head_block heads[2];
	/* The consumer's. */
	_Alignas(JOURNAL_LINE_BYTES) _Atomic uint64_t tail;
	_Atomic uint64_t noted_number; /* of the commit before the batch */
	_Atomic uint64_t noted_end_seq;
	_Atomic uint64_t noted_count;
};

struct journal_noted {
	struct append_note note;
	uint64_t check;
};

enum journal_kind { JOURNAL_MESSAGE = 1, JOURNAL_SKIP = 2 };

/* At the end of the ring there may be room for the first 8 bytes only; a skip
 * needs no more. */
struct journal_item {
	uint32_t length;
	uint16_t source;
	uint16_t kind;
	uint64_t seq;
	int64_t arrival_ns;
	uint64_t check; /* of the above and the bytes */
	char bytes[];
};

/* Room for the one control message that is asked for. */
struct journal_control {
	_Alignas(
		struct cmsghdr) char bytes[CMSG_SPACE(sizeof(struct timespec))];
};

struct journal_layout {
	size_t tails;
	size_t tail_stride;
	size_t headers;	 /* struct mmsghdr [slots] */
	size_t iovecs;	 /* struct iovec [slots] */
	size_t controls; /* struct journal_control [slots] */
	size_t notes;	 /* struct journal_noted [JOURNAL_NOTES_MAX] */
	size_t buffers;
	size_t buffer_stride;
	size_t ring;
	size_t end; /* the size of the file */
};

/* A map, and where things are in it. */
struct journal_view {
	char *base;
	struct journal_header *header;
	struct journal_geometry geometry;
	struct journal_layout at;
};

/* The positions, and what goes with them. */
struct journal_state {
	struct journal_head_block head;
	struct journal_tail_block tail;
	const void *counters;
	uint64_t begin; /* of what is not committed */
	uint64_t end;
};

/* All that is in a good file. */
struct journal_content {
	struct journal_state state;
	uint64_t next_seq;
	unsigned in_slots;
	uint64_t notes;
	uint64_t noted_end_seq;
};

struct journal_walk {
	uint64_t at;
	uint64_t end;
	uint64_t seq; /* that the next message must have */
};

enum journal_step { JOURNAL_FOUND, JOURNAL_END, JOURNAL_BAD };

size_t journal_round_up(size_t n, size_t to);
uint64_t journal_check(const void *head, size_t head_bytes, const void *body,
		       size_t body_bytes);
uint64_t journal_header_check(const struct journal_header *);
uint64_t journal_head_check(const struct journal_head_block *);
uint64_t journal_tail_check(const struct journal_tail_block *,
			    const void *counters);
uint64_t journal_note_check(const struct append_note *);
uint64_t journal_item_check(const struct journal_item *, const char *bytes);

/* The room that a message of this length takes in the ring. */
size_t journal_item_bytes(size_t length);

/* The geometry must be a possible one. */
bool journal_geometry_is_possible(const struct journal_geometry *);
struct journal_view journal_view_make(void *base,
				      const struct journal_geometry *);

/* An empty journal into a map of zeros. */
void journal_format(struct journal_view *);

struct journal_item *journal_item_at(const struct journal_view *,
				     uint64_t position);
struct journal_tail_block *journal_tail_at(const struct journal_view *,
					   unsigned which);
void *journal_counters_at(const struct journal_view *, unsigned which);
struct journal_noted *journal_notes_at(const struct journal_view *);
struct mmsghdr *journal_headers_at(const struct journal_view *);
struct journal_control *journal_control_at(const struct journal_view *,
					   size_t slot);
char *journal_buffer_at(const struct journal_view *, size_t slot);

/* Each: false when the file is damaged, and why. */
bool journal_view_read(struct journal_view *, void *base, size_t file_bytes,
		       char why[static JOURNAL_WHY_BYTES]) MUST_USE;
bool journal_state_read(const struct journal_view *, struct journal_state *,
			char why[static JOURNAL_WHY_BYTES]) MUST_USE;
bool journal_content_read(const struct journal_view *, struct journal_content *,
			  char why[static JOURNAL_WHY_BYTES]) MUST_USE;

struct journal_walk journal_walk_of(const struct journal_state *);
enum journal_step journal_walk_next(const struct journal_view *,
				    struct journal_walk *,
				    struct journal_entry *);

/* The message that recvmmsg left in a slot, of any process: nothing of the
 * header is believed but the length, which must be a possible one. */
struct journal_entry journal_slot_entry(const struct journal_view *,
					size_t slot, int64_t now_ns);

#endif
