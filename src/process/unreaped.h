/* SPDX-License-Identifier: Apache-2.0 */
/* unreaped - whether a child is dead although waitpid does not return it.
 *
 * The kernel ends a process when its last thread ends.  A thread in a write to
 * a disk that hangs does not end before the disk answers, whatever signal
 * comes.  Until then, the process keeps its descriptors and its locks.  But
 * none of its threads runs its program again, so its memory does not change any
 * more. */
#ifndef PROCESS_UNREAPED_H
#define PROCESS_UNREAPED_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/check.h"

/* *status contains this signal number if the real one is not yet known. */
enum { UNREAPED_SIGNAL = 0x7e };

/* Whether the child is dead: its first thread has ended or waits for the others
 * in order to write a core dump.  *status is then what waitpid will return.  A
 * first thread that waits for a disk itself counts as living.  False if /proc
 * cannot be read. */
bool unreaped_is_dead(pid_t, int *status) MUST_USE;

/* Whether such a process may still change files: it has a thread of that name,
 * which may be in a write, or it holds a record lock (fcntl).  True if /proc
 * cannot be read. */
bool unreaped_may_write(pid_t, const char *thread) MUST_USE;

#endif
