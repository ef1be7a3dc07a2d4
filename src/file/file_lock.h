/* SPDX-License-Identifier: Apache-2.0 */
/* file_lock - keeps several processes from appending to one file at once.
 *
 *     DIR/.sluiced        0700
 *     DIR/.sluiced/lock   0600: one byte for each file, at its inode number
 *
 * A log file is readable, and any reader could lock it for any time.  So
 * the locks are on a file that only its owner can open, in a hidden directory,
 * which no tailer looks at.  They are POSIX record locks (fcntl), because the
 * kernel reports which process holds one.  The kernel drops them when the
 * process ends or closes any descriptor of the lock file.  Therefore one thread
 * at a time uses the locks, and it holds one lock at a time.
 *
 * file_lock_free removes the lock file of the directory that was used last,
 * unless another process holds a lock.  A killed process leaves it.  If anybody
 * removes it, the next lock creates it again.
 *
 * Another user who can write in DIR can replace the hidden directory by a new
 * one, move a log file into it as the lock file, and lock that for any time.
 * Therefore the lock file is used only under these conditions:
 *  - The owner of the directory and of the file is the process's effective user
 *    or root.
 *  - No other user can write in the directory.
 *  - No other user can open the file.
 *  - The file is a regular file with one name.
 * If the owners are right, but other users have access, an empty lock file is
 * removed and created again.  Otherwise nothing that was found is changed.  If
 * the lock file cannot be used or created, this is logged, and the log file is
 * written without a lock. */
#ifndef FILE_FILE_LOCK_H
#define FILE_FILE_LOCK_H

#include <sys/types.h>

#include "base/check.h"
#include "base/span.h"

#define FILE_LOCK_DIR ".sluiced"

struct file_lock;

/* Opens nothing. */
struct file_lock *file_lock_new(void);

/* Remove the lock file if nobody holds a lock.  NULL is fine. */
void file_lock_free(struct file_lock *);

/* A flush of several files begins.  It waits for locks of other processes for
 * at most about 50 ms in total, and then tries each lock once.  Before the
 * first call, the limit is for all locks. */
void file_lock_begin_flush(struct file_lock *);

/* Lock the file with that inode number, which is below the directory.  Waits
 * for at most about 20 ms, within the limit of the flush.  Returns 0, also if
 * locking is impossible here, or EBUSY if another process holds the lock. */
int file_lock_take(struct file_lock *, struct span dir, ino_t) MUST_USE;

/* Without a lock, this does nothing. */
void file_lock_release(struct file_lock *);

/* The process that held the lock when it could not be taken.  0: unknown, for
 * example because the process is in another PID namespace. */
pid_t file_lock_holder(const struct file_lock *);

#endif
