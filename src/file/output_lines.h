/* SPDX-License-Identifier: Apache-2.0 */
/* output_lines - the lines of an output_file in memory: they are written, or
 * spilled.  These functions also update the counters of the sink. */
#ifndef FILE_OUTPUT_LINES_H
#define FILE_OUTPUT_LINES_H

#include <stddef.h>

#include "base/check.h"

struct output_file;

/* How many messages does this sink count for these lines? */
size_t output_lines_messages(const struct output_file *, size_t first,
			     size_t count);

/* The first `bytes` are in the file: count the lines that end there. */
void output_lines_written(struct output_file *, size_t bytes);

/* Move all lines to the spill.  Returns 0 or an errno; some lines may then be
 * in the spill. */
int output_lines_spill(struct output_file *) MUST_USE;

#endif
