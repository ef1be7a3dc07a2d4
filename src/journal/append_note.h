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
 * lines again, and at least once if not. */
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
	uint64_t skip_bytes;   /* of the batch's lines that an
				  * earlier append has written */
	uint64_t length_bytes; /* of the append */
	uint16_t kind;
	/* A hash of the path, since two paths may be one file.  0: the note is
	 * of an older version, which noted no path. */
	uint16_t path_hash;
	uint32_t sink; /* the output's number */
};

/* Access to the notes.  The sinks get it when they are opened, so that they
 * need not know the journal.  When `note` returns, the note survives a SIGKILL,
 * unless there was no room for it (journal_note).  `find` returns the nth note,
 * from 0 on, that the previous process left for a file; NULL after the last one
 * and after the first commit.  `may_find` tells whether `find` may find any. */
struct append_notes {
	void *data;
	void (*note)(void *data, const struct append_note *);
	const struct append_note *(*find)(void *data, uint32_t sink,
					  uint64_t device, uint64_t inode,
					  size_t nth);
	bool (*may_find)(void *data);
};

#endif
