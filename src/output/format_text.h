/* SPDX-License-Identifier: Apache-2.0 */
/* format_text - values as the text formats write them, byte for byte as
 * msgpack's printer does, which Fluent Bit uses:
 *
 *     5   1.500000   true   nil   "text"   [1, "x"]   {"k"=>"v", "n"=>nil}
 *
 * Text between quotes is written unchanged, except for what enum format_escape
 * says. */
#ifndef OUTPUT_FORMAT_TEXT_H
#define OUTPUT_FORMAT_TEXT_H

#include <stdint.h>

#include "base/span.h"
#include "record/json.h"

struct buf;
struct format;
struct value;

/* A set of flags: which characters are escaped. */
enum format_escape {
	FORMAT_RAW = 0,
	FORMAT_LINE = 1,	  /* control characters: \n, \u001b, \u2028 */
	FORMAT_QUOTES = 2,	  /* a quote is doubled (RFC 4180) */
	FORMAT_BACKSLASH = 4,	  /* a backslash is doubled */
	FORMAT_BAD_ESCAPED = 8,	  /* a byte that is not UTF-8: \xHH */
	FORMAT_BAD_REPLACED = 16, /* ... or U+FFFD */
};

/* How the JSON formats write a byte that is not UTF-8.  With UTF8 keep they
 * write U+FFFD, because JSON cannot contain the byte itself. */
enum json_bad_bytes format_bad_bytes(const struct format *);

/* Append bytes, without quotes around them. */
void format_put_text(struct buf *, struct span, unsigned escape);

/* Append a value; strings have quotes. */
void format_put_value(struct buf *, const struct value *, unsigned escape);

/* Append a string in quotes. */
void format_put_quoted(struct buf *, struct span, unsigned escape);

/* Append seconds since 1970.  format_put_time writes six digits after the
 * point, rounded as a double is; format_put_exact_time writes all nine. */
void format_put_time(struct buf *, int64_t time_ns);
void format_put_exact_time(struct buf *, int64_t time_ns);

#endif
