/* SPDX-License-Identifier: Apache-2.0 */
#include "parse/time_format.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "parse/time_parts.h"
#include "parse/zone.h"

enum {
	CACHED_BYTES_MAX = 64,
	/* Lines of several dates or seconds may alternate. */
	CACHED_TEXTS = 8,
	S_PER_DAY = 86400,
};

struct cached {
	size_t len;   /* 0: unused */
	int64_t hour; /* of now_ns, which decides the year and day */
	int64_t ns;
	char text[CACHED_BYTES_MAX];
};

struct time_format {
	char *format; /* expanded for time_parts */
	bool has_offset;
	bool is_local; /* times without a zone are in the zone of TZ */
	bool is_lenient;
	bool skips_blanks; /* before the text */
	int32_t offset_s;
	struct zone *zone;	     /* or NULL */
	struct zone_names own_names; /* of TZ's zone, if is_local */

	struct cached cached[CACHED_TEXTS];
	unsigned last; /* the entry found last */
	unsigned next; /* the entry to replace next */
};

/* Days since 1970-01-01 of a proleptic Gregorian date.  A year begins in March
 * here, so that the leap day is its last. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t century4 = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_400 = y - century4 * 400;
	int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
	int64_t day_of_400 = year_of_400 * 365 + year_of_400 / 4 -
			     year_of_400 / 100 + day_of_year;
	return century4 * 146097 + day_of_400 - 719468;
}

/* Seconds since 1970.  A day beyond the end of its month counts into the next
 * one, in mktime and in days_of. */
static int64_t seconds_of(const struct time_format *f,
			  const struct time_parts *p, int year)
{
	int month = p->month, day = p->day;
	if (p->day_of_year != 0) {
		month = 1;
		day = p->day_of_year;
	}
	if (!p->has_offset && !f->has_offset && f->is_local) {
		struct tm tm = {
			.tm_year = year - 1900,
			.tm_mon = month - 1,
			.tm_mday = day,
			.tm_hour = p->hour,
			.tm_min = p->minute,
			.tm_sec = p->second,
			.tm_isdst = -1,
		};
		return mktime(&tm);
	}
	int64_t wall_s = days_of(year, month, day) * S_PER_DAY +
			 p->hour * 3600 + p->minute * 60 + p->second;
	if (!p->has_offset && f->zone != NULL)
		return zone_to_utc(f->zone, wall_s);
	return wall_s - (p->has_offset ? p->offset_s : f->offset_s);
}

/* The latest year that puts the time at most a day after now.  The sender's
 * clock or zone may be wrong by up to a day.  Apart from that, a time lies in
 * the past, because a line can arrive late but not early. */
static int64_t with_year(const struct time_format *f,
			 const struct time_parts *p, int this_year,
			 int64_t now_s)
{
	int year = this_year + 1;
	int64_t s;
	do
		s = seconds_of(f, p, year);
	while (s > now_s + S_PER_DAY && --year >= this_year - 1);
	return s;
}

static int64_t on_nearest_day(const struct time_format *f, struct time_parts *p,
			      const struct tm *today, int64_t now_s)
{
	int64_t nearest_s = 0, distance_s = INT64_MAX;
	p->month = today->tm_mon + 1;
	for (int i = -1; i <= 1; i++) {
		p->day = today->tm_mday + i;
		int64_t s = seconds_of(f, p, today->tm_year + 1900);
		int64_t d = s > now_s ? s - now_s : now_s - s;
		if (d < distance_s) {
			nearest_s = s;
			distance_s = d;
		}
	}
	return nearest_s;
}

/* Seconds since 1970.  seconds_of() chooses the zone. */
static int64_t resolve(const struct time_format *f, struct time_parts *p,
		       int64_t now_s)
{
	if (p->has_epoch)
		return p->epoch_s - f->offset_s;
	bool has_date = p->has_year || p->month != 0 || p->day != 0 ||
			p->day_of_year != 0;
	time_t now = (time_t)now_s;
	struct tm today;
	gmtime_r(&now, &today);
	if (!has_date)
		return on_nearest_day(f, p, &today, now_s);
	if (p->month == 0)
		p->month = 1;
	if (p->day == 0)
		p->day = 1;
	return p->has_year ? seconds_of(f, p, p->year)
			   : with_year(f, p, today.tm_year + 1900, now_s);
}

static const char *expansion_of(char conversion)
{
	switch (conversion) {
	case 'B':
	case 'h':
		return "%b";
	case 'A':
		return "%a";
	case 'k':
		return "%H";
	case 'l':
		return "%I";
	case 'T':
		return "%H:%M:%S";
	case 'R':
		return "%H:%M";
	case 'r':
		return "%I:%M:%S %p";
	case 'D':
		return "%m/%d/%y";
	case 'F':
		return "%Y-%m-%d";
	case 'c':
		return "%a %b %e %H:%M:%S %Y";
	case 'x':
		return "%m/%d/%y";
	case 'X':
		return "%H:%M:%S";
	case 'n':
	case 't':
		return " ";
	default:
		return NULL;
	}
}

static bool expand(const char *format, struct buf *out, struct err *e)
{
	for (const char *at = format; *at != '\0'; at++) {
		if (*at != '%') {
			buf_put_char(out, *at);
			continue;
		}
		char conversion = *++at;
		/* E and O ask for another form, which the C locale lacks. */
		if (conversion == 'E' || conversion == 'O')
			conversion = *++at;
		const char *expansion = expansion_of(conversion);
		if (expansion != NULL) {
			buf_put_text(out, expansion);
		} else if (conversion != '\0' &&
			   strchr(TIME_CONVERSIONS, conversion) != NULL) {
			buf_put_char(out, '%');
			buf_put_char(out, conversion);
		} else {
			return err_set(e,
				       "time format \"%s\": %%%.1s is not "
				       "known; known are %%Y %%y %%C %%m %%b "
				       "%%B %%h %%d %%e %%j %%a %%A %%u %%w "
				       "%%H %%k %%I %%l %%p %%M %%S %%L %%s "
				       "%%z %%Z %%T %%R %%r %%D %%F %%c %%x "
				       "%%X %%g %%G %%U %%V %%W %%n %%t %%%%",
				       format, at);
		}
	}
	return true;
}

/* To strptime, a Z at the end is only a letter, but in practice it means UTC.
 */
static bool ends_in_utc(const char *format)
{
	size_t len = strlen(format);
	return len >= 3 && (strcmp(format + len - 3, "%SZ") == 0 ||
			    strcmp(format + len - 3, "%LZ") == 0);
}

/* If the format has no year, Fluent Bit puts "2026 " before the text and
 * therefore skips blanks. */
static bool says_year(const char *format)
{
	return strstr(format, "%Y") != NULL || strstr(format, "%y") != NULL ||
	       strstr(format, "%s") != NULL;
}

struct time_format *time_format_new(const struct time_format_opts *opts,
				    struct err *e)
{
	struct time_format *f = mem_new(1, sizeof *f);
	struct buf format = {0};
	if (!expand(opts->format, &format, e))
		goto fail;
	f->format = mem_text(buf_text(&format));
	f->has_offset = opts->has_offset;
	f->offset_s = opts->has_offset ? opts->offset_s : 0;
	f->is_lenient = opts->is_lenient;
	f->skips_blanks = !says_year(opts->format);
	if (ends_in_utc(f->format)) {
		f->has_offset = true;
		f->offset_s = 0;
	} else if (opts->zone != NULL) {
		f->zone = zone_new(opts->zone, e);
		if (f->zone == NULL)
			goto fail;
	} else {
		const char *tz = getenv("TZ");
		f->is_local = opts->local == TIME_LOCAL_SYSTEM ||
			      (opts->local == TIME_LOCAL_TZ && tz != NULL &&
			       *tz != '\0');
		tzset();
		if (f->is_local)
			zone_names_init(&f->own_names,
					clock_real_ns() / NS_PER_S);
	}
	buf_fini(&format);
	return f;
fail:
	buf_fini(&format);
	time_format_free(f);
	return NULL;
}

void time_format_free(struct time_format *f)
{
	if (f == NULL)
		return;
	zone_free(f->zone);
	free(f->format);
	free(f);
}

/* Whether the text fits the format.  With Time_Strict off, it need fit only up
 * to its date. */
static bool fits(const struct time_format *f, struct span text,
		 struct time_parts *p)
{
	const struct time_parts_opts opts = {
		.format = f->format,
		.skips_blanks = f->skips_blanks,
		.takes_any_name = f->has_offset,
		.own_names = f->is_local ? &f->own_names : NULL,
	};
	bool ok = time_parts_read(&opts, text, p);
	return ok || (f->is_lenient &&
		      (p->has_epoch || (p->month != 0 && p->day != 0)));
}

static bool is_cached(const struct cached *c, struct span text, int64_t hour)
{
	return text.len == c->len && hour == c->hour &&
	       memcmp(text.ptr, c->text, text.len) == 0;
}

/* Start with the entry found last: mostly it is the same text again. */
static const struct cached *recall(struct time_format *f, struct span text,
				   int64_t hour)
{
	for (unsigned i = 0; i < CACHED_TEXTS; i++) {
		unsigned at = (f->last + i) % CACHED_TEXTS;
		if (is_cached(&f->cached[at], text, hour)) {
			f->last = at;
			return &f->cached[at];
		}
	}
	return NULL;
}

static void remember(struct time_format *f, struct span text, int64_t hour,
		     int64_t ns)
{
	if (text.len > CACHED_BYTES_MAX)
		return;
	struct cached *c = &f->cached[f->next];
	memcpy(c->text, text.ptr, text.len);
	c->len = text.len;
	c->hour = hour;
	c->ns = ns;
	f->last = f->next;
	f->next = (f->next + 1) % CACHED_TEXTS;
}

bool time_format_read(struct time_format *f, struct span text, int64_t now_ns,
		      int64_t *time_ns)
{
	int64_t now_s = now_ns / NS_PER_S;
	int64_t hour = now_s / 3600;
	if (text.len == 0)
		return false;
	const struct cached *known = recall(f, text, hour);
	if (known != NULL) {
		*time_ns = known->ns;
		return true;
	}
	struct time_parts p = {0};
	int64_t ns;
	if (!fits(f, text, &p) ||
	    __builtin_mul_overflow(resolve(f, &p, now_s), NS_PER_S, &ns) ||
	    __builtin_add_overflow(ns, p.fraction_ns, &ns))
		return false;
	remember(f, text, hour, ns);
	*time_ns = ns;
	return true;
}

bool time_offset_read(struct span text, int32_t *offset_s)
{
	int32_t s;
	if (text.len == 0 || zone_read_offset(text, &s) != text.len ||
	    abs(s) >= S_PER_DAY)
		return false;
	*offset_s = s;
	return true;
}
