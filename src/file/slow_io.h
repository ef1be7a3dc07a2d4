/* SPDX-License-Identifier: Apache-2.0 */
/* slow_io - one read or write of a file, in a thread of its own.
 *
 * While a process writes to a file, or reads it with O_DIRECT, the kernel holds
 * the lock of the inode, and other writes wait.  A user with such access can
 * make that last as long as he likes: by one huge write, or with a buffer whose
 * pages come from a slow file system.  Nothing interrupts the wait.  So a
 * thread that writes many files leaves such a write to another thread, and
 * waits for it for a limited time only.
 *
 *     start --> wait --> true:  the result; free
 *                    --> false: it runs on; ask again with wait(0), or free
 *
 * It has its own descriptor and a copy of the bytes, so the caller may close
 * the file and use its memory again.  If the process is killed meanwhile, the
 * kernel writes nothing.  Each one costs a thread, 20 us. */
#ifndef FILE_SLOW_IO_H
#define FILE_SLOW_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/span.h"

struct slow_io;

/* The result.  After a write, end_bytes is the file's offset: the bytes are in
 * front of it. */
struct slow_io_result {
	ssize_t bytes; /* -1: error is set */
	int error;
	off_t end_bytes;
};

/* Begin to append the bytes to the file and, if `syncs`, to sync it.  NULL if
 * there is no memory, thread or descriptor for that. */
struct slow_io *slow_io_write(int fd, struct span bytes, bool syncs) MUST_USE;

/* Begin to read one byte at the offset, which needs the same lock on some file
 * systems. */
struct slow_io *slow_io_read_byte(int fd, off_t offset) MUST_USE;

/* Wait until it has ended, at most for `wait_ns` nanoseconds; a negative number
 * is no limit.  False if it still runs. */
bool slow_io_wait(struct slow_io *, int64_t wait_ns) MUST_USE;

/* After its end. */
const struct slow_io_result *slow_io_result(const struct slow_io *);

/* The byte that was read, or the last one that was written. */
char slow_io_last(const struct slow_io *);

/* If it still runs, its thread frees it.  NULL is allowed. */
void slow_io_free(struct slow_io *);

#endif
