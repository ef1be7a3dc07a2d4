/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file - a file that has one owner and appears only when it is whole.
 *
 * It is made under PATH.new and renamed; both names are only ever used with
 * the file locked, so that of two processes that start at once one makes it.
 * A lock is good only when the name still leads to the file that is locked:
 * it may have been replaced in between. */
#ifndef JOURNAL_JOURNAL_FILE_H
#define JOURNAL_JOURNAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"

/* Open and lock the file, waiting for another owner until then (clock_mono);
 * *fd is -1 when there is none.  *bytes is its size. */
bool journal_file_lock(const char *path, int64_t until_ns, int *fd,
		       size_t *bytes, struct err *) MUST_USE;

/* Make PATH.new, locked, all zeros. */
bool journal_file_make(const char *path, int64_t until_ns, size_t bytes,
		       int *fd, struct err *) MUST_USE;

/* Give PATH.new its name.  While PATH.new is locked nobody else does. */
bool journal_file_place(const char *path, struct err *) MUST_USE;

/* Remove PATH.new, and close its descriptor. */
void journal_file_discard(const char *path, int fd);

bool journal_file_exists(const char *path);

/* Rename the file, whose lock is held, to the first free PATH.damaged.N, and
 * put that name into `name` (cut, when it is longer). */
bool journal_file_set_aside(const char *path, char *name, size_t name_bytes,
			    struct err *) MUST_USE;

/* Map a file; fd -1: anonymous memory.  NULL on failure. */
void *journal_file_map(int fd, size_t bytes, struct err *);

/* Whether the kernel writes the file's pages back to a device: then they are
 * write-protected meanwhile, and the next store to one of them waits. */
bool journal_file_is_written_back(int fd);

/* Make sure that the file system has these bytes: a store to a hole of a full
 * one would be the end of the process (SIGBUS).  False: it has not, errno
 * says why. */
bool journal_file_reserve(int fd, size_t at, size_t bytes) MUST_USE;

#endif
