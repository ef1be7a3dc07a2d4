/* SPDX-License-Identifier: Apache-2.0 */
/* spill_move - moves the spills of an earlier storage.path beside the present
 * journal.
 *
 * No process may use either directory meanwhile.  A move is a rename, so no
 * line exists twice, whenever the process dies: the next one finds each spill
 * in one of the two directories.  A directory or spill of another user counts
 * as missing, as in spill.h. */
#ifndef FILE_SPILL_MOVE_H
#define FILE_SPILL_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

struct spill_rest {
	uint64_t files;
	uint64_t lines;	 /* not in their files yet */
	uint64_t unread; /* files, or the directory, that cannot be read */
};

/* What the spills in the directory hold.  False if that is nothing. */
bool spill_rest_of(const char *dir, struct spill_rest *) MUST_USE;

/* Make the directory `to` if it is missing, and find out whether the spills in
 * `from` can be renamed to it.  Returns 0 or an errno: EXDEV if they are on
 * different file systems, EEXIST if both are the same directory. */
int spill_move_check(const char *from, const char *to) MUST_USE;

/* Move all spills, and remove `from` if it is empty then.  Returns 0 or an
 * errno; the spills that were not moved stay. */
int spill_move(const char *from, const char *to) MUST_USE;

#endif
