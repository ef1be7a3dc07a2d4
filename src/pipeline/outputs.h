/* SPDX-License-Identifier: Apache-2.0 */
/* outputs - all outputs at the end of a batch: the router's sinks and the dead
 * letters.  For the pipeline thread only. */
#ifndef PIPELINE_OUTPUTS_H
#define PIPELINE_OUTPUTS_H

#include <stdbool.h>

#include "output/sink.h"

struct dead_letter;
struct router;

struct outputs { /* borrowed */
	struct router *router;
	struct dead_letter *dead_letter; /* or NULL */
};

/* Write the collected lines.  SINK_BLOCKED if one of the outputs is blocked. */
enum sink_flush outputs_flush(const struct outputs *);

/* The batch was committed. */
void outputs_committed(const struct outputs *);

/* Close all files, so that they are opened again. */
void outputs_reopen(const struct outputs *);

/* Drop and count the lines that could not be written. */
void outputs_drop_buffered(const struct outputs *);

/* Whether lines wait for their file. */
bool outputs_have_queued_lines(const struct outputs *);

#endif
