/* SPDX-License-Identifier: Apache-2.0 */
/* dead_letter - the file of the messages that could not become a line.
 *
 *     {"time":"2026-11-21T02:50:00.123456789Z","input":"syslog.0",
 *      "reason":"unparsed","raw":"<190>Nov 21 02:50:00 ..."}
 *
 * One line of JSON for each message: when it arrived, at which input, why it
 * is here, and its bytes as they came, so that `sluiced replay` can send them
 * again.  What is no text has "raw_base64" (RFC 4648, 4) instead of "raw":
 * bytes that are not UTF-8, and control characters other than \b \t \n \f \r.
 *
 * A small sink: it keeps the laws of output/sink.h, each message being one
 * line that it answers for, and writes by the appender's rules.  A disk that
 * takes nothing blocks the batch, which the journal then holds, but only for
 * DEAD_LETTER_HOLD_S: no line shall wait for what could not become one.  Then,
 * as at once where only this file cannot be written, the letters wait in
 * memory, up to DEAD_LETTER_WAITING_BYTES; those beyond it are refused.
 * The pipeline thread only. */
#ifndef FILE_DEAD_LETTER_H
#define FILE_DEAD_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"
#include "output/sink.h"

struct append_notes;
struct dead_letter;
struct json_reader;
struct message;
struct record;

enum {
	DEAD_LETTER_HOLD_S = 5,
	DEAD_LETTER_WAITING_BYTES = 8 * 1024 * 1024,
};

/* The path is good and could be written now; creates nothing. */
bool dead_letter_try(const char *path, struct err *) MUST_USE;

/* NULL when the path can be no file's.  That it cannot be written now is only
 * said: the disk may come later.  The file is made by the first letter.
 * `notes` (may be NULL) is borrowed; `number` is this sink's, for them. */
struct dead_letter *dead_letter_open(const char *path,
				     const struct append_notes *,
				     uint32_t number, struct err *);

/* Gives up what waits.  NULL is fine. */
void dead_letter_close(struct dead_letter *);

/* Take the message and answer for it.  False when there is no room: it is not
 * taken, and lost for its reason. */
bool dead_letter_put(struct dead_letter *, const struct message *,
		     const char *input, const char *reason) MUST_USE;

/* As those of a sink. */
enum sink_flush dead_letter_flush(struct dead_letter *, int64_t now_mono_ns);
void dead_letter_committed(struct dead_letter *);
void dead_letter_abandon(struct dead_letter *);
void dead_letter_reopen(struct dead_letter *);

/* messages_written_total are the messages that are dead-lettered. */
const struct sink_stats *dead_letter_stats(const struct dead_letter *);

/* Before the first letter: go on counting from there.  What waited when these
 * were counted died with its process: DROP_write_failed. */
void dead_letter_restore(struct dead_letter *, const struct sink_stats *);

/* --- for `sluiced replay` */

struct letter {
	struct span input; /* empty when it has none */
	struct span raw;
};

/* Read a line of such a file.  NULL when it is a letter, else in a few words
 * what is wrong with it.  `room` is an empty record: what is read lies in the
 * line or in the record's arena. */
const char *dead_letter_read(struct json_reader *, struct span line,
			     struct record *room, struct letter *) MUST_USE;

#endif
