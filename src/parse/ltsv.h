/* SPDX-License-Identifier: Apache-2.0 */
/* ltsv - labelled tab-separated values, one record of them (ltsv.org).
 *
 *     host:10.0.0.1<TAB>time:[...]<TAB>path:/a:b<NL>
 *
 * A label is of letters, digits, _ . and -; a value goes up to a tab, a line's
 * end or a NUL, and may be empty.  Where no label stands the record ends, and
 * with the line. */
#ifndef PARSE_LTSV_H
#define PARSE_LTSV_H

#include <stdbool.h>

#include "base/check.h"
#include "base/span.h"

/* Take the next field off the text; false when there is none.  A label may be
 * empty: that field has no name. */
bool ltsv_next(struct span *text, struct span *label,
	       struct span *value) MUST_USE;

#endif
