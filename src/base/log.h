/* SPDX-License-Identifier: Apache-2.0 */
/* log - sluiced's own log lines.
 *
 *     2026-11-21T02:50:00.123Z level=warn mod=file_sink path=/x err="..."
 *
 * Each line is one write() to standard error or to the file given to log_open,
 * so lines of two threads never mix.  Logging never waits, unless standard
 * error is a regular file (log_output): a line that cannot be written at once
 * is dropped and counted, and the next line that can be written is preceded by
 * the number.  The text is lower case without a full stop.  The content of
 * messages appears only at LOG_DEBUG, with three exceptions: a time that cannot
 * be read, a path made from fields, and the error text of a hook.  log and
 * log_output are the only modules with global state.  Thread-safe once log_open
 * or log_open_or_stderr has returned. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

enum log_level { LOG_OFF, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Set the level and the file, or standard error if path is NULL.  On failure
 * the previous settings stay. */
bool log_open(const char *path, enum log_level, struct err *) MUST_USE;

/* The same, but never fails and does not wait long.  If the file cannot be
 * opened, log a warning of that module, and use standard error instead.  If the
 * disk answers later, the file is used from then on. */
void log_open_or_stderr(const char *path, enum log_level, const char *mod);

/* If standard error is used instead of the file, try again to open the file, in
 * a thread, and log the result.  Thread-safe. */
void log_reopen(void);

/* Whether a line of this level would be written. */
bool log_is_on(enum log_level);

/* Log "level=... mod=MOD " and the text, which consists of key=value pairs. */
void log_line(enum log_level, const char *mod, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* Print "sluiced: TEXT" to standard error, regardless of the log file and the
 * level.  For the reason why a process cannot start.  Does not wait for a
 * reader. */
void log_failure(const char *text);

/* Limits one place in the code to one line in ten seconds.  The next line has
 * repeated=N for N suppressed ones.  Zero-initialised; each place has its own,
 * which belongs to the logging thread. */
struct log_rate {
	int64_t next_ns;
	uint64_t held;
};

/* Log a line, subject to the limit. */
void log_rated(struct log_rate *, enum log_level, const char *mod,
	       const char *format, ...) PRINTF_LIKE(4, 5);

/* Write the bytes in double quotes, escaped and truncated at 200 bytes, into
 * `room`, and return it, for a format's %s.  Control characters, also those of
 * base/utf8.h, and bytes that are not UTF-8 are escaped, because the text may
 * come from a stranger. */
enum { LOG_QUOTED_BYTES = 256 };
const char *log_quoted(struct span, char room[static LOG_QUOTED_BYTES]);

#endif
