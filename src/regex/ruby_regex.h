/* SPDX-License-Identifier: Apache-2.0 */
/* ruby_regex - rewrites a regular expression in Ruby's syntax for PCRE2.
 *
 *     /^(?<a>\h{2}+)[x[yz]]/i
 *     (?i-s:^(?<n0>(?:[\x{30}-\x{39}..]{2})+)[\x{58}-\x{5a}\x{78}-\x{7a}])
 *
 * PCRE2's group names must be short and ASCII, so the result calls the groups
 * n0, n1, ..., and `names` has their names in Ruby.
 *
 * The result means the same to PCRE2 with PCRE2_MULTILINE and PCRE2_NEWLINE_LF,
 * and
 * - with PCRE2_UTF and PCRE2_UCP if is_utf: the pattern matches characters;
 * - with PCRE2_NO_AUTO_CAPTURE if has_names: plain groups do not capture.
 *
 * Matching bytes is faster and needs no valid UTF-8, and for [^ ]* or .*
 * it gives the same result as matching characters.  If the results can differ,
 * as for ..$, [[:alpha:]] or (.*)(.+) (see ruby_runs.h), tells_apart is set.
 * The caller must then translate the pattern a second time, with in_characters,
 * and use that result for text beyond ASCII.  A pattern that names characters
 * beyond ASCII always matches characters. */
#ifndef REGEX_RUBY_REGEX_H
#define REGEX_RUBY_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct ruby_regex {
	struct buf text;  /* call buf_fini for both, also after a failure */
	struct buf names; /* of n0, n1, ..., each NUL-terminated */
	bool is_utf;
	bool has_names;
	bool tells_apart; /* matching bytes differs from characters */
};

/* `source` may have /slashes/imx around it.  With in_characters, the pattern
 * always matches characters.  False on an error. */
bool ruby_regex_read(struct span source, bool in_characters,
		     struct ruby_regex *, struct err *) MUST_USE;

/* The offset in the source from which the byte at offset text_at of the
 * translated text comes. */
size_t ruby_regex_source_at(struct span source, size_t text_at);

#endif
