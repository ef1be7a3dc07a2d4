/* SPDX-License-Identifier: Apache-2.0 */
/* file_block - may the lines of one file make all others wait?
 *
 * If the disk rejects writes, or if another process keeps a file busy, and the
 * spill has no room for the lines, the sink blocks, so that the journal keeps
 * them.  A disk may block for any time.  All busy files of a sink together may
 * block for BUSY_BLOCK_S, because a client that chooses paths could name one
 * busy file after the other:
 *
 *     used_ns:  0 ------------------------------> BUSY_BLOCK_S: busy files
 *                 + 1 s for each blocked second   no longer block
 *                 - 1 s for every 10 s in which none blocks
 */
#ifndef FILE_FILE_BLOCK_H
#define FILE_FILE_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct file_env;
struct output_file;

enum { BUSY_BLOCK_S = 30, BUSY_REGAIN = 10 };

/* The time for which busy files have blocked a sink.  A zero-initialised one
 * has used nothing. */
struct file_block {
	int64_t used_ns;
	int64_t flush_ns; /* when the last flush began */
	bool is_used;	  /* a busy file has blocked the last flush */
};

/* A flush of the sink's files begins: account for the time since the last
 * one. */
void file_block_begin_flush(struct file_env *, int64_t now_ns);

/* May a busy file of this sink still block the others? */
bool file_block_has_time(const struct file_env *);

/* May the lines be spilled, instead of blocking the sink, while the disk
 * rejects writes?  True if there are other outputs, which can then continue, or
 * if all lines of this file are spilled already: they may be those of a removed
 * output with another disk, so other files can perhaps be written.  False if
 * the spill has no room. */
bool file_block_can_spill(const struct output_file *);

/* Must the sink block because of this file?  If so and the file is busy, the
 * time until the next flush counts as used. */
bool file_block_must(struct output_file *);

#endif
