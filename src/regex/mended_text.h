/* SPDX-License-Identifier: Apache-2.0 */
/* mended_text - a copy, in UTF-8, of a text that is not.
 *
 *     a \xff é \xe3\x81    becomes    a U+10FEFF é U+10FEE3 U+10FE81
 *
 * PCRE2 matches characters only in valid UTF-8.  In the copy, each byte that
 * does not belong to a character becomes a private character.  [^x], \W and a
 * dot match it; [[:alpha:]] and the other classes that a log format could use
 * do not.  The copy is at most four times as long. */
#ifndef REGEX_MENDED_TEXT_H
#define REGEX_MENDED_TEXT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

struct mended_text {
	struct buf text;
	struct buf breaks; /* size_t: where the private characters begin */
};

/* Fill with the copy; call mended_text_fini. */
void mended_text_init(struct mended_text *, struct span text);
void mended_text_fini(struct mended_text *);

/* Returns the offset in the original text for an offset in the copy, which must
 * be the start of a character or the end of the copy. */
size_t mended_text_source_at(const struct mended_text *, size_t offset);

#endif
