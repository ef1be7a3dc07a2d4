/* SPDX-License-Identifier: Apache-2.0 */
/* zone - offsets from UTC, read from a text or from the system's tzdata.
 *
 *     +0900  -05:30  +09  Z  GMT  EST        an offset, as %z reads it
 *     CEST  JST  AKDT  K                     a name, as %Z reads it
 *     Europe/Berlin                          a zone with daylight saving time
 *
 * zone_new reads all changes of the offset from tzdata, so processing a message
 * never changes TZ. */
#ifndef PARSE_ZONE_H
#define PARSE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct zone;

/* Read an offset from the start of the text, as %z does.  Returns the number of
 * bytes read; 0 if the text does not begin with an offset.  *offset_s is in
 * seconds east of UTC, unchanged if the result is 0. */
size_t zone_read_offset(struct span text, int32_t *offset_s);

/* The names that TZ's zone uses, with their offsets: CET and CEST. */
struct zone_names {
	size_t count;
	struct zone_own_name {
		char text[16];
		int32_t offset_s;
	} list[4];
};

/* Find the names that TZ's zone uses in the year that begins at that time. */
void zone_names_init(struct zone_names *, int64_t from_s);

/* Read a name such as CEST, or a military letter such as K, as %Z does.  The
 * result is as for zone_read_offset.  `own`, unless NULL, takes precedence over
 * well-known names: in Shanghai, CST is 8 hours east of UTC.  UTC and GMT mean
 * UTC in every zone, even if TZ is a rule such as UTC-9. */
size_t zone_read_name(const struct zone_names *own, struct span text,
		      int32_t *offset_s);

/* Whether the C library understands this value of TZ: a zone or a file of
 * tzdata, a rule such as JST-9, or a name of UTC.  It takes any other text for
 * UTC, silently.  An empty text means UTC. */
bool zone_is_tz(const char *tz);

/* The zone with an IANA name; NULL if the system does not know it.  Call this
 * before any thread is started. */
struct zone *zone_new(const char *name, struct err *);

/* NULL is allowed. */
void zone_free(struct zone *);

/* Convert local time, in seconds since 1970 as if it were UTC, to UTC.  When
 * daylight saving time ends, an hour is repeated: a time in it is taken as the
 * first of the two.  When daylight saving time begins, an hour is skipped: for
 * a time in it, the result is off by at most that hour. */
int64_t zone_to_utc(const struct zone *, int64_t wall_s);

#endif
