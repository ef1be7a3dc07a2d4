/* SPDX-License-Identifier: Apache-2.0 */
/* output_file - one file and the lines that wait for it.
 *
 *     lines:  [ line\n | line\n | line\n ]      answers:  [ 1 | 0 | 1 ]
 *              ^^^ torn_bytes are in the file already
 *
 * output_file_flush writes all lines with one write().  Before that, it checks
 * whether the path still names the open file.  If the file was renamed or
 * deleted, it is closed and the path is opened again, so that logrotate needs
 * no signal.
 *
 * The effect of a failure depends on what fails:
 *  - The disk (ENOSPC, EDQUOT, EIO, EROFS or another error of a file system, if
 *    the disk rejects writes to other files, too: disk_probe.h) or the process
 *    (ENOMEM, ENOBUFS, EMFILE, ENFILE): the result is APPEND_BLOCKED, all lines
 *    stay in memory and in the journal, and the caller retries when it likes.
 *    If there are other outputs, whose disk may be another one, the lines are
 *    spilled instead (APPEND_HELD) as long as the spill accepts them.
 *  - This file (any other error; also an error of the disk if it accepts writes
 *    to other files, for example because a directory's quota is used up; also
 *    EROFS for a file in the working directory): the result is APPEND_HELD, and
 *    the lines go to the
 *    file's spill (spill.h).  If spilling fails, too, the result is
 *    APPEND_BLOCKED for ten attempts; after that, or without a spill, the lines
 *    stay in memory.  Writing is retried after 100 ms, doubling to 5 s.
 *  - Another process keeps the file busy (EBUSY): it holds the file's lock or
 *    has not completed its last line.  That is no error and usually short: the
 *    result is APPEND_HELD as long as the spill has room, and then
 *    APPEND_BLOCKED, so that no line is dropped.  A process that keeps the file
 *    busy for BUSY_WAIT_S seconds cannot block the other files any longer, and
 *    all busy files of a sink together only for a limited time (file_block.h).
 * The spill has no room for another file if too many files wait already
 * (held_files.h).
 * A newer line is never written before an older one: spilled lines come first.
 *
 * If a write ends within a line, the line is completed later, from where it
 * ends, in the same file.  It is written again as a whole only if that file no
 * longer exists or another process appended to it.  A torn line therefore
 * keeps the descriptor open, unless too many are open (held_files.h); device
 * and inode number then tell whether the path names the same file.  If the rest
 * of a torn line is dropped, its beginning is ended with a newline.
 *
 * In the first batch after a crash, lines that are in the file already
 * according to the notes are not written again (journal/append_note.h).  The
 * file of a note may have been renamed meanwhile (renamed_file.h).
 * While a file with a note cannot be read, or while its note cannot be looked
 * up, the result is APPEND_BLOCKED, for ten attempts.
 * Keeps the accounting equations of output/sink.h in the stats it is given.
 * Not thread-safe: the pipeline thread only. */
#ifndef FILE_OUTPUT_FILE_H
#define FILE_OUTPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "file/append_file.h"

struct spill;

enum { BUSY_WAIT_S = 30 };

enum append_result { APPENDED, APPEND_BLOCKED, APPEND_HELD };

struct output_file {
	struct file_env *env;
	char *path;
	struct append_file file;
	struct buf lines;      /* if empty, other files may take its memory */
	struct buf answers;    /* for each line: does this sink count
	                      * the line's message? */
	size_t torn_bytes;     /* of the first line, in the file already */
	int64_t batch_at;      /* offset of `lines` in the batch's lines for
	                      * this file; negative: the first -batch_at
	                      * bytes of `lines` are of earlier batches */
	uint64_t batch_hash;   /* of the bytes before batch_at, if that is more
	                      * than 0 */
	bool is_recovered;     /* checked for lines from before a crash */
	struct spill *spill;   /* older lines; NULL: none */
	bool has_second_spill; /* in the directory: its lines come later */
	size_t held_bytes;     /* counted in env->held; 0: not held */
	size_t held_line_bytes;
	bool was_named;	  /* its first failure was logged, or counted */
	int failed_errno; /* 0: it can be written */
	bool is_disk;	  /* ... because the disk rejects writes */
	/* ... because another process uses it, and other files may have to wait
	 * for that; false if the sink has no spills. */
	bool is_busy;
	int64_t busy_since_ns;
	int64_t retry_ns;   /* if held: no retry before */
	unsigned unread;    /* attempts to read it after a crash */
	unsigned unspilled; /* attempts to spill its lines, in a row */
	int64_t backoff_ns;
};

/* An output file without lines; opens nothing.  The path is copied, the env is
 * borrowed. */
struct output_file *output_file_new(const char *path, struct file_env *);

/* Drops the lines in memory, closes the file; a spill stays.  NULL is fine. */
void output_file_free(struct output_file *);

/* Count a line that is put to `lines` and `answers` later, but before the next
 * flush. */
void output_file_count(struct output_file *, bool answers);

/* Count the line that the caller has just put at the end of `lines`. */
void output_file_added(struct output_file *, bool answers);

/* A flush of several files of one sink begins. */
void output_files_begin_flush(struct file_env *, int64_t now_ns);

/* Write the waiting lines, spilled ones first.  now_ns is clock_mono_ns.
 * APPENDED: no line is left.  APPEND_BLOCKED: flush again before adding lines.
 * APPEND_HELD: the lines that are left wait for this file alone, and other
 * files can be written. */
enum append_result output_file_flush(struct output_file *, int64_t now_ns);

/* The journal was committed: lines that still wait no longer belong to the
 * current batch. */
void output_file_committed(struct output_file *);

/* Does a line wait, in memory or spilled? */
bool output_file_waits(const struct output_file *);

/* Will a line that is added now have to wait? */
bool output_file_is_held(const struct output_file *);

/* May a line that has to wait be refused if too many lines wait?  A line that
 * waits for the disk or for another process may not, because the journal keeps
 * it. */
bool output_file_may_refuse(const struct output_file *);

/* Drop the lines in memory, except those within the first `keep_bytes`.  They
 * are counted as DROP_write_failed. */
void output_file_drop(struct output_file *, size_t keep_bytes);

/* Sync the file and its spill, unless the policy is never to sync. */
void output_file_sync(struct output_file *);

/* Close the file, unless it ends with a torn line of ours.  The next flush
 * retries at once. */
void output_file_reopen(struct output_file *);

#endif
