/* SPDX-License-Identifier: Apache-2.0 */
/* sink - the contract of an output.
 *
 * put collects lines, flush writes them; between the two the journal holds
 * the messages, so that what was put and not flushed is not lost.  A kind is
 * one file with one `const struct sink_ops` and one row in setup/plugins.h; each kind embeds struct sink as its first member.
 *
 * Two laws hold after every call:
 *     lines_total    = lines_written    + lines_dropped{reason}    + queued
 *     messages_total = messages_written + messages_dropped{reason} + queued
 * where messages are those this sink answers for (record/message.h). */
#ifndef OUTPUT_SINK_H
#define OUTPUT_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "conf/conf_keys.h"
#include "record/message.h"

struct conf_section;
struct record;
struct sink;

enum sink_flush {
	SINK_FLUSHED, /* nothing waits for which the journal must be held */
	SINK_BLOCKED, /* the disk takes nothing now: flush again later, put
		       * nothing more before */
};

struct append_notes;

enum sink_fsync {
	SINK_FSYNC_NEVER,
	SINK_FSYNC_BATCH,    /* before the batch is committed */
	SINK_FSYNC_INTERVAL, /* every fsync_interval_s, in a flush */
};

/* Outlives the sinks. */
struct sink_env {
	const struct sink_ops *const *kinds; /* NULL behind the last one */
	const char *conf_dir;
	bool dry_run; /* check all that can be checked, leave nothing behind */
	bool is_only_route; /* one input, one output: Match may be missing */
	bool has_others;    /* other outputs must not wait for this one */
	const struct append_notes *notes; /* NULL: nothing is noted */
	uint32_t number;  /* the sink's, for its notes; set by the router */
	const char *name; /* NAME.N or its Alias; set by the router */
	/* Whether what an output of that name has spilled is this one's to
	 * write; NULL: when the name is its own; set by the router. */
	bool (*takes_over)(const void *router, uint32_t number,
			   struct span name);
	const void *router;
	const char *spill_dir;	/* for lines set aside; NULL: in memory */
	size_t spill_bytes_max; /* of each sink; a batch may exceed it */
	size_t files_max;	/* open while nothing waits for them; 0: 64 */
	enum sink_fsync fsync;
	double fsync_interval_s;
};

struct sink_stats {
	uint64_t lines_total;
	uint64_t lines_written_total;
	uint64_t lines_dropped_total[DROP_REASON_COUNT];
	uint64_t lines_queued;
	uint64_t messages_total;
	uint64_t messages_written_total;
	uint64_t messages_dropped_total[DROP_REASON_COUNT];
	uint64_t messages_queued;
	uint64_t bytes_written_total;
	uint64_t writes_total;
	uint64_t errors_total;	/* failed opens, writes and syncs */
	uint64_t retries_total; /* attempts after a failure */
	uint64_t fsyncs_total;
	uint64_t recovered_bytes_total; /* found written after a crash */
	uint64_t files_open;
	uint64_t lines_spilled; /* of lines_queued: on the disk */
	uint64_t messages_spilled;
	uint64_t spilled_bytes; /* what the spills' files take */
};

struct sink_ops {
	const char *name;		  /* as in the configuration */
	const struct conf_key_spec *keys; /* NULL: it has none of its own */
	/* It spills lines to disk.  Lines spilled by a removed output are
	 * written by another one that spills. */
	bool has_spills;
	struct sink *(*open)(struct conf_section *, const struct sink_env *,
			     struct err *);
	/* Add the record's line to the batch.  `answers`: this sink answers
	 * for the record's message if it takes the line.  False when the line
	 * is refused: counted, and *reason says why. */
	bool (*put)(struct sink *, const struct record *, bool answers,
		    enum drop_reason *reason);
	/* Write what was put: whole lines, one write() for each file. */
	enum sink_flush (*flush)(struct sink *, int64_t now_mono_ns);
	/* The journal was committed: what was put before will not come again.
	 * May be NULL. */
	void (*committed)(struct sink *);
	/* Before the first put, when the journal is this process's: go on
	 * with what the process before left, and with its counters (NULL:
	 * there are none).  Without this the first put or flush does it.  May
	 * be NULL: the counters are just assigned. */
	void (*restore)(struct sink *, const struct sink_stats *);
	/* Give up what still waits in memory: counted as DROP_write_failed.
	 * What was spilled waits on. */
	void (*abandon)(struct sink *);
	/* Close the files; the next line opens them anew. */
	void (*reopen)(struct sink *);
	void (*close)(struct sink *);
};

struct sink {
	const struct sink_ops *ops;
	struct sink_stats stats;
	/* What was put since the last flush and waits in memory. */
	size_t batch_bytes;
	size_t batch_files; /* 0 of a kind for which more for each save nothing */
};

#endif
