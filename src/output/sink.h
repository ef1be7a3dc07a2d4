/* SPDX-License-Identifier: Apache-2.0 */
/* sink - the contract of an output.
 *
 * put collects lines, and flush writes them.  Between the two, the messages
 * stay in the journal, so that lines that were put but not flushed are not
 * lost.  A kind of output is one file with one `const struct sink_ops` and one
 * row in setup/plugins.h; it embeds struct sink as its first member.
 *
 * Two accounting equations hold after every call:
 *     lines_total    = lines_written    + lines_dropped{reason}    + queued
 *     messages_total = messages_written + messages_dropped{reason} + queued
 * The second equation covers only the messages that this sink counts: if
 * several sinks get lines of one message, exactly one of them counts the
 * message (record/message.h).
 * All functions are called in the pipeline thread, after start-up. */
#ifndef OUTPUT_SINK_H
#define OUTPUT_SINK_H

#include <pthread.h>
#include <stdatomic.h>
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
	SINK_FLUSHED, /* no line needs its message in the journal */
	SINK_BLOCKED, /* flush again later, and put no line before
	               * that */
};

struct append_notes;
struct spill_owners;
struct write_back;

/* The smallest id.  Notes of older versions have smaller numbers. */
#define SINK_ID_FIRST (UINT32_C(1) << 31)

enum sink_writes {
	SINK_WRITES_NOT,
	SINK_MAY_WRITE,	  /* if there is a record with such a tag */
	SINK_WRITES_ONLY, /* and no other file */
};

enum sink_fsync {
	SINK_FSYNC_NEVER,
	SINK_FSYNC_BATCH,    /* before the batch is committed */
	SINK_FSYNC_INTERVAL, /* every fsync_interval_s, in a flush */
};

/* Where spilled lines come from, and where they go. */
struct sink_spilled {
	struct span name; /* of the output */
	uint32_t id;	  /* of the output; 0: unknown, because an older version
			   * spilled the lines */
	struct span path; /* of the file */
};

/* The environment that a sink gets when it is opened.  It outlives the sinks.
 */
struct sink_env {
	const struct sink_ops *const *kinds; /* NULL after the last one */
	const char *conf_dir;
	bool dry_run;	    /* check everything, leave no trace */
	bool is_only_route; /* one input, one output: Match is optional */
	bool has_others;    /* other outputs must not wait for this one */
	/* Directories: filters can make tags that begin with one of them, like
	 * "/log/out/" for the rule /log/out/$vhost.  The rest of such a tag may
	 * come from a client.  NULL follows the last directory. */
	char *const *tag_roots;
	bool has_rootless_tags; /* this sink may get a tag without such a
	                         * directory */
	/* Paths that no tag may lead to.  NULL: none. */
	const struct reserved_paths *reserved;
	const struct append_notes *notes; /* NULL: nothing is noted */
	/* Identifies the sink in its notes, also in a process that has more
	 * outputs, fewer, or other names for them: the id is a hash of the
	 * section without its Alias.  If an earlier section is equal, it is the
	 * next free id.  Set by the router, from SINK_ID_FIRST on. */
	uint32_t id;
	const char *name; /* NAME.N or its Alias; set by the router */
	/* A name that no sink gets, because the dead letters have it; their
	 * spills belong to no sink.  NULL: none. */
	const char *taken_name;
	/* The id of the sink that writes these spilled lines, or 0.  Set by
	 * the router.  NULL: a sink writes only its own spill. */
	uint32_t (*owner_of)(const void *router, const struct sink_spilled *);
	/* Is there a sink with this id?  Set by the router.  NULL: a sink knows
	 * only its own notes. */
	bool (*has_sink)(const void *router, uint32_t id);
	const void *router;
	const char *spill_dir; /* for spills; NULL: held lines stay in
	                      	 * memory */
	struct spill_owners *spill_owners; /* of all sinks; NULL without
					  * spill_dir */
	size_t spill_bytes_max;	       /* of each sink; a batch may exceed it */
	struct write_back *write_back; /* of all sinks; NULL: none */
	size_t files_max;	       /* that a sink keeps open; 0: 64 */
	enum sink_fsync fsync;
	double fsync_interval_s;
	/* The process must end and leave the rest of the batch in the journal:
	 * flush returns SINK_BLOCKED before the next file.  NULL: never. */
	const atomic_bool *is_time_up;
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
	uint64_t recovered_bytes_total; /* found in files after a crash */
	uint64_t files_open;
	uint64_t lines_spilled; /* of lines_queued: on the disk */
	uint64_t messages_spilled;
	uint64_t spilled_bytes; /* the size of all spills */
};

/* Spilled lines that sinks found and had not counted. */
struct sink_moved {
	uint64_t lines;
	uint64_t messages;
};

struct sink_ops {
	const char *name;		  /* as in the configuration */
	const struct conf_key_spec *keys; /* NULL: it has no keys of its own */
	/* This kind spills lines to disk.  The first output with spills also
	 * writes lines that a removed output has spilled, if no output writes
	 * their file. */
	bool has_spills;
	/* Whether the sink writes this file.  NULL: unknown. */
	enum sink_writes (*writes)(const struct sink *, struct span path);
	struct sink *(*open)(struct conf_section *, const struct sink_env *,
			     struct err *);
	/* Add the record's line to the batch.  If `answers`, this sink counts
	 * the record's message if it accepts the line.  Returns false if it
	 * refuses the line; the sink counts the refused line and sets *reason
	 * to one that is a loss (record/message.h). */
	bool (*put)(struct sink *, const struct record *, bool answers,
		    enum drop_reason *reason);
	/* Write the lines that were put: whole lines, with one write() for each
	 * file. */
	enum sink_flush (*flush)(struct sink *, int64_t now_mono_ns);
	/* The journal was committed: messages whose lines were put before will
	 * not be put again.  May be NULL. */
	void (*committed)(struct sink *);
	/* Called before the first put, when this process owns the journal: take
	 * over the spills and the counters (NULL: unknown) of the previous
	 * process.  Without this call, the first put or flush does it.  May be
	 * NULL: then the counters are just assigned. */
	void (*restore)(struct sink *, const struct sink_stats *);
	/* Called after restore() of all sinks, and after each flush of them:
	 * add the spilled lines that this sink has found since the last call,
	 * and had not counted before, to *found.  False as long as there are
	 * spills that cannot be read.  May be NULL: it finds none. */
	bool (*found)(struct sink *, struct sink_moved *found);
	/* Called when found() of all sinks is true: account for the spilled
	 * lines that this sink had counted and does not find.  *moved is how
	 * many lines other sinks have found.  The missing lines count as moved
	 * to these sinks, and are subtracted from *moved.  If more lines are
	 * missing than *moved, the rest of them count as written if the
	 * positions of the spills show that they were drained, and otherwise as
	 * dropped.  If a spill was damaged, all of the rest count as dropped.
	 * May be NULL. */
	void (*settle)(struct sink *, struct sink_moved *moved);
	/* Drop the lines in memory; they are counted as DROP_write_failed.
	 * Spilled lines stay in their spills. */
	void (*drop_buffered)(struct sink *);
	/* Close the files; the next line opens them again. */
	void (*reopen)(struct sink *);
	void (*close)(struct sink *);
};

struct sink {
	const struct sink_ops *ops;
	struct sink_stats stats;
	/* The lines in memory that were put since the last flush. */
	size_t batch_bytes;
	/* How many files they are for, plus the number of directories that the
	 * flush may have to create.  0: this kind gains nothing from larger
	 * batches. */
	size_t batch_files;
	/* Lines with different tags go to different files. */
	bool has_file_per_tag;
	/* How many files, and pieces of write-back (file/write_back.h), the
	 * flushes have finished.  If it grows during a long flush, the disk is
	 * slow, but does not hang.  0: unknown.  Any thread may read it. */
	_Atomic uint64_t answers;
	/* The file at work, or NULL; any thread may read it with the lock. */
	const char *path;
	pthread_mutex_t path_lock;
};

/* A flush begins to write the file.  The path is borrowed until the next call;
 * NULL: it has finished the file. */
static inline void sink_works_on(struct sink *sink, const char *path)
{
	pthread_mutex_lock(&sink->path_lock);
	sink->path = path;
	pthread_mutex_unlock(&sink->path_lock);
}

/* A flush has finished a file. */
static inline void sink_answered(struct sink *sink)
{
	atomic_fetch_add_explicit(&sink->answers, 1, memory_order_relaxed);
}

/* put refuses the line: count it.  Always false. */
static inline bool sink_refuse(struct sink *sink, enum drop_reason why,
			       enum drop_reason *reason)
{
	sink->stats.lines_total++;
	sink->stats.lines_dropped_total[why]++;
	*reason = why;
	return false;
}

#endif
