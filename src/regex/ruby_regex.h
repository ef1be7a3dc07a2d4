/* SPDX-License-Identifier: Apache-2.0 */
/* ruby_regex - a regular expression in Ruby's syntax, rewritten for PCRE2.
 *
 *     /^(?<a>\h{2}+)[x[yz]]/i
 *     (?i-s:^(?<n0>(?:[\x{30}-\x{39}..]{2})+)[\x{58}-\x{5a}\x{78}-\x{7a}])
 *
 * PCRE2's names are short and ASCII: a group is n0, n1, ... there, and `names`
 * has what Ruby calls it.
 *
 * The text that comes out means the same to PCRE2 with PCRE2_MULTILINE and
 * PCRE2_NEWLINE_LF, and with
 * - PCRE2_UTF and PCRE2_UCP when is_utf: it is of characters, not of bytes;
 * - PCRE2_NO_AUTO_CAPTURE when has_names: then plain groups do not capture.
 *
 * Bytes are faster and never in the way of a match, and for [^ ]* or .* they
 * are the same.  Where they are not, as for ..$ or [[:alpha:]], tells_apart
 * says that text beyond ASCII is to be matched by the same pattern in
 * characters.  One that names such characters itself is always in them. */
#ifndef REGEX_RUBY_REGEX_H
#define REGEX_RUBY_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct ruby_regex {
	struct buf text;  /* buf_fini both, also after a failure */
	struct buf names; /* of n0, n1, ..., each with a NUL behind it */
	bool is_utf;
	bool has_names;
	bool tells_apart; /* bytes from characters */
};

/* source: with or without /slashes/imx around it. */
bool ruby_regex_read(struct span source, bool in_characters,
		     struct ruby_regex *, struct err *) MUST_USE;

/* Where in the source stands what is at text_at in the text? */
size_t ruby_regex_source_at(struct span source, size_t text_at);

#endif
