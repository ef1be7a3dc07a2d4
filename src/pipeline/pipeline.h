/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline - the only place where lines move: from the journal to the files.
 *
 *     take -> decode -> filter chain -> router -> sinks     (for each message)
 *     flush: one write() per file -> commit -> publish      (for each batch)
 *
 * After start-up, the pipeline has its own thread, the only one that runs Lua
 * and PCRE2, parses JSON, and writes lines to the output disk.  It sleeps until
 * it is woken.  A batch is committed only when no line needs its message in the
 * journal: the lines are in their files, in a spill or, if no spill takes them,
 * in memory (output/sink.h, pipeline/unsaved.h).  While the disk rejects
 * writes, the journal keeps the messages, and the pipeline retries after
 * 100 ms, doubling to 5 s.  Under a CPU limit it throttles itself, so that
 * receiving always has CPU left (pipeline/cpu_share.h).
 *
 * If a worker dies while it processes a message, the next worker processes that
 * message again.  After two deaths, the message becomes a dead letter or is
 * dropped, as DROP_killed_worker, and is committed before the pipeline takes
 * the next message.  A worker that was killed from outside, or together with
 * its supervisor, counts as half a death.
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
#include "base/log.h"
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
	/* The journal outlives the process.  So if the output is blocked at a
	 * stop, the pipeline leaves the messages in the journal instead of
	 * dropping them. */
	bool is_durable;
	/* The previous process is dead, but one of its writes may still
	 * store bytes: start with a pause, count the output as hanging, and
	 * read no spill before pipeline_resume or pipeline_finish. */
	bool starts_held;
	/* A batch was committed, or the output is blocked.  Called in the
	 * pipeline's thread and by pipeline_set_hanging.  It must not call the
	 * pipeline. */
	void (*on_progress)(void *, bool is_blocked);
	/* The thread ends.  Called in the pipeline's thread. */
	void (*on_finished)(void *);
	/* The thread pauses, as ordered.  Called in the pipeline's thread, and
	 * perhaps several times. */
	void (*on_paused)(void *);
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
	uint64_t queued;       /* in the spills of removed outputs ... */
	uint64_t queued_lines; /* ... as lines */
	uint64_t batches;
	/* Messages that another journal received.  Their lines were found in
	 * spills that this journal's counters did not include. */
	uint64_t found;
};

/* The copy that the metrics read. */
struct pipeline_view {
	struct pipeline_totals totals;
	bool is_blocked;    /* an output cannot write, or is_hanging */
	bool is_hanging;    /* see pipeline_set_hanging */
	bool has_suspects;  /* a message that killed a worker still waits */
	uint64_t committed; /* messages: taken, except by the current batch */
	/* See pipeline/unsaved.h.  While an output is blocked, some of them may
	 * be written already. */
	uint64_t unsaved_lines;
	uint64_t unsaved_messages;
	struct cpu_limit cpu_limit;
	int64_t throttled_ns; /* time spent leaving CPU to receiving */
	struct decoder_view *decoders;
	size_t decoder_count;
	struct filter_view *filters;
	size_t filter_count;
	struct sink_view *sinks; /* the dead letters are the last, if any */
	size_t sink_count;
};

/* The name of the thread. */
#define PIPELINE_THREAD "pipeline"

/* Start the thread, which sleeps until it is woken.  NULL on failure. */
struct pipeline *pipeline_start(const struct pipeline_opts *, struct err *);

/* Messages wait in the journal.  Cheap if the thread is already awake. */
void pipeline_wake(struct pipeline *);

/* Close all files before the next batch, so that they are opened again. */
void pipeline_reopen(struct pipeline *);

/* Write everything that is in the journal, then end and call on_finished.
 * Append nothing to the journal after this call.  Unsaved lines are retried
 * until pipeline_stop_retrying; then they are dropped and logged. */
void pipeline_finish(struct pipeline *);

/* The same, but nobody receives until this process has ended: unsaved lines get
 * only three attempts in 0.3 seconds. */
void pipeline_finish_for_next(struct pipeline *);

/* Finish the current batch, if the disk accepts it at once, and end.  The rest
 * stays in the journal for the next process.  A thread that pauses ends at
 * once and writes nothing. */
void pipeline_leave(struct pipeline *);

/* Finish the current batch, or leave it unfinished if the disk rejects writes,
 * and call on_paused.  pipeline_resume, pipeline_leave or pipeline_finish ends
 * the pause.  pipeline_resume does nothing without a pause. */
void pipeline_pause(struct pipeline *);
void pipeline_resume(struct pipeline *);

/* Whether the thread pauses now. */
bool pipeline_is_paused(struct pipeline *);

/* While finishing: if the next attempt to write fails, leave the messages in
 * the journal.  If the journal is in memory, drop them as DROP_write_failed. */
void pipeline_stop_retrying(struct pipeline *);

/* A value that differs for each message that the thread works on; 0 while it
 * works on none.  *filter is the name of the filter at work, or NULL.  Any
 * thread may call this. */
uint64_t pipeline_work(const struct pipeline *, const char **filter);

/* For how many nanoseconds the thread has waited for a CPU: base/cpu_wait.h.
 * Any thread may call this. */
int64_t pipeline_cpu_wait_ns(const struct pipeline *);

struct output_work {
	const char *output;	     /* its name */
	char path[LOG_QUOTED_BYTES]; /* of its file (log_quoted); "": none */
};

/* A value that differs for each file that the thread writes or closes; 0 while
 * it writes and closes none.  *at is what it works on.  Any thread may call
 * this. */
uint64_t pipeline_output_work(const struct pipeline *, struct output_work *at);

/* If pipeline_output_work still has this value, count the output as blocked
 * until the batch is written, and call on_progress.  Otherwise false.  Any
 * thread may call this. */
bool pipeline_set_hanging(struct pipeline *, uint64_t output_work);

/* Wait for the thread's end, which follows on_finished at once. */
void pipeline_join(struct pipeline *);

/* Join the thread and free the pipeline.  Call this after on_finished, because
 * it waits.  NULL is allowed. */
void pipeline_free(struct pipeline *);

/* The newest published copy, locked until pipeline_view_end. */
const struct pipeline_view *pipeline_view_begin(struct pipeline *);
void pipeline_view_end(struct pipeline *);

#endif
