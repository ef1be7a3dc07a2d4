/* SPDX-License-Identifier: Apache-2.0 */
/* nearest - finds the word that a misspelt one may stand for. */
#ifndef CONF_NEAREST_H
#define CONF_NEAREST_H

struct buf;

/* The word of `known`, which NULL terminates, that is nearest to `word`,
 * ignoring case; NULL if none is near. */
const char *nearest_word(const char *word, const char *const *known);

/* Append the hint after an unknown word: `; did you mean "X"?` or, if none is
 * near, `; known: X, Y`.  Returns the text of the buffer. */
const char *nearest_hint(const char *word, const char *const *known,
			 struct buf *);

#endif
