/* SPDX-License-Identifier: Apache-2.0 */
/* sink_dir - a file sink that writes to a directory of its own.
 *
 * Each function that calls the sink asserts afterwards that its counters add
 * up, as sink.h promises.  Closing asserts that no descriptor is left open.
 * Time is a fake clock: it stands still until sink_dir_wait_s(). */
#ifndef UNIT_SINK_DIR_H
#define UNIT_SINK_DIR_H

#include "files.h"
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "output/sink.h"

#define START_NS (1000 * NS_PER_S)

struct sink_dir {
	char dir[TEMP_DIR_BYTES];
	const char *format; /* its keys; NULL: write the message alone */
	struct sink_env env;
	char spills[96]; /* see sink_dir_use_spills */
	struct conf *conf;
	struct sink *sink;
	struct arena *arena;
	struct buf text; /* the last path or content */
	int64_t now_ns;
	size_t fds; /* open descriptors before the sink was opened */
};

/* Assert that every line and every message the sink was given is counted as
 * written, dropped or queued. */
void assert_stats_add_up(const struct sink_stats *);
void assert_sink_adds_up(const struct sink *);

/* Create the directory, without a sink. */
void sink_dir_init(struct sink_dir *);

/* Open a sink with these keys, in which @ stands for the directory.  False on
 * a mistake, with *e saying which. */
bool sink_dir_try_open(struct sink_dir *, const char *keys, bool dry_run,
		       struct err *e);

/* Before opening: let the sink spill up to this size, to spill/. */
void sink_dir_use_spills(struct sink_dir *, size_t bytes_max);

/* sink_dir_init(), then open a sink with keys that have no mistake. */
void sink_dir_open(struct sink_dir *, const char *keys);

/* Close the sink and keep the directory; sink_dir_try_open() may follow. */
void sink_dir_close(struct sink_dir *);

/* Close the sink and remove the directory. */
void sink_dir_fini(struct sink_dir *);

/* The path of a name in the directory; valid until the next call of this or
 * the next function. */
const char *sink_dir_path(struct sink_dir *, const char *name);

/* The content of a file in the directory, or "(no file)". */
const char *sink_dir_content(struct sink_dir *, const char *name);

void sink_dir_write(struct sink_dir *, const char *name, const char *text);
void sink_dir_move(struct sink_dir *, const char *from, const char *to);
/* True if the name exists; a symbolic link is followed. */
bool sink_dir_exists(struct sink_dir *, const char *name);

/* Give the sink a record; false if it is dropped, with *reason saying why.
 * `answers` tells whether the line stands for its message. */
bool sink_dir_put_span(struct sink_dir *, struct span tag, struct span message,
		       bool answers, enum drop_reason *reason);

/* Give the sink a record that it must accept. */
void sink_dir_put(struct sink_dir *, const char *tag, const char *message);

/* The same; the tag is the path of a name in the directory. */
void sink_dir_put_at(struct sink_dir *, const char *name, const char *message);

/* Flush without the commit: the state of a process that is killed between the
 * two. */
enum sink_flush sink_dir_flush_only(struct sink_dir *);

/* Tell the sink that the batch is committed. */
void sink_dir_commit(struct sink_dir *);

/* Flush, and commit unless the sink is blocked. */
enum sink_flush sink_dir_flush(struct sink_dir *);

/* Flush, commit, and assert that no line is queued. */
void sink_dir_flush_all(struct sink_dir *);

/* Let the sink drop the lines in memory; assert that it does. */
void sink_dir_drop_buffered(struct sink_dir *);

/* Let `s` seconds pass. */
void sink_dir_wait_s(struct sink_dir *, int64_t s);

/* A cmocka group set-up that turns the log off. */
int turn_log_off(void **state);

#endif
