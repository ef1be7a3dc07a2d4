/* SPDX-License-Identifier: Apache-2.0 */
/* append_tail - the end of a file to which lines are about to be appended.
 *
 * A torn line is ours if it ends where the bytes of a note begin or end.  If it
 * was not completed, this module ends it with a newline.  Any other torn line
 * belongs to another process, which was killed while it was writing.  After its
 * restart that process completes the line, so this module waits FOREIGN_TAIL_S
 * seconds.  Then it ends the line with a newline and logs that.  It does so at
 * once if another user owns the file and the spill has no room for the lines
 * that wait for it, because the other files would then have to wait, too. */
#ifndef FILE_APPEND_TAIL_H
#define FILE_APPEND_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

struct append_file;

enum { FOREIGN_TAIL_S = 10 };

/* Does the file still end with our last write? */
bool append_file_is_as_left(const struct append_file *);

/* Prepare the file for the beginning of a line: end a torn line, and write the
 * head to an empty file.  Returns 0 or an errno; EBUSY while another process
 * may still complete its line. */
int append_file_tail(struct append_file *, int64_t now_ns) MUST_USE;

/* Does it end with another process' torn line, as far as append_file_tail has
 * seen? */
bool append_file_has_foreign_tail(const struct append_file *);

#endif
