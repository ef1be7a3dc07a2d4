/* SPDX-License-Identifier: Apache-2.0 */
/* file_path - the path of the file for a name, and its directories.
 *
 *     root ""        name "/log/2026-1120/a.log"    /log/2026-1120/a.log
 *     root "/log/"   name "2026-1120/a.log"         /log/2026-1120/a.log
 *     root "/log/"   name "./2026-1120//a.log"      /log/2026-1120/a.log
 *
 * A name comes from a tag, and a tag may contain text that a client sent.  So
 * these names are refused:
 *  - one that could lead out of its root (with a ".." component);
 *  - one that a system call would read differently (with a NUL);
 *  - one that no file can have (empty, ending in '/' or "/.", too long);
 *  - one in a directory of locks, whose files sluiced removes (file_lock.h);
 *  - one with many components, because each one may be a directory to create.
 * Symbolic links in the root are the operator's and are followed.  Below a root
 * that confines, a link that leads out of it is an error (EXDEV), as is each
 * absolute link.  A kernel before 5.6, or an old container runtime, has no
 * openat2(2); there, each link below the root is an error (ELOOP). */
#ifndef FILE_FILE_PATH_H
#define FILE_FILE_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/span.h"
#include "output/sink.h"

struct buf;

/* The limit of a name that is not trusted. */
enum { FILE_PATH_COMPONENTS_MAX = 32 };

/* Write the root and the cleaned name to `out`.  Returns NULL if the name is
 * good, otherwise a short text with the mistake.  A `trusted` name is from the
 * configuration: it may contain "..", and any number of components. */
const char *file_path_make(struct span root, struct span name, bool trusted,
			   char out[static PATH_MAX]) MUST_USE;

/* Write the path to `out` without empty and "." components, so that each file
 * has one spelling.  A '/' at the beginning stays, one at the end does not.
 * `out` has at least the path's length and may be the path itself.  Returns the
 * new length. */
size_t file_path_clean(struct span path, char *out);

/* Is the path that of a directory of locks, or below one? */
bool file_path_is_private(struct span path);

/* Turn a tag into a name as Fluent Bit 5 does.  The name is relative, with
 * components of [A-Za-z0-9._-].  Any other byte, and a whole "." or "..",
 * becomes an underscore.  An empty name becomes "_". */
void file_path_sanitize(struct span tag, struct buf *out);

/* Returns the length of the longest root with which the path begins, 0 if there
 * is none.  The roots end with '/'; NULL follows the last one. */
size_t file_path_root(char *const *roots, struct span path);

/* Does an output without Follow_Symlinks confine its files to its Path?  `root`
 * is Path with one '/' at its end, or empty; `file` is File or NULL.  With Path
 * /, the result is false, because nothing is outside /.  With File, the
 * operator can lead out of Path: by "..", or by a link of the system, such as
 * /dev/stdout. */
bool file_path_is_confined(struct span root, const char *file);

/* The root of a file that the configuration names without Path: its directory,
 * up to and with the last '/'.  Empty if nothing confines the file. */
struct span file_path_fixed_root(const char *path);

/* Does an output with this root (Path with one '/' at its end, or empty) write
 * the file?  `fixed` is its File below the root, or NULL. */
enum sink_writes file_path_writes(struct span root, const char *fixed,
				  struct span path);

/* Open, with O_CLOEXEC.  The first root_bytes of the path, which end with '/',
 * confine the rest of it; with 0, nothing is confined.  Returns the descriptor,
 * or -1 with errno set. */
int file_path_open(const char *path, size_t root_bytes, int flags) MUST_USE;

/* Make the directories up to the path's last '/', as mkdir -p does, with mode
 * 0755.  Returns 0, or the errno of the first that could not be made. */
int file_path_make_parents(const char *path, size_t root_bytes) MUST_USE;

/* Cut the last component off: "/a/b" "/a" "a/b" "a" become "/a" "/" "a" ".". */
void file_path_parent(char *path);

/* Could the file be opened for writing, with root_bytes as file_path_open() has
 * it?  For a path that ends with '/': could a file in that directory be opened?
 * With `may_make`, directories may be missing.  Creates nothing, and opens
 * nothing for reading or writing.  Returns 0 or an errno. */
int file_path_try(const char *path, size_t root_bytes, bool may_make) MUST_USE;

#endif
