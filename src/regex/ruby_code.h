/* SPDX-License-Identifier: Apache-2.0 */
/* ruby_code - the cursor in a Ruby regular expression, and the characters that
 * it reads: \x41, \u3042, \cA, UTF-8.  A part of ruby_regex. */
#ifndef REGEX_RUBY_CODE_H
#define REGEX_RUBY_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct buf;

enum { RUBY_CODE_MAX = 0x10ffff }; /* the last character of Unicode */

struct ruby_cursor {
	struct span text;
	size_t at;
	bool is_utf;
	struct err *err;
};

/* Set the error "regular expression: WHAT at offset OFFSET".  Always false. */
bool ruby_fail_at(const struct ruby_cursor *, size_t offset, const char *what);

/* The byte at `ahead` bytes after the cursor; 0 after the end. */
unsigned char ruby_peek(const struct ruby_cursor *, size_t ahead);

/* Whether this text begins at the cursor. */
bool ruby_has(const struct ruby_cursor *, const char *text);

/* Skip the "(?#comment)" at the cursor.  False on an error. */
bool ruby_skip_comment(struct ruby_cursor *) MUST_USE;

/* Skip the white space or the "# comment" at the cursor; false if there is
 * none. */
bool ruby_skip_space(struct ruby_cursor *) MUST_USE;

/* Whether the text names characters beyond ASCII or their properties. */
bool ruby_names_characters(struct span text);

/* With the cursor after a backslash, read \n, \x41, \u3042, \cA, \0 and the
 * like.  If the text is no such code, *is_code is false and the cursor stays.
 * With is_octal, octal digits without a leading 0 count, too.  False on an
 * error. */
bool ruby_read_code(struct ruby_cursor *, bool is_octal, bool *is_code,
		    uint32_t *code) MUST_USE;

/* Append a character so that it stands for itself. */
void ruby_put_code(struct buf *, uint32_t code);

/* Read the character beyond ASCII at the cursor.  False if it is not UTF-8. */
bool ruby_read_utf8(struct ruby_cursor *, uint32_t *code) MUST_USE;

#endif
