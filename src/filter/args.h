/* SPDX-License-Identifier: Apache-2.0 */
/* args - the parts of a value, as of `Rule $key ^(a|b) "a tag" false`.
 *
 * Parts are apart by spaces; a tab is a character like others.  Quotes count
 * only at the start of a part, and are no part of it. */
#ifndef FILTER_ARGS_H
#define FILTER_ARGS_H

#include <stdbool.h>

#include "base/check.h"

struct buf;

/* Fluent Bit's filters have two manners. */
enum args_quotes {
	ARGS_DOUBLE, /* "..", with \" for a quote in it */
	ARGS_BOTH,   /* ".." or '..', with \ before the quote or another \ */
};

/* The next part into the cleared buffer; *at moves behind it.  False when
 * there is none, or a quote that does not end. */
bool args_next(const char **at, enum args_quotes, struct buf *part) MUST_USE;

/* Where the next part begins; empty when there is none. */
const char *args_rest(const char *at);

#endif
