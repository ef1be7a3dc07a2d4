/* SPDX-License-Identifier: Apache-2.0 */
/* write_back - limits how many written bytes are not on the disk yet.
 *
 *     ----------|------------------|------------------|
 *      complete |     started      |      dirty       | end of the file
 *               |  1/16 of memory  |  1/16 of memory  |
 *
 * The kernel keeps written bytes in memory and may write them to the disk half
 * a minute later.  They count towards the container's memory limit.  If a disk
 * hangs, they could fill it, and then no thread could continue: with control
 * groups of version 1, each thread that needs memory waits for the disk.  So
 * after every 1/16 of the limit, the write-back of these bytes is started, and
 * that of the bytes before them is awaited.  If the disk hangs, only the
 * pipeline thread waits here, and receiving continues.  Without a memory limit,
 * the kernel decides.
 *
 * All files of a process count together, also spills and dead letters.  The
 * count is in pages of growth, because a line of a small file takes a whole
 * page.  The bytes of a file that is closed before the next start are left to
 * the kernel, which writes thousands of small files at less cost.  A file whose
 * write-back was started is awaited when it is closed.
 *
 * If the disk keeps up, nothing ever waits, and 1 MiB costs 8 system calls.  On
 * systems and file systems without sync_file_range(), nothing happens.  On
 * overlayfs, where it does nothing, the whole file is synced.  The
 * pipeline thread only. */
#ifndef FILE_WRITE_BACK_H
#define FILE_WRITE_BACK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct append_file;
struct write_back;

/* The state of one open file. */
struct write_back_file {
	struct append_file *next, **link; /* link is NULL: nothing is dirty or
	                                   * started */
	uint64_t started_bytes;		  /* the offset */
	uint64_t dirty_bytes;		  /* the same */
	uint64_t end_bytes;
};

/* memory_bytes is the memory limit; 0: none.  If there is none, the result is
 * NULL.  While *is_time_up (as in output/sink.h), nothing is started or
 * awaited. */
struct write_back *write_back_new(int64_t memory_bytes,
				  const atomic_bool *is_time_up);

/* NULL is fine. */
void write_back_free(struct write_back *);

/* The process ends: from now on, nothing is started or awaited.  NULL is
 * fine. */
void write_back_end(struct write_back *);

/* The file's environment may have no write_back; then the next three functions
 * do nothing. */

/* The last `bytes` of the file were written just now. */
void write_back_wrote(struct append_file *, size_t bytes);

/* If 1/16 of the memory was written to all files since the last time, start to
 * write these bytes to the disk, and wait for those before them.  The file may
 * be any one of them. */
void write_back_check(const struct append_file *);

/* The file will be closed.  If its write-back was started, wait for it. */
void write_back_forget(struct append_file *);

#endif
