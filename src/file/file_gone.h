/* SPDX-License-Identifier: Apache-2.0 */
/* file_gone - whether a file that cannot be found certainly does not exist.
 *
 * A single ENOENT is no evidence.  A network or overlay file system may return
 * it for a file that exists, for example while a server is restarted.  If
 * sluiced believed it, it would drop the lines of a spill, or write lines
 * again.  The listing of the directory is evidence. */
#ifndef FILE_FILE_GONE_H
#define FILE_FILE_GONE_H

#include <stdbool.h>

#include "base/check.h"

/* A call with this path has failed with `error`, an errno.  True if no file has
 * that path: its directory is listed without it, or does not exist either.  If
 * sluiced may not list the directory, a second ENOENT is enough.  False if it
 * is unknown.  Changes errno. */
bool file_is_gone(const char *path, int error) MUST_USE;

#endif
