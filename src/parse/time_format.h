/* SPDX-License-Identifier: Apache-2.0 */
/* time_format - reads a time as strptime does, with Fluent Bit's additions.
 *
 *     %b %d %H:%M:%S      Nov  1 23:59:58        no year, no zone
 *     %Y-%m-%dT%H:%M:%S.%L%z                     %L: 1 to 9 digits
 *
 * If a text leaves out the year, the date or the zone, only this module decides
 * which one is meant:
 * - without a year: the latest year that puts the time at most one day after
 *   `now_ns`, so a line of 31 December read on 1 January belongs to last year;
 *   without a date: the nearest day;
 * - without a zone: the offset or zone of the opts; without these, the zone
 *   that `local` of the opts chooses.  A format that ends in %SZ or %LZ means
 *   UTC.  %Z accepts the names of TZ's zone and well-known ones; each is a zone
 *   in the text.  It accepts other names only if the opts have an offset, which
 *   then applies.
 *
 * Text after the end of the format is ignored, as in Fluent Bit.  The results
 * for the last few texts are cached. */
#ifndef PARSE_TIME_FORMAT_H
#define PARSE_TIME_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct time_format;

/* The zone if neither the text nor the opts have one. */
enum time_local {
	TIME_LOCAL_TZ,	   /* the zone of TZ if TZ is set, otherwise UTC */
	TIME_LOCAL_SYSTEM, /* the system's zone */
	TIME_LOCAL_UTC,
};

struct time_format_opts {
	const char *format;
	bool has_offset;  /* Time_Offset was set */
	int32_t offset_s; /* east of UTC */
	const char *zone; /* Time_Zone, an IANA name, or NULL */
	enum time_local local;
	/* Time_Strict off: a text that fits at least up to its date is read as
	 * far as it fits. */
	bool is_lenient;
};

/* NULL if the format has an unknown conversion or the zone is unknown. */
struct time_format *time_format_new(const struct time_format_opts *,
				    struct err *);

/* NULL is allowed. */
void time_format_free(struct time_format *);

/* False if the text does not fit; *time_ns is then unchanged. */
bool time_format_read(struct time_format *, struct span text, int64_t now_ns,
		      int64_t *time_ns) MUST_USE;

/* Read "+0900", "-05:30" or "Z" as seconds east of UTC. */
bool time_offset_read(struct span text, int32_t *offset_s) MUST_USE;

#endif
