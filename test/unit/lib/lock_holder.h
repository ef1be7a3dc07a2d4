/* SPDX-License-Identifier: Apache-2.0 */
/* lock_holder - another process that holds the lock of a file. */
#ifndef UNIT_LOCK_HOLDER_H
#define UNIT_LOCK_HOLDER_H

#include <sys/types.h>

/* Start a process that locks the file as another sluiced would.  `dir` is the
 * directory with the lock file.  Returns when the lock is held. */
pid_t lock_hold(const char *dir, const char *path);

/* End the process, and with it the lock. */
void lock_drop(pid_t);

#endif
