/* SPDX-License-Identifier: Apache-2.0 */
/* file_gone - whether a file that cannot be found certainly does not exist.
 *
 * A single ENOENT is no evidence.  A network or overlay file system may return
 * it for a file that exists, for example while a server is restarted.  If
 * sluiced believed it, it would drop the lines of a spill, or write lines
 * again.  Two things are evidence:
 *  - The kernel reports another name for the open file than before, and the
 *    file has that name: it was renamed, or a directory in its path was.
 *  - The listing of the directory does not contain the file.
 *
 * A directory may have any number of entries, and another process can rename
 * the file in a loop.  So the entries that are read to decide about output
 * files are limited. */
#ifndef FILE_FILE_GONE_H
#define FILE_FILE_GONE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"

/* Listing takes about 0.3 us for each entry, so this is 1.5 % of a CPU. */
enum { FILE_LISTING_ENTRIES_S = 50000 };

/* Limits the listings.  A zero-initialised one limits nothing. */
struct file_listing {
	int64_t now_ns;	 /* set by the caller; 0: no limit */
	int64_t next_ns; /* no listing before this time */
};

/* A call with this path has failed with `error`, an errno.  True if no file has
 * that path: its directory is listed without it, or does not exist either.  If
 * sluiced may not list the directory, a second ENOENT is enough.  False if it
 * is unknown, for example because too many entries were read shortly before;
 * then ask again later.  `listing` may be NULL: no limit.  Changes errno. */
bool file_is_gone(const char *path, int error, struct file_listing *) MUST_USE;

/* A hash of the name that the kernel reports for an open file.  0 if it reports
 * none, for example because /proc is missing. */
uint64_t file_kernel_name(int fd);

/* An open file of this device and inode had that kernel name.  True if it
 * certainly has another one now.  False if it is unknown, for example because
 * the name was removed and the file has a second one. */
bool file_was_renamed(int fd, uint64_t kernel_name, dev_t device,
		      ino_t inode) MUST_USE;

#endif
