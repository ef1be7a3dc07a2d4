/* SPDX-License-Identifier: Apache-2.0 */
/* reserved_paths - the paths that the configuration itself uses.
 *
 * A client may choose part of the path of a file.  With Path /log and the tag
 * $vhost/$file, a request for the host "dead-letters.jsonl" would create a
 * directory of that name, and the Dead_Letter /log/dead-letters.jsonl could not
 * be written any more.  So these paths are refused in a tag. */
#ifndef FILE_RESERVED_PATHS_H
#define FILE_RESERVED_PATHS_H

#include <stdbool.h>
#include <stddef.h>

struct reserved_path {
	char *path; /* absolute and clean */
	bool is_shared;
};

struct reserved_paths {
	struct reserved_path *items;
	size_t count;
};

/* Reserve a path: as it is spelled, and without symbolic links in its existing
 * directories.  If is_shared, a tag may lead to the path itself (the File of an
 * output), but not to a path below or above it. */
void reserved_paths_add(struct reserved_paths *, const char *path,
			bool is_shared);

/* The path in its absolute, clean spelling, without symbolic links as far as it
 * exists.  The caller frees it. */
char *reserved_paths_resolve(const char *path);

/* May the file `name`, a clean path, be created?  A relative one is below
 * `root`, which reserved_paths_resolve() has returned.  Does not access the
 * disk.  Returns NULL, or a short text that says why the path is reserved.
 * Without `reserved` (NULL), every path is free. */
const char *reserved_paths_check(const struct reserved_paths *reserved,
				 const char *root, const char *name);

/* Free them. */
void reserved_paths_fini(struct reserved_paths *);

#endif
