/* SPDX-License-Identifier: Apache-2.0 */
/* append_note - a note in the journal of what is about to be appended to a
 * file.
 *
 *     file:   [ ..... | ======== ]        lines: [ skip | length ]
 *                     ^ offset                          ======
 *
 * If a process is killed between a note and the next commit, the next process
 * finds the note.  It counts the bytes that are in the file after `offset` as
 * written and appends the rest of the lines.  So no byte is missing and none
 * appears twice: delivery is exactly once if the same messages make the same
 * lines again, and at least once if not.  If the append wrote nothing, the file
 * ends at `offset`.  Then only skip_hash tells whether the skipped lines before
 * it are those of this batch.
 *
 * If the append fails, the file stays locked until the note has the number of
 * bytes that were written.  Otherwise the same bytes of another process would
 * count as ours. */
#ifndef JOURNAL_APPEND_NOTE_H
#define JOURNAL_APPEND_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum append_kind {
	APPEND_LINES, /* a batch's lines for this file, from byte `skip` on */
	APPEND_SPILL, /* lines that were spilled for this file */
};

/* Plain data in the journal's file, without padding. */
struct append_note {
	uint64_t device;
	uint64_t inode;
	uint64_t offset_bytes; /* the file's size before the append */
	/* APPEND_LINES: how many bytes of the batch's lines for this file an
	 * earlier append has written.  APPEND_SPILL: the place in the spill
	 * where the lines begin. */
	uint64_t skip_bytes;
	/* How long the append is.  After an error: how much of it was
	 * written. */
	uint32_t length_bytes;
	/* A hash of the skipped bytes.  0: none are skipped, the kind is
	 * APPEND_SPILL, or the note is of an older version, in which the length
	 * had 64 bits. */
	uint32_t skip_hash;
	uint16_t kind;
	/* A hash of the path, since two paths may be one file.  0: the note is
	 * of an older version, which noted no path. */
	uint16_t path_hash;
	uint32_t sink; /* the output's id (output/sink.h), or the number of the
	                * output if the note is of an older version */
};

/* Access to the notes.  The sinks get it when they are opened, so that they
 * need not know the journal.  When `note` returns, the note survives a SIGKILL,
 * unless there was no room for it.  `note` is like journal_note, `failed` like
 * journal_note_failed, and `next` like journal_noted.  `may_find` tells whether
 * `next` may find any.  `claim` is like journal_claim and may be NULL. */
struct append_notes {
	void *data;
	uint32_t (*note)(void *data, const struct append_note *,
			 uint32_t replaced);
	void (*failed)(void *data, uint32_t place, uint32_t length_bytes);
	const struct append_note *(*next)(void *data,
					  const struct append_note *note);
	bool (*may_find)(void *data);
	void (*claim)(void *data, const struct append_note *);
};

#endif
