/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file - a file that has one owner and appears only when it is
 * complete.
 *
 * It is made as PATH.new and renamed to PATH.  A process uses either name only
 * while it holds the lock, so if two processes start at once, only one of them
 * makes the file.  A lock is valid only if the name still leads to the locked
 * file, because another process may have replaced it meanwhile.
 *
 * If another user has put a file under either name, own_file renames it and
 * logs that, and the name counts as free (own_file.h). */
#ifndef JOURNAL_JOURNAL_FILE_H
#define JOURNAL_JOURNAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/err.h"

/* Open and lock the file.  If another process owns it, log that and wait until
 * clock_mono_ns is until_ns; then fail.  If there is no file, return true and
 * set *fd to -1.  *bytes is the file's size. */
bool journal_file_lock(const char *path, int64_t until_ns, int *fd,
		       size_t *bytes, struct err *) MUST_USE;

/* The same, but *fd may be a copy of a descriptor with which another process
 * has locked the file, or -1.  If the path leads to that file, or if the file
 * was removed and there is none at the path, the lock stays, and there is no
 * wait.  Otherwise the copy is closed. */
bool journal_file_lock_again(const char *path, int64_t until_ns, int *fd,
			     size_t *bytes, struct err *) MUST_USE;

/* Make and lock PATH.new, a file of `bytes` zeros; wait for the lock like
 * journal_file_lock.  Fails if sluiced did not make the file that exists. */
bool journal_file_make(const char *path, int64_t until_ns, size_t bytes,
		       int *fd, struct err *) MUST_USE;

/* How many bytes of the sparse file are not in holes. */
off_t journal_file_data_bytes(int fd) MUST_USE;

/* Copy the open file `from` to PATH.  Returns the locked descriptor of the
 * copy; -1 on failure, also if there is a file at PATH. */
int journal_file_copy(const char *path, int from, struct err *) MUST_USE;

/* Rename PATH.new, whose lock is held, to PATH. */
bool journal_file_place(const char *path, struct err *) MUST_USE;

/* Remove PATH.new and close its descriptor. */
void journal_file_discard(const char *path, int fd);

/* Remove a PATH.new that sluiced has made and no process has locked: its owner
 * died before it was complete.  The caller must hold the lock of PATH. */
void journal_file_sweep(const char *path);

/* Whether both paths name the same journal, perhaps over a directory that is a
 * symbolic link.  Two empty paths are equal: the journal is in memory. */
bool journal_file_is_same(const char *a, const char *b) MUST_USE;

/* Whether anything is at the path. */
bool journal_file_exists(const char *path);

/* Rename PATH, whose lock is held, to the first free PATH.damaged.N, and write
 * that name into `name`, truncated if it is longer. */
bool journal_file_set_aside(const char *path, char *name, size_t name_bytes,
			    struct err *) MUST_USE;

/* Set *e: sluiced did not make the file at the path.  Always false. */
bool journal_file_is_not_ours(const char *path, struct err *);

/* Map a file, or anonymous memory if fd is -1.  NULL on failure. */
void *journal_file_map(int fd, size_t bytes, struct err *);

/* Whether the kernel writes the file's pages back to a device.  While it does
 * so, a page is write-protected, and a store to it waits. */
bool journal_file_is_written_back(int fd);

/* Reserve these bytes: on a full file system, a store to a hole would end the
 * process with SIGBUS.  False, with errno, if the file system has no room. */
bool journal_file_reserve(int fd, size_t at, size_t bytes) MUST_USE;

/* Return the room of these bytes to the file system; they become zeros.  Does
 * nothing where the file system cannot do that. */
void journal_file_free(int fd, size_t at, size_t bytes);

#endif
