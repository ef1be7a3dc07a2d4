/* SPDX-License-Identifier: Apache-2.0 */
/* spill - the lines that wait for one file, in a file beside the journal.
 *
 *     sluiced spill 1 N M OUTPUT PATH\n   (N, M: lengths of OUTPUT and PATH)
 *                                         NULs up to a multiple of 64 bytes
 *     (OUTPUT: the name of the output, a NUL, and its id with 8 hex digits;
 *      older versions and dead letters have only the name)
 *     | state: position | torn line: device, inode, size, piece | check
 *     | chunk: magic, bytes, 0, 0, check | column names, if there are any
 *     | chunk: magic, bytes, lines, messages, check | whole lines
 *     | chunk ...
 *         ^ position: all lines before it are in the output file
 *
 * If one file cannot be written, its lines go here, a chunk for each batch, and
 * the other files continue.  When the file can be written again, it gets all
 * the lines in order, in pieces, and the spill is removed.  If the file is
 * empty then, it begins with the column names.
 *
 * Everything survives a killed process.  A chunk of a batch that was not
 * committed is cut off at the restart, since its lines come again.  For the
 * same reason it is not appended to the output file before the commit.  The
 * state says which lines the output file has got and, before each piece, that
 * the piece is about to be written.
 *
 * After a power cut, the end of a spill may be damaged.  It is moved to a file
 * NAME.damaged beside the spill, which is logged; `sluiced replay` appends the
 * good lines in such a file (spill_replay.h).  While a spill is created, it is
 * called NAME.spill.new.
 *
 * After an I/O error on a spill, reading is retried: forever while the spill is
 * being loaded (file_restore.h), ten times while it is being drained.  After
 * the tenth failure the lines are dropped and counted.  They are dropped at
 * once if the spill was removed (file_gone.h).  Lines may be written twice in
 * four cases: if ten attempts to save the position fail; if ten attempts to
 * read the directory, or a spill with a note, fail before the first commit; if
 * ten attempts fail to read the last piece in the output file after a kill; and
 * if the output file is renamed after a kill in the middle of a piece.
 *
 * In the directory (0700), each spill (0600) is called NAME.spill, NAME being a
 * hash of output and path, or random if that name exists.  It is open only
 * while it is used.  Only one process at a time writes it.  A directory or
 * spill of another user counts as missing, since it could name any path.  It is
 * renamed: .foreign.N is added to its name (own_file.h).  The pipeline thread
 * only. */
#ifndef FILE_SPILL_H
#define FILE_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "base/span.h"
#include "file/append_file.h"

struct spill;
struct spill_owners;

/* The state that the spills of one sink share. */
struct spill_dir {
	const char *path;
	size_t bytes_max; /* of all spills together; a batch may exceed it */
	size_t files;	  /* each takes a page at least */
	const char *sink_name;
	/* As in sink_env.  NULL: a spill belongs to the output that has its
	 * name. */
	uint32_t (*owner_of)(const void *router, const struct sink_spilled *);
	const void *router;
	struct spill_owners *owners;
	struct sink_stats *stats; /* the sink's */
	struct sink_stats own_stats;
	struct file_env env;	 /* of the spills' files */
	struct buf piece;	 /* whole lines */
	struct buf piece_chunks; /* the headers of its chunks */
	bool is_damaged;	 /* the end of a spill was damaged: lines are
	                	  * lost */
	bool is_partial;	 /* some spills could not be loaded yet */
	bool is_noted;		 /* ... one of which has a note */
	bool is_unsettled;	 /* missing lines are not counted yet */
	bool must_list;		 /* a file's second spill can be loaded now */
	bool is_broken;		 /* it has rejected lines for a long time */
	struct buf notes;	 /* of spills that could not be loaded yet */
	struct log_rate load_rate;
	int locked_fd; /* of the directory; 0: not locked */
};

struct spill_lines {
	struct span bytes; /* whole lines */
	uint32_t lines;
	uint32_t messages;
	bool is_old;	   /* of a batch that was committed before */
	size_t torn_bytes; /* of the first line, at the output file's end */
};

/* Free the fields of the directory.  Its spills must be freed before. */
void spill_dir_free(struct spill_dir *);

/* May there be notes about spills that cannot be read now? */
bool spill_dir_may_be_noted(const struct spill_dir *);

/* Is there no room for one more spill? */
bool spill_dir_is_full(const struct spill_dir *);

/* Create a spill for the lines of the output file.  NULL on failure, with errno
 * set. */
struct spill *spill_new(struct spill_dir *, const char *output_path);

/* Load the file `name` from the directory, which is open as `fd`.  NULL in
 * three cases.  The spill
 * belongs neither to this sink nor to a removed sink that this one replaces.
 * Or it is damaged or another user's: then it was renamed.  Or it cannot be
 * read now: then the directory is partial.  The last two cases are logged. */
struct spill *spill_load(struct spill_dir *, int fd, const char *name);

/* May the directory's file `name` be a spill of this sink that is not loaded?
 */
bool spill_may_load(const struct spill_dir *, const char *name) MUST_USE;

/* Free a loaded spill without using it, and take it out of the directory's
 * counts.  The file stays. */
void spill_unload(struct spill *);

/* Must this spill be drained before the `other` one for the same file, because
 * it has the rest of the line that is torn there?  False if the other one is
 * in use and cannot be unloaded now. */
bool spill_precedes(const struct spill *, const struct spill *other);

/* Move the column names of a loaded spill to *head, unless *head has some. */
void spill_take_names(struct spill *, struct buf *head);

/* Free the spill.  The file stays.  NULL is fine. */
void spill_free(struct spill *);

/* The path of the file for which the lines wait. */
const char *spill_output_path(const struct spill *);

/* Append a chunk, and count its lines as spilled.  Returns 0 or an errno; after
 * an error the spill has the same lines as before.  `out` is the output file.
 * A new spill gets its head, and if the first line is torn, that file contains
 * the beginning of the line. */
int spill_add(struct spill *, const struct spill_lines *,
	      const struct append_file *out) MUST_USE;

/* Find out which lines the previous process had drained.  The output file must
 * be open.  After the first success this does nothing.  spill_drain() does the
 * same first. */
void spill_recover(struct spill *, struct append_file *out);

/* Append the next piece to the output file, after append_file_begin().
 * The piece's lines are counted as written.  Returns 0 or an errno. */
int spill_drain(struct spill *, struct append_file *out,
		int64_t now_ns) MUST_USE;

/* Before a commit: is the position saved?  Tries to save it if not.  After ten
 * failures the result is true; after a restart, lines may then be written
 * twice. */
bool spill_save(struct spill *) MUST_USE;

/* Are there lines that may be drained now?  Are there no lines at all? */
bool spill_can_drain(const struct spill *);
bool spill_is_empty(const struct spill *);

/* May the spill be removed?  It must be empty, and the lines drained before it
 * was loaded must be counted, which happens when the outputs are settled. */
bool spill_is_done(const struct spill *);

/* The lines and messages that are not in the output file yet.  A chunk counts
 * until all of it is in the file. */
uint64_t spill_lines_left(const struct spill *);
uint64_t spill_messages_left(const struct spill *);

/* Add the lines and messages that were in the output file already when the
 * spill was loaded. */
void spill_drained_before(const struct spill *, uint64_t *lines,
			  uint64_t *messages);

/* Sync the added chunks to the disk. */
void spill_sync(struct spill *);

/* The journal was committed: all chunks may be drained now. */
void spill_committed(struct spill *);

/* Remove the spill's file and free the spill.  False if the file cannot be
 * removed now: the spill stays, empty, and can be used or removed later. */
bool spill_remove(struct spill *) MUST_USE;

#endif
