/* SPDX-License-Identifier: Apache-2.0 */
/* time_format - read a time as strptime does, with Fluent Bit's additions.
 *
 *     %b %d %H:%M:%S      Nov  1 23:59:58        no year, no zone
 *     %Y-%m-%dT%H:%M:%S.%L%z                     %L: 1 to 9 digits
 *
 * What the text does not say is decided here and nowhere else:
 * - no year: the year in which the time lies nearest to `now_ns` (a line of
 *   31 December read on 1 January is last year's); no date: the nearest day;
 * - no zone: the offset or the zone of the opts when given, else the zone of
 *   TZ as the process was started with, else (TZ unset or empty) UTC.
 * A format that ends in %SZ or %LZ says UTC.  %Z takes a name of TZ's zone and
 * the well-known ones; any other only where the opts have an offset.
 * The last few texts (the lines of a second, of some dates) are answered from
 * a cache.
 * Text behind the format's end is ignored, as in Fluent Bit. */
#ifndef PARSE_TIME_FORMAT_H
#define PARSE_TIME_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct time_format;

/* Where the text has no zone and the opts have none either. */
enum time_local {
	TIME_LOCAL_TZ,	   /* the zone of TZ when it is set, else UTC */
	TIME_LOCAL_SYSTEM, /* the system's zone */
	TIME_LOCAL_UTC,
};

struct time_format_opts {
	const char *format;
	bool has_offset;  /* Time_Offset was set */
	int32_t offset_s; /* east of UTC */
	const char *zone; /* Time_Zone, an IANA name, or NULL */
	enum time_local local;
	/* Time_Strict off: a text that fits up to its date or further is
	 * taken as far as it fits. */
	bool is_lenient;
};

/* NULL when the format has a conversion that is not known, or the zone is
 * not. */
struct time_format *time_format_new(const struct time_format_opts *,
				    struct err *);
void time_format_free(struct time_format *);

/* False when the text does not fit; *time_ns is then unchanged. */
bool time_format_read(struct time_format *, struct span text, int64_t now_ns,
		      int64_t *time_ns) MUST_USE;

/* "+0900", "-05:30" or "Z" to seconds east of UTC. */
bool time_offset_read(struct span text, int32_t *offset_s) MUST_USE;

#endif
