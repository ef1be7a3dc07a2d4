/* SPDX-License-Identifier: Apache-2.0 */
/* file_restore - takes over the spills of a file sink from the previous
 * process, and its counters as of the last commit.
 *
 * The sinks share one directory.  Each of them lists it, but at most two of
 * them open a spill that can be read: the first one finds out which sink it
 * belongs to and notes that for the others (spill_owners.h).
 *
 * A spill that cannot be read now (EIO, EMFILE ...) is neither lost nor
 * drained: its lines stay counted as queued, and loading is retried every
 * second.  Until all outputs have loaded their spills, no line counts as
 * missing, since another output may find it.  Lines of the same file that
 * arrive meanwhile may be written first.  If the previous process left a note
 * about the spill, the first batch waits for it, because the commit would
 * delete the note. */
#ifndef FILE_FILE_RESTORE_H
#define FILE_FILE_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"
#include "output/sink.h"

struct file_cache;
struct spill_dir;

struct file_restore {
	struct file_cache *files;
	struct spill_dir *spills; /* its path may be NULL: no spills */
	struct span root;	  /* names of files are below it */
	uint64_t drained_lines;	  /* of the spills that were found */
	uint64_t drained_messages;
	struct sink_moved found; /* and not counted before */
	/* In second spills for a file, which are loaded later. */
	uint64_t second_lines;
	uint64_t second_messages;
	uint64_t second_drained_lines;
	uint64_t second_drained_messages;
	bool must_begin_again; /* a spill was unloaded: list the directory
				* again */
	bool is_done;
	int64_t retry_ns;
	unsigned waits; /* batches that had to wait for a spill */
};

/* Give the files their spills, and compute the sink's stats from the spills and
 * `before`; NULL: no counters are known.  Missing lines stay counted as queued
 * until file_restore_settle().  Only the first call has an effect. */
void file_restore(struct file_restore *, const struct sink_stats *before);

/* As sink_ops.found(). */
bool file_restore_found(struct file_restore *, struct sink_moved *) MUST_USE;

/* All outputs have found their spills: count the spilled lines that are
 * missing, as sink_ops.settle() promises.  Does nothing if the directory was
 * not listed since the last call, or if spills cannot be read. */
void file_restore_settle(struct file_restore *, struct sink_moved *);

/* Before each flush: retry to load spills that could not be read.  False if the
 * batch must not be committed yet, because that would delete the note of such a
 * spill.  It returns false for at most about half a minute. */
bool file_restore_rest(struct file_restore *, int64_t now_ns) MUST_USE;

#endif
