/* SPDX-License-Identifier: Apache-2.0 */
/* own_file - opens a file or directory, unless another user may have made
 * it.
 *
 * The journal and the spills are beside the socket, in a directory in which the
 * senders may be able to write, too.  Another user can rename files there and
 * put other things in their place: a link to a log file, a file that has a lock
 * or a lease on it, or a spill for any path.  So a file or directory is used
 * only under these conditions:
 *  - Its owner is the process's effective user or root.
 *  - It is not a symbolic link.
 *  - If it is a file, it has no second hard link.
 *  - If it is a directory that the effective user does not own, its mode lets
 *    no other user write in it.
 * If another user owns it, or if it fails one of the last two conditions, it is
 * renamed to PATH.foreign.N, which is logged, and counts as missing.
 *
 * If a volume has fsGroup, Kubernetes gives the group access to all files when
 * a pod starts.  Therefore files of the effective user are used whatever their
 * mode, but other users lose their access again.
 *
 * On some file systems, such as NFS with root_squash, one user owns all new
 * files, no matter who creates them.  There, that user is trusted, too. */
#ifndef BASE_OWN_FILE_H
#define BASE_OWN_FILE_H

#include <stdbool.h>

#include "base/check.h"

struct log_rate;
struct stat;

/* Is the owner the effective user or root? */
bool own_file_has_owner(const struct stat *) MUST_USE;

/* Open the path with these flags and O_NOFOLLOW, O_NONBLOCK and O_CLOEXEC.  A
 * new file gets mode 0600.  `dir` is a descriptor of the path's directory, or
 * AT_FDCWD.  Does not wait for another process.  Returns the descriptor, or -1
 * with errno set: ENOENT also if a file of another user was renamed, EPERM if
 * it could not be renamed. */
int own_file_open(int dir, const char *path, int flags,
		  struct log_rate *) MUST_USE;

#endif
