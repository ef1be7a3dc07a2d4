/* SPDX-License-Identifier: Apache-2.0 */
/* zone - how far a clock is from UTC: as a text says it, or as a place has it.
 *
 *     +0900  -05:30  +09  Z  GMT  EST        an offset, as %z reads it
 *     CEST  JST  AKDT  K                     a name, as %Z reads it
 *     Europe/Berlin                          a place, with its summer times
 *
 * The summer times are the system's (tzdata), asked for once when the zone is
 * made: nothing on the way of a message touches TZ. */
#ifndef PARSE_ZONE_H
#define PARSE_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct zone;

/* The length of what was read from the start of the text, 0 for nothing; then
 * *offset_s, east of UTC, is set. */
size_t zone_read_offset(struct span text, int32_t *offset_s);
size_t zone_read_name(struct span text, int32_t *offset_s);

/* Of an IANA name; NULL when the system does not know it.  Call before there
 * are threads. */
struct zone *zone_new(const char *name, struct err *);
void zone_free(struct zone *);

/* Seconds since 1970 of a clock on the wall there, that itself is given as if
 * it were UTC.  Of two times (the hour that summer's end repeats) the first;
 * one that is left out is read with the offset of about that time. */
int64_t zone_to_utc(const struct zone *, int64_t wall_s);

#endif
