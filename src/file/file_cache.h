/* SPDX-License-Identifier: Apache-2.0 */
/* file_cache - a sink's files, found by name.
 *
 *     batch:    lines of this batch wait for them, in the order of the first
 *               line
 *     held:     only lines of earlier batches wait; the files that were
 *               flushed last are at the end
 *     resting:  no line waits, the longest unused first
 *
 * A file is in one of the three lists.  A resting file keeps its descriptor, so
 * that a steady stream opens no files.  It is closed when `resting_max` other
 * files were used after it, or FILE_IDLE_S after its last use. */
#ifndef FILE_FILE_CACHE_H
#define FILE_FILE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "file/batch.h"
#include "file/output_file.h"

enum { FILE_IDLE_S = 60 };

struct file_cache;

enum file_list { FILES_BATCH, FILES_HELD, FILES_RESTING, FILE_LISTS };

struct cached_file {
	struct output_file *output_file;
	struct batch_chain chain; /* its lines of this batch */
	struct span name;	  /* the end of its path */
	enum file_list list;
	bool was_flushed; /* since the last commit; set by flush_files */
	uint64_t hash;
	int64_t used_ns;
	struct cached_file *bucket_next;
	struct cached_file *prev, *next; /* in its list, a ring */
};

/* The env is borrowed. */
struct file_cache *file_cache_new(struct file_env *, size_t resting_max);

/* Drops the waiting lines.  NULL is fine. */
void file_cache_free(struct file_cache *);

/* NULL if there is no such file.  The result is valid while the file waits;
 * once it rests, until the next file_cache_rest or file_cache_tidy. */
struct cached_file *file_cache_find(struct file_cache *, struct span name);

/* Add a file to the batch list.  The path ends with the name. */
struct cached_file *file_cache_add(struct file_cache *, const char *path,
				   size_t name_len);

/* Move the file to the end of the batch list (unless it is in that list
 * already), the held list or the resting list. */
void file_cache_wait(struct file_cache *, struct cached_file *);
void file_cache_hold(struct file_cache *, struct cached_file *);
void file_cache_rest(struct file_cache *, struct cached_file *, int64_t now_ns);

/* Close the files that were idle for longer than FILE_IDLE_S. */
void file_cache_tidy(struct file_cache *, int64_t now_ns);

/* Walk a list: begin with NULL; NULL is the end.  Ask for the next file before
 * you move the returned one. */
struct cached_file *file_cache_next(struct file_cache *, enum file_list,
				    const struct cached_file *after);

/* Walk the held list from its end; NULL is the end of the walk. */
struct cached_file *file_cache_last_held(struct file_cache *);
struct cached_file *file_cache_held_before(struct file_cache *,
					   const struct cached_file *);

/* Walk the files for which lines wait: the batch list, then the held one. */
struct cached_file *file_cache_waiting(struct file_cache *,
				       const struct cached_file *after);

/* Call the function for each file of all lists. */
void file_cache_each(struct file_cache *, void (*call)(struct output_file *));

#endif
