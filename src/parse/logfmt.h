/* SPDX-License-Identifier: Apache-2.0 */
/* logfmt - key=value pairs of one line (brandur.org/logfmt).
 *
 *     at=info path="/a \"b\"" debug size=
 *
 * A key, and a value without quotes, is of bytes above the blank other than =
 * and "; what is in between is skipped.  A line's end right behind a pair ends
 * the record. */
#ifndef PARSE_LOGFMT_H
#define PARSE_LOGFMT_H

#include <stdbool.h>

#include "base/check.h"
#include "base/span.h"

struct logfmt_pair {
	struct span key;
	struct span value; /* as it stands between the quotes */
	bool has_equals;
	bool is_quoted;
	bool has_escape; /* a backslash within the quotes */
};

/* Take the next pair off the text; false when there is none. */
bool logfmt_next(struct span *text, struct logfmt_pair *) MUST_USE;

#endif
