/* SPDX-License-Identifier: Apache-2.0 */
/* spill_replay - appends the lines of a spill that was set aside.
 *
 * sluiced renames a spill, or the damaged end of one, to NAME.damaged when it
 * cannot use it (spill.h).  The lines in it are complete and were rendered for
 * one file, so replaying them means appending them to that file.
 *
 *     head | state | chunk | chunk | damaged bytes | chunk
 *            ^ position: lines before it are in the file already
 *
 * The reader trusts only chunks whose check is right.  After damaged bytes it
 * searches for the next such chunk.  If the state is damaged, the position is
 * unknown, and all lines are read.  Each line is therefore appended at least
 * once; a line that was being written when the spill was set aside comes twice.
 *
 * It holds no state and may run beside a running sluiced, because appending
 * takes the file's lock as every writer does (append_file.h). */
#ifndef FILE_SPILL_REPLAY_H
#define FILE_SPILL_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

/* The bytes with which every spill begins. */
#define SPILL_MAGIC "sluiced spill "

struct spill_replayed {
	char *output_path; /* to be freed by the caller; NULL: unknown */
	uint64_t lines;
	uint64_t damaged_bytes; /* skipped */
};

/* Returns how many of the first bytes of a path confine the rest of it, ending
 * with '/', as file_path_open() has it; 0: symbolic links may lead anywhere. */
typedef size_t (*spill_root_fn)(void *data, struct span output_path);

/* Append the lines of the spill at `path` to their file, one write for each
 * chunk; missing directories are made.  The spill is not changed, so that a
 * second call appends the lines again.  On failure *result says how many
 * lines were appended before. */
bool spill_replay(const char *path, spill_root_fn root, void *data,
		  struct spill_replayed *result, struct err *e) MUST_USE;

#endif
