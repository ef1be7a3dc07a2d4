/* SPDX-License-Identifier: Apache-2.0 */
/* args - the parts of a value, as of `Rule $key ^(a|b) "a tag" false`.
 *
 * Parts are apart by spaces; a tab is a character like others.  Quotes count
 * only at the start of a part, and are no part of it. */
#ifndef FILTER_QUOTED_WORDS_H
#define FILTER_QUOTED_WORDS_H

#include <stdbool.h>

#include "base/check.h"

struct buf;

/* Fluent Bit's filters have two manners. */
enum quoted_words_style {
	QUOTED_WORDS_DOUBLE, /* "..", with \" for a quote in it */
	QUOTED_WORDS_BOTH, /* ".." or '..', with \ before the quote or another \ */
};

/* The next part into the cleared buffer; *at moves behind it.  False when
 * there is none, or a quote that does not end. */
bool quoted_words_next(const char **at, enum quoted_words_style,
		       struct buf *part) MUST_USE;

/* Where the next part begins; empty when there is none. */
const char *quoted_words_rest(const char *at);

#endif
