/* SPDX-License-Identifier: Apache-2.0 */
/* ruby_regex - a regular expression in Ruby's syntax, rewritten for PCRE2.
 *
 *     /^(?<a>\h{2}+)[x[yz]]/i
 *     (?i-s:^(?<a>(?:[\x{30}-\x{39}..]{2})+)[\x{58}-\x{5a}\x{78}-\x{7a}])
 *
 * The text that comes out means the same to PCRE2 with PCRE2_MULTILINE and
 * PCRE2_NEWLINE_LF, and with
 * - PCRE2_UTF and PCRE2_UCP when is_utf: the pattern speaks of characters;
 * - PCRE2_NO_AUTO_CAPTURE when has_names: then plain groups do not capture. */
#ifndef RECORD_RUBY_REGEX_H
#define RECORD_RUBY_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct ruby_regex {
	struct buf text; /* buf_fini it, also after a failure */
	bool is_utf;
	bool has_names;
};

/* source: with or without /slashes/imx around it. */
bool ruby_regex_read(struct span source, struct ruby_regex *,
		     struct err *) MUST_USE;

/* Where in the source stands what is at text_at in the text? */
size_t ruby_regex_source_at(struct span source, size_t text_at);

#endif
