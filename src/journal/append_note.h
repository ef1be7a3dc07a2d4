/* SPDX-License-Identifier: Apache-2.0 */
/* append_note - what is about to be appended to which file, noted beforehand.
 *
 *     file:   [ ..... | ======== ]        lines: [ skip | length ]
 *                     ^ offset                          ======
 *
 * A process that is killed between a note and the next commit finds the note
 * again: of the bytes that were to come, those that stand in the file behind
 * `offset` are there, and the rest is appended.  So nothing is missing and
 * nothing stands twice (exactly once, as long as the same messages make the
 * same lines; else at least once). */
#ifndef JOURNAL_APPEND_NOTE_H
#define JOURNAL_APPEND_NOTE_H

#include <stddef.h>
#include <stdint.h>

enum append_kind {
	APPEND_LINES, /* a batch's lines for this file, from byte `skip` on */
	APPEND_SPILL, /* what was spilled for this file before */
};

/* Plain data, in the journal's file: no padding. */
struct append_note {
	uint64_t device;
	uint64_t inode;
	uint64_t offset_bytes; /* the file's size before */
	uint64_t skip_bytes;   /* of the batch's lines for it: there already */
	uint64_t length_bytes; /* what comes */
	uint32_t kind;
	uint32_t sink; /* the output's number */
};

/* Where notes go and come from; given to the sinks when they are opened, so
 * that they need not know the journal.  `note` returns after the note is
 * where a killed process leaves it.  `find` answers the nth note that the
 * process before left for a file, NULL behind the last; only before the first
 * commit there are any. */
struct append_notes {
	void *data;
	void (*note)(void *data, const struct append_note *);
	const struct append_note *(*find)(void *data, uint32_t sink,
					  uint64_t device, uint64_t inode,
					  size_t nth);
};

#endif
