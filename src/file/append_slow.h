/* SPDX-License-Identifier: Apache-2.0 */
/* append_slow - the writes of append_file.h that may hang.
 *
 * Another user can make writes to one file hang (slow_io.h).  All files are
 * written by one thread, so such a write goes to a thread of its own:
 *
 *     append_file_write ---> ends in time:  as any other write
 *                       ---> EINPROGRESS:   "left"; the caller spills the lines
 *     append_slow_end   ---> EBUSY:         it still hangs
 *                       ---> 0:             left_bytes of the lines are written
 *
 * This is done only for files that neither this user nor root owns, and for all
 * files of a sink for SLOW_KEPT_S after one of its writes has taken
 * SLOW_WRITE_S.  Without
 * a spill the lines would have to wait in memory, so it is not done.  If the
 * disk hangs too, the thread waits for it, as for any other write. */
#ifndef FILE_APPEND_SLOW_H
#define FILE_APPEND_SLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/span.h"

struct append_file;
struct file_env;
struct slow_io;
struct stat;

enum {
	SLOW_WRITE_S = 1,
	SLOW_KEPT_S = 3600,
	/* If this number of files of a sink hang, further files of other users
	 * are busy. */
	SLOW_OTHERS_MAX = 16,
	/* If this number hang, files of this user are written as usual. */
	SLOW_FILES_MAX = 64,
};

/* The state that the files of one sink share. */
struct slow_files {
	unsigned left;	   /* writes and reads that still hang */
	int64_t until_ns;  /* before this, threads write all files */
	int64_t unused_ns; /* of the time to wait in this flush */
};

/* The state of one file. */
struct slow_file {
	bool is_others;	    /* another user owns the file */
	struct slow_io *io; /* NULL: nothing hangs */
	bool is_lines;	    /* ... and it writes lines */
	size_t io_bytes;    /* ... of this size */
	size_t left_bytes;  /* written by it, but not yet accounted for */
};

/* A flush of the sink's files begins. */
void append_slow_begin_flush(struct file_env *);

/* The file was opened. */
void append_slow_opened(struct append_file *, const struct stat *);

/* Do the threads that write the file also sync it?  Another user may have
 * written so much to it that a sync in this thread would take very long. */
bool append_slow_syncs(const struct append_file *);

/* Write lines to the open file, as write() does.  If there are many, only the
 * first ones are written, about a MiB.  errno: EINPROGRESS if the write hangs
 * and was left, EBUSY if too many others hang. */
ssize_t append_slow_lines(struct append_file *, struct span) MUST_USE;

/* The same for bytes for which nobody accounts; EBUSY instead of EINPROGRESS.
 */
ssize_t append_slow_bytes(struct append_file *, struct span) MUST_USE;

/* Read the byte at the offset, as pread() does.  errno: EBUSY if that hangs. */
ssize_t append_slow_read(struct append_file *, char *byte, off_t) MUST_USE;

/* Does a write or read hang, or are bytes left that nobody has accounted for?
 * The file cannot be written until append_slow_end() has returned 0 and
 * left_bytes is 0. */
bool append_slow_is_left(const struct append_file *);

/* Has the read or write that was left ended?  Returns EBUSY if not, otherwise
 * 0; after a write of lines, left_bytes is then set. */
int append_slow_end(struct append_file *) MUST_USE;

/* The same, but wait until it has ended. */
void append_slow_wait(struct append_file *);

/* The file is no longer used. */
void append_slow_forget(struct append_file *);

#endif
