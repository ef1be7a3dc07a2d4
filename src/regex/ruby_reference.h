/* SPDX-License-Identifier: Apache-2.0 */
/* ruby_reference - the names and numbers of groups in Ruby's regular
 * expressions: \1, \k<name>, \g<name>.
 *
 * PCRE2 is strict about names, so a group's name is written as n0, n1, ... in
 * the order of first use.  A part of ruby_regex. */
#ifndef REGEX_RUBY_REFERENCE_H
#define REGEX_RUBY_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/span.h"
#include "regex/ruby_code.h"

struct buf;

/* The groups that a pattern has named and numbered so far. */
struct ruby_references {
	struct buf *names; /* each ends with a zero byte */
	bool has_names;
	bool has_numbers; /* \1 and the like */
	size_t captures;  /* groups with and without a name */
	size_t number_at; /* where the first number is in the source */
};

/* Read <name>, 'name', <1> or <-1> at the cursor.  The name points into the
 * source.  False on an error. */
bool ruby_read_reference(struct ruby_cursor *, struct span *name) MUST_USE;

/* Whether the name, which is not empty, is a number. */
bool ruby_is_number(struct span name);

/* Append <n7>, the group's name for PCRE2. */
void ruby_put_name(struct ruby_references *, struct span name, struct buf *);

/* Remember that the source has a group's number at this offset. */
void ruby_note_number(struct ruby_references *, size_t at);

/* With the cursor after \k (a back reference) or \g (a call), read the name
 * and append PCRE2's text.  False on an error. */
bool ruby_put_reference(struct ruby_cursor *, struct ruby_references *,
			char letter, struct buf *) MUST_USE;

/* Whether a back reference follows: \1 to \9, or a number that is not larger
 * than the number of groups so far.  Otherwise the digits are an octal number.
 */
bool ruby_at_back_reference(const struct ruby_cursor *,
			    const struct ruby_references *);

/* Read the digits of a back reference and append PCRE2's text. */
void ruby_put_back_reference(struct ruby_cursor *, struct ruby_references *,
			     struct buf *);

#endif
