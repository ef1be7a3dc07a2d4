/* SPDX-License-Identifier: Apache-2.0 */
/* storage_sizes - how large the journal and the spills may become.
 *
 * Both may lie in a tmpfs, which is memory, and the journal may lie in the
 * memory of the process.  There they count against the memory limit of the
 * container, and the kernel kills the process that exceeds it.  So sizes that
 * are not configured are chosen so that the journal's size and the size of
 * every spill add up to at most half of the limit, unless a configured size or
 * the lower bound of a size is too large for that.  On a disk, the journal's
 * size is at most half of the limit unless it is configured, because all its
 * pages stay in memory if the disk hangs.  These sizes do not include
 * the journal's receive buffers (64 times the longest message), nor the batch
 * by which a spill may exceed its size. */
#ifndef SETUP_STORAGE_SIZES_H
#define SETUP_STORAGE_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STORAGE_JOURNAL_BYTES = 64 * 1000 * 1000, /* the defaults */
	STORAGE_SPILL_BYTES = 16 * 1000 * 1000,
	STORAGE_JOURNAL_BYTES_MIN = 1000 * 1000,
	STORAGE_SPILL_BYTES_MIN = 100 * 1000,
};

#define STORAGE_UNSET SIZE_MAX

struct storage_sizes { /* STORAGE_UNSET: not configured */
	size_t journal_bytes;
	size_t spill_bytes; /* of each output, and of Dead_Letter */
};

struct storage_place {
	int64_t limit_bytes; /* of memory; 0: none */
	bool is_memory;	     /* journal and spills are in memory */
	size_t spills;	     /* outputs that can spill, and Dead_Letter */
	size_t message_bytes_max;
	/* Unfinished messages of all connections; 0 without stream inputs. */
	size_t stream_bytes_max;
};

/* Fill in the sizes that are not configured. */
void storage_sizes_choose(struct storage_sizes *, const struct storage_place *);

/* If there is a limit, log it and the sizes.  If the sizes together exceed half
 * of the limit, the line is a warning.  Another warning is logged if the
 * unfinished messages of all connections can exceed half of the limit. */
void storage_sizes_log(const struct storage_sizes *,
		       const struct storage_place *);

/* Whether the path, or the directory that it will be in, is on a file system in
 * memory. */
bool storage_is_in_memory(const char *path);

#endif
