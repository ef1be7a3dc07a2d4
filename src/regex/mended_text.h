/* SPDX-License-Identifier: Apache-2.0 */
/* mended_text - a copy, in UTF-8, of a text that is not.
 *
 *     a \xff é \xe3\x81    becomes    a U+10FEFF é U+10FEE3 U+10FE81
 *
 * PCRE2 matches characters only in valid UTF-8.  In the copy, each byte that
 * does not belong to a character is a private character, which [^x], \W and a
 * dot match, but no letter or other property that a log could have.  The copy
 * is at most four times as long. */
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

/* The offset in the original text of this offset in the copy, which is that of
 * a character or the end. */
size_t mended_text_source_at(const struct mended_text *, size_t offset);

#endif
