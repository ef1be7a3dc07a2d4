/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline - the only place where lines move: from the journal to the files.
 *
 *     take -> decode -> filter chain -> router -> sinks     (for each message)
 *     flush: one write() per file -> commit -> publish      (for each batch)
 *
 * The pipeline has its own thread, the only one that runs Lua, PCRE2 and yajl
 * and that writes lines to the output disk.  It sleeps until it is woken.  A
 * batch is committed only when no line needs its message in the journal: the
 * lines are in their files, in a spill or, if no spill takes them, in memory
 * (output/sink.h).  While the disk rejects writes, the journal keeps the
 * messages, and the pipeline retries after 100 ms, doubling to 5 s.  Under a
 * CPU limit it throttles itself, so that receiving always has CPU left
 * (pipeline/cpu_share.h).
 *
 * If a worker dies while it processes a message, the next worker processes that
 * message again.  After two deaths (a kill from outside counts half), the
 * message becomes a dead letter or is dropped, as DROP_killed_worker, and is
 * committed before the pipeline takes the next message.
 *
 * The counters are published as one consistent copy at the end of each batch.
 * In every copy:
 *     taken = written + dropped{reason} + dead_lettered + queued in the sinks
 * They are committed to the journal together with the batch, and the next
 * pipeline on that journal continues with them. */
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
	/* By the entry's input number.  The decoders after decoder_count are
	 * for the journal's removed inputs and have no counters. */
	struct decoder **decoders;
	size_t decoder_count;
	struct chain *chain;
	struct router *router;
	struct dead_letter *dead_letter; /* or NULL */
	/* The journal outlives the process: the pipeline never drops its
	 * messages. */
	bool is_durable;
	/* Both are called in the pipeline's thread.  on_progress: a batch was
	 * committed, or the output is blocked.  on_finished: the thread ends.
	 */
	void (*on_progress)(void *, bool is_blocked);
	void (*on_finished)(void *);
	void *data;
};

struct filter_view {
	const char *name;
	const char *emitter; /* as in struct filter */
	const struct filter_ops *ops;
	struct filter_stats stats;
};

struct sink_view {
	const char *name;
	bool is_dead_letter;
	bool is_restored; /* its counters continue earlier ones */
	const struct sink_ops *ops;
	struct sink_stats stats;
};

struct decoder_view {
	const char *name;
	struct decoder_stats stats;
};

/* The terms of the accounting equation that are not in a sink's counters. */
struct pipeline_totals {
	uint64_t taken; /* messages */
	uint64_t written;
	uint64_t dropped[DROP_REASON_COUNT];
	uint64_t dead_lettered;
	uint64_t queued; /* in the spills of removed outputs */
	uint64_t batches;
};

/* The copy that the metrics read. */
struct pipeline_view {
	struct pipeline_totals totals;
	bool is_blocked;   /* the disk rejects writes */
	bool has_suspects; /* a message that killed a worker still waits */
	struct cpu_limit cpu_limit;
	int64_t throttled_ns; /* time spent leaving CPU to receiving */
	struct decoder_view *decoders;
	size_t decoder_count;
	struct filter_view *filters;
	size_t filter_count;
	struct sink_view *sinks; /* the dead letters are the last, if any */
	size_t sink_count;
};

/* Start the thread, which sleeps until it is woken.  NULL on failure. */
struct pipeline *pipeline_start(const struct pipeline_opts *, struct err *);

/* Messages wait in the journal.  Cheap if the thread is already awake. */
void pipeline_wake(struct pipeline *);

/* Close all files before the next batch, so that they are opened again. */
void pipeline_reopen(struct pipeline *);

/* Write everything that is in the journal, then end and call on_finished.
 * Append nothing to the journal after this call. */
void pipeline_finish(struct pipeline *);

/* Finish the current batch, if the disk accepts it at once, and end.  The rest
 * stays in the journal for the next process. */
void pipeline_leave(struct pipeline *);

/* While finishing: if the next attempt to write fails, leave the messages in
 * the journal.  If the journal is in memory, drop them as DROP_write_failed. */
void pipeline_stop_retrying(struct pipeline *);

/* A value that differs for each message that the thread works on; 0 while it
 * works on none.  *filter is the name of the filter at work, or NULL.  Any
 * thread may call this. */
uint64_t pipeline_work(const struct pipeline *, const char **filter);

/* Wait for the thread's end, which follows on_finished at once. */
void pipeline_join(struct pipeline *);

/* Join the thread and free the pipeline.  Call this after on_finished, because
 * it waits.  NULL is allowed. */
void pipeline_free(struct pipeline *);

/* The newest published copy, locked until pipeline_view_end. */
const struct pipeline_view *pipeline_view_begin(struct pipeline *);
void pipeline_view_end(struct pipeline *);

#endif
