/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline - the one place where data moves: journal -> files.
 *
 *     take -> decode -> filter chain -> router -> sinks      (each message)
 *     flush: one write() a file -> commit -> publish         (each batch)
 *
 * A thread of its own, the only one that runs Lua, PCRE2 and yajl and that
 * touches the output disk.  It sleeps until it is rung.  A batch is committed
 * only when its lines are written: while the disk takes nothing the journal
 * holds the rest, and flushing is tried again after 100 ms, doubling to 5 s.
 * Under a CPU limit it rests now and then, so that receiving does not (see
 * pipeline/cpu_share.h).
 *
 * Its counters are published as one consistent copy at the end of each batch:
 *     taken = written + dropped{reason} + dead_lettered + queued in the sinks
 * holds in every copy.  They are committed to the journal together with the
 * batch, and a pipeline that is started on it goes on with them. */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/cpu_limit.h"
#include "base/err.h"
#include "filter/filter.h"
#include "output/sink.h"
#include "pipeline/decoder.h"
#include "record/message.h"

struct chain;
struct journal;
struct pipeline;
struct router;

struct dead_letter;

struct pipeline_opts { /* all borrowed until pipeline_free */
	struct journal *journal;
	struct decoder **decoders; /* by an entry's source */
	size_t decoder_count;
	struct chain *chain;
	struct router *router;
	struct dead_letter *dead_letter; /* or NULL */
	/* The journal outlives the process: nothing is ever given up. */
	bool is_durable;
	/* Both in the pipeline's thread: something was committed, or blocked
	 * for the first time; and the end. */
	void (*on_settled)(void *);
	void (*on_finished)(void *);
	void *data;
};

struct filter_view {
	const char *name;
	const struct filter_ops *ops;
	struct filter_stats stats;
};

struct sink_view {
	const char *name;
	bool is_dead_letter;
	bool is_restored; /* the process before has counted for it */
	const struct sink_ops *ops;
	struct sink_stats stats;
};

struct decoder_view {
	const char *name;
	struct decoder_stats stats;
};

/* The law's terms of what is not in a sink's counters. */
struct pipeline_totals {
	uint64_t taken; /* messages */
	uint64_t written;
	uint64_t dropped[DROP_REASON_COUNT];
	uint64_t dead_lettered;
	uint64_t queued; /* of outputs that the configuration has no more */
	uint64_t batches;
};

/* What the metrics read. */
struct pipeline_view {
	struct pipeline_totals totals;
	bool is_blocked; /* the disk takes nothing */
	struct cpu_limit cpu_limit;
	int64_t rested_ns; /* to leave the CPU to receiving */
	struct decoder_view *decoders;
	size_t decoder_count;
	struct filter_view *filters;
	size_t filter_count;
	struct sink_view *sinks; /* the dead letters are the last, if any */
	size_t sink_count;
};

/* Start the thread, which sleeps until it is rung.  NULL on failure. */
struct pipeline *pipeline_start(const struct pipeline_opts *, struct err *);

/* There is something to do; cheap when it is awake already. */
void pipeline_wake(struct pipeline *);

/* Before its next batch: close the files, so that they are opened anew. */
void pipeline_reopen(struct pipeline *);

/* Write everything that is in the journal, then end; on_finished tells when.
 * Nothing may be appended any more. */
void pipeline_finish(struct pipeline *);

/* Finish the batch that is under way, as far as the disk takes it at once, and
 * end: the rest stays in the journal for the next process. */
void pipeline_leave(struct pipeline *);

/* While finishing: what the disk does not take at the next try is left in the
 * journal; when that is in memory it is given up, and counted as
 * DROP_write_failed. */
void pipeline_abandon(struct pipeline *);

/* Join the thread (after on_finished) and free. */
void pipeline_free(struct pipeline *);

/* The newest published copy, locked until pipeline_view_end. */
const struct pipeline_view *pipeline_view_begin(struct pipeline *);
void pipeline_view_end(struct pipeline *);

#endif
