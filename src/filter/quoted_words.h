/* SPDX-License-Identifier: Apache-2.0 */
/* quoted_words - split a value such as `Rule $key ^(a|b) "a tag" false`.
 *
 * Words are separated by spaces; a tab is an ordinary character.  A quote only
 * counts at the start of a word, and is not part of the word. */
#ifndef FILTER_QUOTED_WORDS_H
#define FILTER_QUOTED_WORDS_H

#include <stdbool.h>

#include "base/check.h"

struct buf;

/* Fluent Bit's filters use two styles. */
enum quoted_words_style {
	QUOTED_WORDS_DOUBLE, /* "..", where \" is a quote */
	QUOTED_WORDS_BOTH,   /* ".." or '..', where \ escapes the quote and \ */
};

/* Read the next word into the buffer, which is cleared first, and move *at
 * after it.  False if there is no word, or if its quote is never closed. */
bool quoted_words_next(const char **at, enum quoted_words_style,
		       struct buf *word) MUST_USE;

/* The text from the next word on, without leading spaces; empty if there is no
 * further word. */
const char *quoted_words_rest(const char *at);

#endif
