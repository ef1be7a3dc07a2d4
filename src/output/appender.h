/* SPDX-License-Identifier: Apache-2.0 */
/* appender - one file: the lines that wait for it, and its descriptor.
 *
 *     lines:  [ line\n | line\n | line\n ]      answers:  [ 1 | 0 | 1 ]
 *              ^^^ torn_bytes are on the disk already
 *
 * appender_flush writes all lines with one write().  Before it asks whether
 * the path still is the file that is open: one that was renamed or deleted is
 * left and the path opened anew, so that logrotate needs no signal.
 *
 * What a failure does depends on whom it concerns:
 *  - the disk (ENOSPC, EDQUOT, EIO, ENOMEM, EMFILE, ENFILE; EROFS for a file
 *    that was open, since a remount concerns all of them): APPEND_BLOCKED,
 *    everything stays, the caller tries again when it likes;
 *  - this file (EACCES, ENOTDIR, EISDIR, EFBIG, EROFS when opening ...):
 *    APPEND_SET_ASIDE, the lines stay and are tried again after 100 ms,
 *    doubling to 5 s.
 * After a short write the line that it tore is completed from where it ends,
 * in the same file; it is written anew, whole, only when that file is gone.
 * So a torn line keeps the descriptor open.  Given up, it stays torn.
 *
 * Lines live in memory alone: a killed process loses those that are set aside
 * (those of a blocked batch are still in the journal).
 * Keeps the laws of sink.h in the stats that it is given. */
#ifndef OUTPUT_APPENDER_H
#define OUTPUT_APPENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/say.h"
#include "base/span.h"
#include "output/sink.h"

/* What the appenders of a sink share. */
struct appender_env {
	struct sink_stats *stats;
	bool mkdir; /* make missing directories */
	struct say_rate failing_rate;
	struct say_rate working_rate;
};

enum append { APPENDED, APPEND_BLOCKED, APPEND_SET_ASIDE };

struct appender {
	struct appender_env *env;
	char *path;
	struct buf lines;
	struct buf answers; /* for each line: is the message answered for? */
	size_t torn_bytes;  /* of the first line; fd is open when not 0 */
	int fd;		    /* -1: closed */
	dev_t device;
	ino_t inode;
	int failed_errno; /* 0: it works */
	int64_t retry_ns; /* when set aside: not to be tried before */
	int64_t backoff_ns;
};

struct appender *appender_new(const char *path, struct appender_env *);

/* Gives up what waits, closes.  NULL is fine. */
void appender_free(struct appender *);

/* The line that was just put at the end of `lines` counts from now on. */
void appender_took(struct appender *, bool answers);

/* Write what waits. */
enum append appender_flush(struct appender *, int64_t now_ns);

/* Give up the lines that do not lie within the first `keep_bytes`: counted as
 * DROP_write_failed. */
void appender_give_up(struct appender *, size_t keep_bytes);

/* Close the file, but for a torn line's sake; what waits is tried again at
 * the next flush. */
void appender_reopen(struct appender *);

#endif
