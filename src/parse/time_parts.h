/* SPDX-License-Identifier: Apache-2.0 */
/* time_parts - reads the parts of a time from a text, number by number.
 *
 * It does not choose the year, the date or the zone of a text that leaves them
 * out; time_format.c does (resolve).
 *
 * It knows strptime's conversions and reads as Fluent Bit does: a number has at
 * most as many digits as its greatest value; only a blank in the format, %e and
 * %z skip blanks; a name is English, in full or its first three letters,
 * ignoring case. */
#ifndef PARSE_TIME_PARTS_H
#define PARSE_TIME_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

/* The conversions read here; the others are expanded to these first. */
#define TIME_CONVERSIONS "YyCmbdejauwgGUVWHIpMSLszZ%"

struct zone_names;

struct time_parts {
	int year, month, day;	   /* month and day from 1; 0: not given */
	int day_of_year;	   /* from 1; 0: not given */
	int century, year_of_many; /* %C and %y; year has the result */
	int hour, minute, second;
	bool has_year, has_year_of_many, has_century;
	bool has_offset;
	bool has_epoch;
	int32_t offset_s;
	int64_t epoch_s;
	int64_t fraction_ns;
};

struct time_parts_opts {
	const char *format;
	bool skips_blanks;		    /* before the text */
	bool takes_any_name;		    /* %Z: accept unknown names */
	const struct zone_names *own_names; /* %Z: of TZ's zone, or NULL */
};

/* *parts must be zero.  False if the text does not fit; *parts then has the
 * parts read so far. */
bool time_parts_read(const struct time_parts_opts *, struct span text,
		     struct time_parts *) MUST_USE;

#endif
