/* SPDX-License-Identifier: Apache-2.0 */
/* format_text - values as the text formats write them, byte for byte as
 * msgpack's printer does, which Fluent Bit uses:
 *
 *     5   1.500000   true   nil   "text"   [1, "x"]   {"k"=>"v", "n"=>nil}
 *
 * Text between quotes is written unchanged, except for control characters
 * (enum format_escape). */
#ifndef OUTPUT_FORMAT_TEXT_H
#define OUTPUT_FORMAT_TEXT_H

#include <stdint.h>

#include "base/span.h"

struct buf;
struct value;

enum format_escape {
	FORMAT_RAW,    /* nothing is escaped */
	FORMAT_LINE,   /* control characters: \n, \t, \u001b ... */
	FORMAT_COLUMN, /* these, and a quote is doubled (RFC 4180) */
};

/* Append bytes, without quotes around them. */
void format_put_text(struct buf *, struct span, enum format_escape);

/* Append a value; strings have quotes. */
void format_put_value(struct buf *, const struct value *, enum format_escape);

/* Append a string in quotes. */
void format_put_quoted(struct buf *, struct span, enum format_escape);

/* Append seconds since 1970: with six digits after the point, rounded as a
 * double is, or exactly, with nine digits. */
void format_put_time(struct buf *, int64_t time_ns);
void format_put_exact_time(struct buf *, int64_t time_ns);

#endif
