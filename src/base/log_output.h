/* SPDX-License-Identifier: Apache-2.0 */
/* log_output - where log lines go, without ever waiting for their reader.
 *
 * A log that nobody reads must not stop sluiced, nor must a disk that hangs:
 *  - A pipe, a socket or a terminal gets each line without waiting.  A pipe and
 *    a terminal are reopened, because O_NONBLOCK on the inherited descriptor
 *    would affect every process that shares it.
 *  - A write to a regular file can hang even with O_NONBLOCK.  So a separate
 *    thread writes to it.  Lines reach the thread through a pipe that holds 256
 *    lines.
 *  - If standard error is a regular file, it is written directly.  This is the
 *    exception: such a write can hang with its disk.
 * A line that does not fit is dropped and counted.
 *
 * A file that cannot be opened must not stop a running sluiced either.
 * log_output_open_or_stderr then uses standard error instead, and
 * log_output_retry tries again.  Since open() can hang with its disk, a thread
 * calls it.
 *
 * Thread-safe, except log_output_open and log_output_open_or_stderr.  A forked
 * process must call one of them before it logs to a regular file: threads do
 * not survive fork(). */
#ifndef BASE_LOG_OUTPUT_H
#define BASE_LOG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"

/* Whole lines of up to this many bytes are never mixed with others: PIPE_BUF.
 */
enum { LOG_OUTPUT_LINE_BYTES_MAX = 4096 };

/* Write to the file, which is created with mode 0644 and appended to, or to
 * standard error if path is NULL.  On failure the previous output stays. */
bool log_output_open(const char *path, struct err *) MUST_USE;

/* A file was opened or, if error is an errno, was not.  May run in a thread of
 * its own. */
typedef void (*log_output_opened_fn)(const char *path, int error);

/* The same as log_output_open, but if the file cannot be opened within a
 * second, standard error is used instead, and *e says why.  Returns whether the
 * file is used.  If open() returns after that second, `opened` is called, and
 * on success the file is used from then on. */
bool log_output_open_or_stderr(const char *path, log_output_opened_fn opened,
			       struct err *e) MUST_USE;

/* If standard error is used instead of a file, try again to open the file,
 * without waiting for it.  Then `opened` is called. */
void log_output_retry(log_output_opened_fn opened);

/* Write one line with its line feed.  False: it was dropped and counted. */
bool log_output_write(const char *line, size_t len);

/* Write to standard error, regardless of the log file.  Never waits
 * for its reader. */
void log_output_write_stderr(const char *line, size_t len);

/* Wait until the thread has written all lines handed to it, but at most a
 * second.  Returns whether it has written them. */
bool log_output_flush(void);

/* Lines that this process dropped. */
uint64_t log_output_dropped_total(void);

/* log_output_take_dropped returns the number of dropped lines that were not
 * reported yet, and resets it.  If the report cannot be written, give the
 * number back with log_output_return_dropped.  The failed report itself does
 * not count as a dropped line. */
uint64_t log_output_take_dropped(void);
void log_output_return_dropped(uint64_t lines);

#endif
