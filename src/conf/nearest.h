/* SPDX-License-Identifier: Apache-2.0 */
/* nearest - what a misspelt word may have been meant to be. */
#ifndef CONF_NEAREST_H
#define CONF_NEAREST_H

struct buf;

/* The one of `known` (NULL-terminated) nearest to the word, case apart; NULL
 * when none is near. */
const char *nearest_word(const char *word, const char *const *known);

/* What to say behind an unknown word: `; did you mean "X"?`, or, when none is
 * near, `; known: X, Y`.  Appends to the buffer and returns its text. */
const char *nearest_hint(const char *word, const char *const *known,
			 struct buf *);

#endif
