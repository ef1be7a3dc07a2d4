/* SPDX-License-Identifier: Apache-2.0 */
/* ltsv - reads one record of labelled tab-separated values (ltsv.org).
 *
 *     host:10.0.0.1<TAB>time:[...]<TAB>path:/a:b<NL>
 *
 * A label consists of letters, digits, _ . and -.  A value reaches up to a tab,
 * a line end or a NUL, and may be empty.  The record ends with the line, or
 * where no label follows. */
#ifndef PARSE_LTSV_H
#define PARSE_LTSV_H

#include <stdbool.h>

#include "base/check.h"
#include "base/span.h"

/* Take the next field off the text.  False if there is none.  The label may be
 * empty. */
bool ltsv_next(struct span *text, struct span *label,
	       struct span *value) MUST_USE;

#endif
