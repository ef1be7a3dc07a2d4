/* SPDX-License-Identifier: Apache-2.0 */
/* logfmt - reads key=value pairs of one line (brandur.org/logfmt).
 *
 *     at=info path="/a \"b\"" debug size=
 *
 * Keys and unquoted values consist of bytes greater than the space, except =
 * and ".  Bytes between pairs are skipped.  A line end directly after a pair
 * ends the record. */
#ifndef PARSE_LOGFMT_H
#define PARSE_LOGFMT_H

#include <stdbool.h>

#include "base/check.h"
#include "base/span.h"

struct logfmt_pair {
	struct span key;
	struct span value; /* the text between the quotes */
	bool has_equals;
	bool is_quoted;
	bool has_escape; /* it contains a backslash */
};

/* Take the next pair off the text.  False if there is none. */
bool logfmt_next(struct span *text, struct logfmt_pair *) MUST_USE;

#endif
