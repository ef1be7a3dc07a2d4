/* SPDX-License-Identifier: Apache-2.0 */
/* appender - one file: the lines that wait for it.
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
 *    everything stays, the caller tries again when it likes; with other
 *    outputs, whose disk may be another, APPEND_SET_ASIDE as long as the spill
 *    takes it;
 *  - this file (EACCES, ENOTDIR, EISDIR, EFBIG, EROFS when opening ...):
 *    APPEND_SET_ASIDE, the lines go to the file's spill (spill.h), without
 *    one they stay, and are tried again after 100 ms, doubling to 5 s; the
 *    same while another process has the file, which is no error.
 * Never a newer line before an older one: what was spilled comes first.
 *
 * After a short write the line that it tore is completed from where it ends,
 * in the same file; it is written anew, whole, only when that file is gone or
 * was continued by somebody else.  So a torn line keeps the descriptor open.
 * Given up, it stays torn, and is closed with a newline.
 *
 * In the first batch after a crash the lines that stand in the file already,
 * as was noted, are not written again (journal/append_note.h).
 * Keeps the laws of sink.h in the stats that it is given. */
#ifndef FILE_OUTPUT_FILE_H
#define FILE_OUTPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "file/append_file.h"

struct spill;

enum append_result { APPENDED, APPEND_BLOCKED, APPEND_HELD };

struct output_file {
	struct file_env *env;
	char *path;
	struct append_file file;
	struct buf lines;    /* while none wait, their memory may be taken */
	struct buf answers;  /* for each line: is the message answered for? */
	size_t torn_bytes;   /* of the first line */
	int64_t batch_at;    /* where in the batch's lines these begin; less
			     * than 0: so many bytes are older */
	bool is_recovered;   /* asked whether some are there already */
	struct spill *spill; /* older lines; NULL: none */
	int failed_errno;    /* 0: it works */
	bool is_disk;	     /* ... and it is the disk that takes nothing */
	int64_t retry_ns;    /* when set aside: not to be tried before */
	int64_t backoff_ns;
	int64_t failing_since_ns;
};

struct output_file *output_file_new(const char *path, struct file_env *);

/* Gives up what waits in memory, closes.  NULL is fine. */
void output_file_free(struct output_file *);

/* A line counts from now on that is put to `lines` and `answers` later, before
 * the next flush. */
void output_file_count(struct output_file *, bool answers);

/* The line that was just put at the end of `lines` counts from now on. */
void output_file_added(struct output_file *, bool answers);

/* Write what waits. */
enum append_result output_file_flush(struct output_file *, int64_t now_ns);

/* The journal was committed: what still waits belongs to no batch. */
void output_file_committed(struct output_file *);

/* Whether a line waits, in memory or spilled. */
bool output_file_waits(const struct output_file *);

/* Whether a line that is put now will have to wait. */
bool output_file_is_held(const struct output_file *);

/* Whether such a line may be refused when too much waits: not when it waits
 * for the disk, then the journal holds it. */
bool output_file_may_refuse(const struct output_file *);

/* Give up the lines in memory that do not lie within the first `keep_bytes`:
 * counted as DROP_write_failed. */
void output_file_drop(struct output_file *, size_t keep_bytes);

/* Have what was written reach the disk, when the policy is not never. */
void output_file_sync(struct output_file *);

/* Close the file, but for a torn line's sake; what waits is tried again at
 * the next flush. */
void output_file_reopen(struct output_file *);

#endif
