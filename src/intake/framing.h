/* SPDX-License-Identifier: Apache-2.0 */
/* framing - where in a stream one message ends and the next begins.
 *
 *     FRAMING_NEWLINE  "<190>Nov 21 ...\n"  each ends with a newline or a NUL
 *     FRAMING_OCTETS   "17 <190>Nov 21 ..." RFC 6587 3.4.1: its length first;
 *                                           a newline after it is skipped
 *
 * Empty messages are skipped.  A message that is longer than the limit is
 * truncated: the rest of it is skipped.  With FRAMING_OCTETS, a message that
 * does not begin with a length ends with a newline: some senders mix both
 * framings (RFC 6587 3.4.3), and none of their messages is lost.  The module
 * has no memory of its own: the caller keeps the bytes that are not yet a whole
 * message. */
#ifndef INTAKE_FRAMING_H
#define INTAKE_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/span.h"

enum framing_kind { FRAMING_NEWLINE, FRAMING_OCTETS };

/* Their names in a configuration; NULL after the last.  The first stands for
 * FRAMING_NEWLINE, the others for FRAMING_OCTETS. */
extern const char *const framing_names[];

struct framing { /* set by framing_init; may be copied and restored */
	enum framing_kind kind;
	size_t bytes_max;
	size_t looked;	       /* bytes known to hold no end of a line */
	size_t octets_left;    /* of a truncated message: to be skipped */
	bool is_skipping_line; /* the rest of a truncated line is skipped */
};

enum framing_what {
	FRAMING_MORE,	   /* not yet a whole message */
	FRAMING_MESSAGE,   /* a message */
	FRAMING_TRUNCATED, /* a truncated message */
	FRAMING_NO_LENGTH, /* FRAMING_OCTETS: a line without a length */
};

/* At the beginning of a stream. */
void framing_init(struct framing *, enum framing_kind, size_t bytes_max);

/* Take the next message from the front of *bytes.  If the answer is
 * FRAMING_MORE, there is none: the caller passes *bytes again, followed by more
 * bytes.  *bytes is then at most bytes_max long, plus the length in front of
 * it. */
enum framing_what framing_take(struct framing *, struct span *bytes,
			       struct span *message) MUST_USE;

/* The stream has ended after `rest`, which framing_take left over.  True if the
 * rest is a message without its end. */
bool framing_end(struct framing *, struct span rest,
		 struct span *message) MUST_USE;

#endif
