/* SPDX-License-Identifier: Apache-2.0 */
/* ruby_class - reads the classes, [...], of Ruby's regular expressions.
 *
 * A class may hold classes (their union) and && (the intersection):
 *     [(?<pid>[0-9]+)]    one of ( ? < p i d > 0-9 + )
 *     [a-z&&[^aeiou]]     a consonant
 * PCRE2 has neither.  So a class is read into a set of 256 members and written
 * as a plain class.  With is_utf, the upper 128 members stand for all
 * characters beyond ASCII together.  A class that names individual characters
 * beyond ASCII is written member by member and cannot nest.  This file is a
 * part of ruby_regex. */
#ifndef REGEX_RUBY_CLASS_H
#define REGEX_RUBY_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "regex/ruby_code.h"

struct buf;

struct ruby_set {
	uint64_t bits[4];
};

/* The set of \d \w \s \h or their capitals.  False for another letter. */
bool ruby_letter_set(char letter, struct ruby_set *);

/* Append the set as a class, [...]. */
void ruby_put_set(struct buf *, const struct ruby_set *);

/* With the cursor after \p or \P, append PCRE2's text for the property.
 * With in_class, the property is a member of a class.  False on an error. */
bool ruby_put_property(struct ruby_cursor *, bool in_class,
		       struct buf *) MUST_USE;

/* With the cursor after [, read up to the matching ] and append the class.
 * False on an error. */
bool ruby_put_class(struct ruby_cursor *, bool is_caseless,
		    struct buf *) MUST_USE;

#endif
