/* SPDX-License-Identifier: Apache-2.0 */
/* file_path - where the lines of a name go, and the directories on the way.
 *
 *     root ""        name "/log/2026-1120/a.log"    /log/2026-1120/a.log
 *     root "/log/"   name "2026-1120/a.log"         /log/2026-1120/a.log
 *
 * A name comes from a tag, and a tag may come from what a client sent.  So
 * one that could lead out of its root (a ".." component), that a system call
 * would read otherwise (a NUL) or that can be no file (empty, ending in '/',
 * too long) is refused.  Symbolic links in the root are the operator's and are
 * followed; below a root that confines, one that leads out of it is an error
 * (EXDEV), as is every absolute one. */
#ifndef FILE_FILE_PATH_H
#define FILE_FILE_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/span.h"

struct buf;

/* Write root and name to `out`.  NULL when the path is good, else what is
 * wrong with it in a few words.  `trusted`: the name is from the
 * configuration, ".." is the operator's wish. */
const char *file_path_make(struct span root, struct span name, bool trusted,
			   char out[static PATH_MAX]) MUST_USE;

/* As Fluent Bit 5 makes a name of a tag: components of [A-Za-z0-9._-], any
 * other byte and a whole "." or ".." an underscore, relative, "_" when nothing
 * is left. */
void file_path_sanitize(struct span tag, struct buf *out);

/* Open, with O_CLOEXEC; the first root_bytes of the path, ending in '/',
 * confine the rest of it (0: nothing is confined).  A kernel older than 5.6
 * cannot confine.  The descriptor, or -1 and errno. */
int file_path_open(const char *path, size_t root_bytes, int flags) MUST_USE;

/* Make the directories that lead to the path's last '/', as mkdir -p, 0755.
 * 0, or the errno of the first that could not be made. */
int file_path_make_parents(const char *path, size_t root_bytes) MUST_USE;

/* Whether the file could be opened, or, for a path that ends in '/', a file
 * in that directory; with `may_make`, directories may be missing.  Creates
 * nothing.  0 or an errno. */
int file_path_try(const char *path, bool may_make) MUST_USE;

#endif
