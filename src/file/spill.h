/* SPDX-License-Identifier: Apache-2.0 */
/* spill - the lines that wait for one file, in a file beside the journal.
 *
 *     sluiced spill 1 OUTPUT PATH\n, NULs up to a multiple of 64
 *     | state: position | whose torn line: device, inode, size | check
 *     | chunk: magic, bytes, lines, messages, check | whole lines
 *     | chunk ...
 *         ^ position: all before it stands in the target
 *
 * One file cannot be written: its lines go here, a chunk for each batch, and
 * the other files go on.  When it works again it gets all of it, in order, in
 * pieces, and the spill is removed.
 *
 * What survives a killed process: everything.  A chunk that came with a batch
 * that was not committed is cut off again, since its lines come again; for the
 * same reason it is not appended to the target before the commit.  How far the
 * target had come stands in the state, and before each piece that it comes.
 * After a power cut the end may be damaged: it is put aside beside the spill,
 * as NAME.damaged, and said.  One that is being made is NAME.spill.new.
 * An error of the disk that has it is tried again, when it is loaded for ever
 * (file_restore.h); only what cannot be read ten times while it is drained is
 * given up, and counted.  A position that cannot be saved ten times, and a
 * directory that cannot be read before the first commit, may cost lines that come
 * twice.
 *
 * In the directory (0700) each spill (0600) is NAME.spill, NAME being a hash
 * of output and path.  It is held open only while it is used, and private:
 * no other process writes there. */
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

/* What the spills of one sink share. */
struct spill_dir {
	const char *path;
	size_t bytes_max; /* of all spills together; a batch may exceed it */
	size_t files;	  /* each needs a page at least */
	const char *sink_name;
	bool (*takes_over)(const void *router, uint32_t number,
			   struct span name);
	const void *router;
	struct sink_stats *stats; /* the sink's */
	struct sink_stats own_stats;
	struct file_env env;	 /* of the spills' files */
	struct buf piece;	 /* whole lines */
	struct buf piece_chunks; /* the headers of its chunks */
	bool is_damaged;	 /* lines were lost with the end of a spill */
	bool is_partial;	 /* not all could be loaded */
	struct buf notes;	 /* of spills that could not be loaded yet */
	struct log_rate load_rate;
};

struct spill_lines {
	struct span bytes; /* whole lines */
	uint32_t lines;
	uint32_t messages;
	bool is_old;	   /* of a batch that was committed before */
	size_t torn_bytes; /* of the first line: the end of the target */
};

/* No room for one more spill. */
bool spill_dir_is_full(const struct spill_dir *);

/* A new one, for the lines of a file.  NULL on failure: errno says why. */
struct spill *spill_new(struct spill_dir *, const char *output_path);

/* Load NAME from the directory.  NULL when it is none of this sink, nor of one
 * that is no more and whose heir this one is; when it is
 * damaged: then it was renamed to NAME.damaged; when it cannot be read now:
 * then the directory is partial.  The latter two are said. */
struct spill *spill_load(struct spill_dir *, const char *name);

/* Loaded, but not used: the file stays. */
void spill_unload(struct spill *);

/* Whether that is the file's name in the directory. */
bool spill_is_called(const struct spill *, const char *name);

/* The file stays.  NULL is fine. */
void spill_free(struct spill *);

const char *spill_output_path(const struct spill *);

/* Append a chunk: counted in the stats as spilled.  0 or an errno, then the
 * spill is as before.  The target matters when the first line is torn. */
int spill_add(struct spill *, const struct spill_lines *,
	      const struct append_file *out) MUST_USE;

/* Find what the process before had drained of it; the target is open.  Done
 * once, and by spill_drain. */
void spill_recover(struct spill *, struct append_file *out);

/* Append the next piece to the target, which is between begin and end; its
 * lines are counted as written.  0 or an errno. */
int spill_drain(struct spill *, struct append_file *out,
		int64_t now_ns) MUST_USE;

/* Whether something is there to drain; whether there is anything at all. */
bool spill_can_drain(const struct spill *);
bool spill_is_empty(const struct spill *);

/* Empty, and what was drained before it was loaded was counted: that is done
 * when all spills are loaded. */
bool spill_is_done(const struct spill *);

/* What is not in the target yet; a chunk counts until all of it is there. */
uint64_t spill_lines_left(const struct spill *);
uint64_t spill_messages_left(const struct spill *);

/* Add what was in the target already when it was loaded. */
void spill_drained_before(const struct spill *, uint64_t *lines,
			  uint64_t *messages);

/* Have what was added reach the disk. */
void spill_sync(struct spill *);

/* The journal was committed: what was added may be drained now. */
void spill_committed(struct spill *);

/* Remove the file and free. */
void spill_remove(struct spill *);

#endif
