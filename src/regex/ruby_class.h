/* SPDX-License-Identifier: Apache-2.0 */
/* ruby_class - what stands between [ and ] in Ruby's regular expressions.
 *
 * A class may hold classes (their union) and && (the intersection):
 *     [(?<pid>[0-9]+)]    one of ( ? < p i d > 0-9 + )
 *     [a-z&&[^aeiou]]     a consonant
 * PCRE2 has neither.  So a class is read into a set of 256 members and written
 * back as a plain class.  With is_utf the upper 128 stand for all characters
 * that are not ASCII, in or out together; a class that names single ones of
 * them is written back member by member and cannot nest.
 * Part of ruby_regex. */
#ifndef REGEX_RUBY_CLASS_H
#define REGEX_RUBY_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct buf;

struct ruby_cursor {
	struct span text;
	size_t at;
	bool is_utf;
	struct err *err;
};

struct ruby_set {
	uint64_t bits[4];
};

/* "regular expression: WHAT at OFFSET".  Always false. */
bool ruby_fail_at(const struct ruby_cursor *, size_t offset, const char *what);

/* The byte `ahead` of the cursor, 0 behind the end. */
unsigned char ruby_peek(const struct ruby_cursor *, size_t ahead);

/* Does the text name characters beyond ASCII, or their properties? */
bool ruby_names_characters(struct span text);

/* \d \w \s \h and their capitals; false for another letter. */
bool ruby_letter_set(char letter, struct ruby_set *);

void ruby_put_set(struct buf *, const struct ruby_set *);

/* The cursor is behind a backslash: read \n, \x41, \u3042, \cA, \0 and the
 * like.  *is_code is false and the cursor unmoved when it is none of them.
 * Octal digits without a leading 0 count when is_octal. */
bool ruby_read_code(struct ruby_cursor *, bool is_octal, bool *is_code,
		    uint32_t *code) MUST_USE;
void ruby_put_code(struct buf *, uint32_t code);

/* The cursor is behind \p or \P: append PCRE2's text for it, that of a class
 * member when in_class. */
bool ruby_put_property(struct ruby_cursor *, bool in_class,
		       struct buf *) MUST_USE;

/* The cursor is behind a [: read up to the matching ] and append the class. */
bool ruby_put_class(struct ruby_cursor *, bool is_caseless,
		    struct buf *) MUST_USE;

#endif
