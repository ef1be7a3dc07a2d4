/* SPDX-License-Identifier: Apache-2.0 */
/* file_restore - what a process before left of a file sink: its spills, and
 * its counters as of the last commit.
 *
 * A spill that cannot be read now (EIO, EMFILE ...) is neither lost nor
 * drained: its lines stay counted as queued, and it is tried again every
 * second.  Lines of its file that come meanwhile may be written before. */
#ifndef FILE_FILE_RESTORE_H
#define FILE_FILE_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct file_cache;
struct sink_stats;
struct spill_dir;

struct file_restore {
	struct file_cache *files;
	struct spill_dir *spills; /* its path may be NULL: there are none */
	struct span root;	  /* names of files are below it */
	uint64_t drained_lines;	  /* of the spills that were found */
	uint64_t drained_messages;
	bool has_second; /* for a file that has one: that comes first */
	uint64_t second_lines;
	uint64_t second_messages;
	bool is_done;
	int64_t retry_ns;
};

/* Once: give the files their spills, and the spills' stats what `before` and
 * they say.  NULL: nothing is known. */
void file_restore(struct file_restore *, const struct sink_stats *before);

/* Before each flush: try again what could not be read. */
void file_restore_rest(struct file_restore *, int64_t now_ns);

#endif
