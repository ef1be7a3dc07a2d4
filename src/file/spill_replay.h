/* SPDX-License-Identifier: Apache-2.0 */
/* spill_replay - appends the lines of a spill that no sluiced uses.
 *
 * That is a spill, or the damaged end of one, that was renamed to NAME.damaged
 * or NAME.foreign.N (spill.h, base/own_file.h), or a spill beside a journal
 * that no sluiced has.  The lines in it are complete and were rendered for
 * one file, so replaying them means appending them to that file.
 *
 *     head | state | chunk | chunk | damaged bytes | chunk
 *            ^ position: lines before it are in the file already
 *
 * The reader trusts only chunks whose check is right.  After damaged bytes it
 * searches for the next such chunk.  If the state is damaged, the position is
 * unknown, and all lines are read.  Before each chunk is written, its length is
 * announced in the spill, as spill.c does for its pieces.  After each chunk,
 * and after an error, the position is saved there.  So a replay that failed,
 * for example because the disk became full again, or that was killed, can be
 * repeated: it continues after the last byte that is in the file.  It finds the
 * announced lines also in a file that was renamed meanwhile, as
 * renamed_file_open() does.  Each line is appended at least once.  Lines come
 * twice if the position cannot be saved, if the file cannot be read, or after a
 * power cut.
 *
 * It may run beside a running sluiced, because appending takes the file's lock
 * as every writer does (append_file.h).  It refuses a spill that a running
 * sluiced uses.  A sluiced that starts meanwhile loads the spill later. */
#ifndef FILE_SPILL_REPLAY_H
#define FILE_SPILL_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct spill_replayed {
	char *output_path; /* to be freed by the caller; NULL: unknown */
	uint64_t lines;
	uint64_t found_lines;	/* already in the file: a process was killed */
	uint64_t damaged_bytes; /* skipped */
	bool is_unsaved;	/* a second replay appends the lines again */
	bool is_unread; /* a process was killed, and the file cannot be read:
	                 * its last lines are appended again */
};

/* Two directories that contain the file.  Each is the length of the beginning
 * of the path that names the directory, including its last '/'. */
struct spill_roots {
	size_t root_bytes; /* symbolic links may not lead out of it, as in
			    * file_path_open(); 0: they may lead anywhere */
	size_t lock_bytes; /* Path, as in append_file.h; 0: Path is not set */
};

typedef struct spill_roots (*spill_roots_fn)(void *data,
					     struct span output_path);

/* Append the lines of the spill at `path` to their file, one write for each
 * chunk; missing directories are made.  On failure *result says how many lines
 * were appended before.  A call of another process for the same spill fails
 * meanwhile. */
bool spill_replay(const char *path, spill_roots_fn roots, void *data,
		  struct spill_replayed *result, struct err *e) MUST_USE;

#endif
