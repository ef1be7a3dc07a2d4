/* SPDX-License-Identifier: Apache-2.0 */
/* framing - where in a stream one message ends and the next begins.
 *
 *     FRAMING_NEWLINE  "<190>Nov 21 ...\n"  each ends with a newline or a NUL
 *     FRAMING_OCTETS   "17 <190>Nov 21 ..." RFC 6587 3.4.1: its length first;
 *                                           a newline behind it is passed over
 *
 * Empty messages are passed over.  One that is longer than the limit is cut:
 * its beginning is the message, and the stream goes on behind its end.  With
 * FRAMING_OCTETS, what does not begin with a length ends with a newline, as
 * RFC 6587 3.4.3 lets a sender do, so a sender's mistake costs no message.
 * No memory of its own: the caller keeps what is not yet a whole message. */
#ifndef INTAKE_FRAMING_H
#define INTAKE_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/span.h"

enum framing_kind { FRAMING_NEWLINE, FRAMING_OCTETS };

struct framing { /* begin with framing_init; may be copied and restored */
	enum framing_kind kind;
	size_t bytes_max;
	size_t looked;	    /* bytes known to hold no end of a line */
	size_t octets_left; /* of a message that was cut: to be passed over */
	bool is_in_cut_line;
};

enum framing_what {
	FRAMING_MORE,	   /* not yet a whole message */
	FRAMING_MESSAGE,   /* one */
	FRAMING_CUT,	   /* the beginning of one that is too long */
	FRAMING_NO_LENGTH, /* FRAMING_OCTETS: a line instead */
};

void framing_init(struct framing *, enum framing_kind, size_t bytes_max);

/* Take the next message from the front of *bytes, unless the answer is
 * FRAMING_MORE: then *bytes is what is to be given again, with more behind
 * it, and is at most bytes_max and a length. */
enum framing_what framing_take(struct framing *, struct span *bytes,
			       struct span *message) MUST_USE;

/* The stream has ended behind what framing_take left: whether there is a
 * message, which is without its end. */
bool framing_end(struct framing *, struct span rest,
		 struct span *message) MUST_USE;

#endif
