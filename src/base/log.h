/* SPDX-License-Identifier: Apache-2.0 */
/* say - sluiced's own log lines.
 *
 *     2026-11-21T02:50:00.123Z level=warn mod=file_sink path=/x err="..."
 *
 * One write() a line to standard error or to the file that log_open named, so
 * that lines of two threads never mix.  Lower case, no full stop, never the
 * content of a message below LOG_DEBUG.
 * The only module with state of its own: the level, the descriptor.
 * Thread-safe once log_open has returned. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

enum log_level { LOG_OFF, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Where and from which level on; path NULL means standard error. */
bool log_open(const char *path, enum log_level, struct err *) MUST_USE;

/* Whether a line of this level would be written. */
bool log_is_on(enum log_level);

/* "level=... mod=MOD " and the rest, which is key=value pairs by convention. */
void log_line(enum log_level, const char *mod, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* At most one line in ten seconds for one place in the code: what was held
 * back in between is told as repeated=N.  Zero-initialised; one for each
 * place, owned by the thread that says it. */
struct log_rate {
	int64_t next_ns;
	uint64_t held;
};

void log_rated(struct log_rate *, enum log_level, const char *mod,
	       const char *format, ...) PRINTF_LIKE(4, 5);

/* The bytes in double quotes, escaped and cut at 200, for a format's %s.
 * Returns `room`. */
enum { LOG_QUOTED_BYTES = 256 };
const char *log_quoted(struct span, char room[static LOG_QUOTED_BYTES]);

#endif
