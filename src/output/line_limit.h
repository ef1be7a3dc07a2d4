/* SPDX-License-Identifier: Apache-2.0 */
/* line_limit - bounds the bytes of all lines of one message.
 *
 * A hook that splits messages, copies by rewrite_tag, several outputs, escapes
 * and numbers such as 1e300 multiply the bytes of a message.  A sender chooses
 * the factor, and all lines of a message are in memory together, because a
 * message is committed as a whole.  So a sink refuses the line that exceeds the
 * limit and all later lines of the message, as DROP_too_large.  It stops
 * rendering such a line early.
 *
 *     size_t from = b->len;
 *     if (line_limit_begin(b, message)) {
 *             ... append the line to b ...
 *             is_taken = line_limit_end(b, message, from);
 *     } */
#ifndef OUTPUT_LINE_LIMIT_H
#define OUTPUT_LINE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "record/message.h"

/* A message of 212,992 bytes in a hundred outputs must fit.  The worker must
 * fit into 128 MiB together with a journal of 64 MiB in memory.  A file output
 * may copy the lines once (file/batch.h), and spilling them takes no further
 * copy.  So lines take at most 48 MiB.  They take 24 MiB more only while a
 * spilled line of such a length is moved to its file, and the next batch is as
 * large. */
enum { MESSAGE_LINES_BYTES_MAX = 24 * 1024 * 1024 };

/* A line follows.  False if the message has reached the limit: render nothing.
 * If the message is NULL, the limit is for this line alone. */
static inline bool line_limit_begin(struct buf *b, const struct message *m)
{
	size_t used = m != NULL ? m->lines_bytes : 0;
	if (used == MESSAGE_LINES_BYTES_MAX)
		return false;
	buf_limit(b, b->len + MESSAGE_LINES_BYTES_MAX - used);
	return true;
}

/* The line was appended at `from`.  False if the message exceeds the limit: the
 * line was removed. */
static inline bool line_limit_end(struct buf *b, struct message *m, size_t from)
{
	bool is_over = buf_is_over(b);
	size_t used = b->len - from;
	buf_limit(b, 0);
	if (is_over)
		b->len = from;
	if (m != NULL && is_over)
		m->lines_bytes = MESSAGE_LINES_BYTES_MAX;
	else if (m != NULL)
		m->lines_bytes += used;
	return !is_over;
}

#endif
