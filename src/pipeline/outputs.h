/* SPDX-License-Identifier: Apache-2.0 */
/* outputs - all outputs at the end of a batch: the router's sinks and the dead
 * letters.  For the pipeline thread only, except outputs_work. */
#ifndef PIPELINE_OUTPUTS_H
#define PIPELINE_OUTPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "output/sink.h"

struct dead_letter;
struct journal;
struct output_work;
struct pipeline_totals;
struct router;

struct outputs {
	struct router *router;		 /* borrowed */
	struct dead_letter *dead_letter; /* borrowed, or NULL */
	struct pipeline_totals *totals;	 /* borrowed */
	struct sink_moved moved;	 /* found, but not settled */
	struct log_rate blocked_rate;
	/* When the flush or reopen at work began; 0: none is at work. */
	_Atomic int64_t began_ns;
};

/* All outputs are restored: count the spilled lines that they have found, and
 * those that are missing.  outputs_flush() does it again, since a spill may
 * become readable later. */
void outputs_settle(struct outputs *);

/* Write the collected lines.  SINK_BLOCKED if one of the outputs is blocked. */
enum sink_flush outputs_flush(struct outputs *);

/* The outputs are blocked, and are flushed again after this time. */
void outputs_log_blocked(struct outputs *, const struct journal *,
			 int64_t wait_ms);

/* Call before the commit that ends the notes of a batch: log notes for files
 * that no output writes now. */
void outputs_report_unclaimed(const struct journal *);

/* The batch was committed. */
void outputs_committed(const struct outputs *);

/* Close all files, so that they are opened again. */
void outputs_reopen(struct outputs *);

/* A value that differs for each outputs_flush, each outputs_reopen and each
 * file or piece of write-back that a flush has finished; 0 while no flush or
 * reopen is at work.  Any thread may call this. */
uint64_t outputs_work(const struct outputs *, struct output_work *);

/* Drop and count the lines that could not be written. */
void outputs_drop_buffered(const struct outputs *);

/* Whether lines wait for their file. */
bool outputs_have_queued_lines(const struct outputs *);

#endif
