/* SPDX-License-Identifier: Apache-2.0 */
/* zone - the distance of a clock from UTC: from a text, or of a place.
 *
 *     +0900  -05:30  +09  Z  GMT  EST        an offset, as %z reads it
 *     CEST  JST  AKDT  K                     a name, as %Z reads it
 *     Europe/Berlin                          a place, with its summer times
 *
 * The daylight saving times come from the system's tzdata.  They are read once,
 * when the zone is created, so processing a message never touches TZ. */
#ifndef PARSE_ZONE_H
#define PARSE_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct zone;

/* Read an offset from the start of the text.  The length read, or 0 for none;
 * *offset_s is in seconds east of UTC. */
size_t zone_read_offset(struct span text, int32_t *offset_s);
size_t zone_read_name(struct span text, int32_t *offset_s);

/* The zone with an IANA name; NULL if the system does not know it.  Call this
 * before any thread is started. */
struct zone *zone_new(const char *name, struct err *);
void zone_free(struct zone *);

/* Convert local time, in seconds since 1970 as if it were UTC, to UTC.  In the
 * hour that is repeated when daylight saving time ends, the first time is
 * meant; a time that is skipped when it begins uses the offset of about that
 * time. */
int64_t zone_to_utc(const struct zone *, int64_t wall_s);

#endif
