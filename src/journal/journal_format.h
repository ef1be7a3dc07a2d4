/* SPDX-License-Identifier: Apache-2.0 */
/* journal_format - where things are in the journal's file, and whether they are
 * intact.
 *
 *     [ header | tails x 2 | slots: mmsghdr, iovec, control | inputs | notes
 *              | slots: buffers | ring ]
 *
 * A position is published by one store of 8 bytes.  Positions are multiples of
 * 8; the low bit of the stored word says which of two blocks belongs to it, and
 * the other block is the next to be written.  So data that belongs together (a
 * head and the producer's totals; a tail and the consumer's counters) changes
 * in one instant.
 *
 * Version 1 had no table of inputs: entries held the input's number.
 *
 * The functions that read accept any content of the file.  Byte order and sizes
 * are the machine's, so a file can be read only on the same architecture. */
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
	JOURNAL_VERSION = 2,
	JOURNAL_VERSION_NUMBERS = 1, /* entries hold the input's number */
	JOURNAL_LINE_BYTES = 64,     /* a cache line */
	JOURNAL_PAGE_BYTES = 4096,
	JOURNAL_SLOTS_MAX = 1024, /* recvmmsg's limit, UIO_MAXIOV */
	JOURNAL_SLOT_BYTES_MAX = 64 << 20,
	JOURNAL_COUNTERS_BYTES_MAX = 1 << 20,
	JOURNAL_SKIP_BYTES = 8,
	JOURNAL_WHY_BYTES = 128,
	JOURNAL_SUSPECTS_MAX = 8,
	JOURNAL_UNSENT_MAX = 60,
};

/* In a slot's msg_len: nothing arrived here. */
#define JOURNAL_SLOT_EMPTY UINT32_MAX

struct journal_geometry {
	uint64_t ring_bytes;
	uint64_t slot_bytes;
	uint64_t counters_bytes;
	uint64_t slots;
};

/* The geometry that the options ask for. */
struct journal_geometry journal_geometry_of(const struct journal_opts *);

struct journal_head_block {
	uint64_t word;
	uint64_t start; /* everything before it is committed */
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

/* What `sluiced replay` has sent: the messages before end_seq, but not those in
 * `unsent`.  All is 0 in a file that was never replayed. */
struct journal_replayed {
	uint64_t end_seq;
	/* With --again: the number of the commit before the batch whose lines
	 * may be in their files already; otherwise 0. */
	uint64_t batch_number;
	uint64_t unsent_count;
	uint64_t unsent[JOURNAL_UNSENT_MAX];
	uint64_t check;
};

struct journal_header {
	char magic[8];
	uint64_t version;
	struct journal_geometry geometry;
	uint64_t check;
	/* The producer's. */
	_Alignas(JOURNAL_LINE_BYTES) _Atomic uint64_t head;
	/* If equal to head, the datagrams in the slots are not yet in the
	 * ring. */
	_Atomic uint64_t slots_head;
	_Atomic uint64_t slots_input; /* as in journal_item */
	struct journal_head_block heads[2];
	/* The consumer's. */
	_Alignas(JOURNAL_LINE_BYTES) _Atomic uint64_t tail;
	_Atomic uint64_t noted_number; /* of the commit before the batch */
	_Atomic uint64_t noted_end_seq;
	_Atomic uint64_t noted_count;
	/* The consumer's, see journal_work.c.  They change with each message;
	 * the producer does not read this cache line.  All are 0 in a file that
	 * was made before version 2 had these words. */
	_Alignas(JOURNAL_LINE_BYTES) _Atomic uint64_t work;
	_Atomic uint64_t suspects[JOURNAL_SUSPECTS_MAX];
	/* Not in use while a process owns the journal: journal_replay.c. */
	_Alignas(JOURNAL_LINE_BYTES) struct journal_replayed replayed;
};

struct journal_noted {
	struct append_note note;
	uint64_t check; /* or JOURNAL_NOTE_VOID */
};

enum journal_kind { JOURNAL_MESSAGE = 1, JOURNAL_SKIP = 2 };

/* A row in the table of inputs.  The check is stored last; it is 0 in a row
 * that was never written. */
struct journal_input_row {
	struct journal_input input;
	uint64_t check;
};

/* At the end of the ring there may be room for the first 8 bytes only, which is
 * enough for a skip. */
struct journal_item {
	uint32_t length;
	uint16_t input; /* a row, perhaps with JOURNAL_INPUT_MARK */
	uint16_t kind;
	uint64_t seq;
	int64_t arrival_ns;
	uint64_t check; /* of the above and the bytes */
	char bytes[];
};

/* Room for one control message, that of SO_TIMESTAMPNS. */
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
	size_t inputs;	 /* struct journal_input_row [JOURNAL_INPUTS_MAX] */
	size_t notes;	 /* struct journal_noted [JOURNAL_NOTES_MAX] */
	size_t buffers;
	size_t buffer_stride;
	size_t ring;
	size_t end; /* the size of the file */
};

/* A map, and where things are in it. */
struct journal_view {
	char *base;
	uint64_t version;
	struct journal_header *header;
	struct journal_geometry geometry;
	struct journal_layout at;
};

/* The positions, and the data that belongs to them. */
struct journal_state {
	struct journal_head_block head;
	struct journal_tail_block tail;
	const void *counters;
	uint64_t begin; /* of the messages that are not committed */
	uint64_t end;
};

/* The content of a good file. */
struct journal_content {
	struct journal_state state;
	uint64_t next_seq;
	unsigned in_slots;
	uint64_t used_rows; /* a bit for each input with a waiting message */
	uint64_t notes;
	uint64_t noted_end_seq;
};

struct journal_walk {
	uint64_t at;
	uint64_t end;
	uint64_t seq; /* that the next message must have */
};

enum journal_step { JOURNAL_FOUND, JOURNAL_END, JOURNAL_BAD };

/* The smallest multiple of `to` that is at least n. */
size_t journal_round_up(size_t n, size_t to);

/* How many bytes of the ring a message of this length takes. */
size_t journal_item_bytes(size_t length);

/* A view of a map of the current version; base may be NULL if only the layout
 * is used.  The geometry must be valid. */
struct journal_view journal_view_make(void *base,
				      const struct journal_geometry *);

/* Write an empty journal into a map of zeros. */
void journal_format(struct journal_view *);

/* Where things are in the map.  `position` counts from the first byte ever
 * appended; `which` is the low bit of the tail's word. */
struct journal_item *journal_item_at(const struct journal_view *,
				     uint64_t position);
struct journal_tail_block *journal_tail_at(const struct journal_view *,
					   unsigned which);
void *journal_counters_at(const struct journal_view *, unsigned which);
struct journal_noted *journal_notes_at(const struct journal_view *);
struct journal_input_row *journal_row_at(const struct journal_view *,
					 size_t row);
struct mmsghdr *journal_headers_at(const struct journal_view *);
struct journal_control *journal_control_at(const struct journal_view *,
					   size_t slot);
char *journal_buffer_at(const struct journal_view *, size_t slot);

/* The input of a row; NULL if the journal does not describe it. */
const struct journal_input *journal_input_at(const struct journal_view *,
					     size_t row);

/* The row in an entry's `input`. */
static inline unsigned journal_row_of(uint16_t input)
{
	return input & (unsigned)~JOURNAL_INPUT_MARK;
}

/* Whether sluiced has made the file, as its first bytes show; file_bytes may be
 * more than JOURNAL_PAGE_BYTES.  A damaged file is sluiced's, too, if after a
 * power cut its first page is zero from some byte on, or if only the first 8
 * bytes are damaged. */
bool journal_is_ours(const void *base, size_t file_bytes) MUST_USE;

/* Each returns false and writes the reason to `why` if the file is damaged.
 * Bytes that somebody has appended to the file do no harm. */
bool journal_view_read(struct journal_view *, void *base, size_t file_bytes,
		       char why[static JOURNAL_WHY_BYTES]) MUST_USE;
bool journal_state_read(const struct journal_view *, struct journal_state *,
			char why[static JOURNAL_WHY_BYTES]) MUST_USE;
bool journal_content_read(const struct journal_view *, struct journal_content *,
			  char why[static JOURNAL_WHY_BYTES]) MUST_USE;

/* Walk over the messages that are not committed.  An entry's `input` is as in
 * the file. */
struct journal_walk journal_walk_of(const struct journal_state *);
enum journal_step journal_walk_next(const struct journal_view *,
				    struct journal_walk *,
				    struct journal_entry *);

/* What was replayed; all is 0 if that is not valid. */
struct journal_replayed journal_replayed_read(const struct journal_view *);

/* Whether the message was sent. */
bool journal_replayed_has(const struct journal_replayed *, uint64_t seq);

/* The message that recvmmsg left in a slot, in this process or an earlier one.
 * The slot's msg_len must be at most slot_bytes.  Of the rest of its header
 * only msg_controllen is used; if it is invalid, the arrival time is now_ns.
 * `input` is as in the file. */
struct journal_entry journal_slot_entry(const struct journal_view *,
					size_t slot, int64_t now_ns);

#endif
