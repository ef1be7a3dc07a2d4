/* SPDX-License-Identifier: Apache-2.0 */
/* flush_files - writes the files of a batch, and retries the held ones.
 *
 * The files of the batch come first.  Of the held files that are due, a flush
 * retries RETRIES_MAX at most, and the next flush continues with the others.
 * So thousands of files that cannot be written do not delay those that can. */
#ifndef FILE_FLUSH_FILES_H
#define FILE_FLUSH_FILES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output/sink.h"

struct batch;
struct file_cache;
struct file_env;

/* The state that is kept between the flushes of a sink. */
struct flush_files {
	struct sink *sink; /* this and the next three are borrowed */
	struct file_env *env;
	struct file_cache *files;
	struct batch *batch;
	const atomic_bool *is_time_up; /* as in output/sink.h */
	size_t full_lines;	       /* dropped: too many lines wait */
	int64_t retry_ns;	       /* when to look for due files next */
	bool retries_all;	       /* in the next flush, without limit */
};

/* Write the lines of the batch, and older ones.  False if the time is up: the
 * batch stays as it is.  *answer becomes SINK_BLOCKED if a file blocks. */
bool flush_files(struct flush_files *, int64_t now_ns,
		 enum sink_flush *answer) MUST_USE;

/* The journal was committed. */
void flush_files_committed(struct flush_files *);

/* Drop the lines in memory. */
void flush_files_drop(struct flush_files *);

#endif
