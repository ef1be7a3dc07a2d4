/* SPDX-License-Identifier: Apache-2.0 */
/* dead_letter - the file with messages of which a record could not become a
 * line.
 *
 *     {"time":"2026-11-21T02:50:00.123456789Z","input":"syslog.0",
 *      "reason":"unparsed","raw":"<190>Nov 21 02:50:00 ..."}
 *
 * One line of JSON for each message: when it arrived, at which input, why the
 * record could not become a line, and its bytes as they arrived, so that
 * `sluiced replay` can send them again.  A message that is not text has
 * "raw_base64" (RFC 4648, 4) instead of "raw": one with bytes that are not
 * UTF-8, or with control characters other than \b \t \n \f \r.
 *
 * It works like a sink: it keeps the accounting equations of output/sink.h,
 * each message being one line, and writes through an output file
 * (output_file.h).  While the file cannot be written, the dead letters wait in
 * a spill (spill.h) of the sink DEAD_LETTER_NAME, so that they delay no other
 * lines and survive the end of the process.  If the spill is full or cannot
 * be written, the same happens as for a file output: a disk that rejects writes
 * blocks the batch, which the journal then keeps; if only this file cannot be
 * written, further dead letters are refused.
 *
 * Without a directory for spills, a disk that rejects writes blocks the batch.
 * If only this file cannot be written, the dead letters wait in memory, up to
 * DEAD_LETTER_WAITING_BYTES.
 * The pipeline thread only. */
#ifndef FILE_DEAD_LETTER_H
#define FILE_DEAD_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"
#include "output/sink.h"

struct append_notes;
struct dead_letter;
struct json_reader;
struct message;
struct spill_owners;
struct write_back;
struct record;

enum { DEAD_LETTER_WAITING_BYTES = 8 * 1024 * 1024 };

/* In metrics, in the saved counters and in the spills. */
#define DEAD_LETTER_NAME "dead_letter"

struct dead_letter_opts {
	const char *path;
	const struct append_notes *notes; /* borrowed; may be NULL */
	uint32_t id;	       /* identifies this sink in the notes */
	const char *spill_dir; /* borrowed; NULL: nothing is spilled */
	struct spill_owners *spill_owners; /* as in sink_env */
	struct write_back *write_back;	   /* as in sink_env */
	size_t spill_bytes_max;		   /* a batch may exceed it */
};

/* Is the path valid, and could it be written now?  Creates nothing. */
bool dead_letter_try(const char *path, struct err *) MUST_USE;

/* NULL if the path is invalid.  If the file cannot be written now, that is only
 * logged, because the disk may be mounted later.  The first dead letter creates
 * the file. */
struct dead_letter *dead_letter_open(const struct dead_letter_opts *,
				     struct err *);

/* Drops the dead letters in memory; spilled ones stay in their spill.  NULL is
 * fine. */
void dead_letter_close(struct dead_letter *);

/* Take the message and count it.  False if there is no room: the caller then
 * drops the message and counts it under its reason. */
bool dead_letter_put(struct dead_letter *, const struct message *,
		     const char *input, const char *reason) MUST_USE;

/* These do what the functions of a sink do (output/sink.h). */
enum sink_flush dead_letter_flush(struct dead_letter *, int64_t now_mono_ns);
void dead_letter_committed(struct dead_letter *);
void dead_letter_drop_buffered(struct dead_letter *);
void dead_letter_reopen(struct dead_letter *);

/* messages_written_total counts the dead-lettered messages. */
const struct sink_stats *dead_letter_stats(const struct dead_letter *);

/* Call before the first dead letter: take over the spills and the counters
 * (NULL: unknown) of the previous process. */
void dead_letter_restore(struct dead_letter *, const struct sink_stats *);

/* As sink_ops.found(). */
bool dead_letter_found(struct dead_letter *, struct sink_moved *) MUST_USE;

/* Call after the outputs are settled, as sink_ops.settle() describes.  Dead
 * letters that waited only in the memory of the previous process are lost,
 * which is logged, and count as DROP_write_failed. */
void dead_letter_settle(struct dead_letter *, struct sink_moved *);

/* --- for `sluiced replay` */

struct letter {
	struct span input; /* empty if the letter names no input */
	struct span raw;
};

/* Read a line of a dead-letter file.  Returns NULL if the line is good,
 * otherwise a short text with the mistake.  `room` is an empty record: the
 * result points into the line or into the record's arena. */
const char *dead_letter_read(struct json_reader *, struct span line,
			     struct record *room, struct letter *) MUST_USE;

#endif
