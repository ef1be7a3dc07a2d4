/* SPDX-License-Identifier: Apache-2.0 */
#include "record/time_format.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
	TEXT_BYTES_MAX = 63, /* Fluent Bit's bound too */
	S_PER_DAY = 86400,
};

struct time_format {
	char *format; /* of the conversions in read_conversion alone */
	bool has_offset;
	bool is_local; /* the zone of TZ, when nothing else says which */
	int32_t offset_s;

	size_t cached_len;   /* 0: nothing */
	int64_t cached_hour; /* of now: its year and day are part of it */
	int64_t cached_ns;
	char cached_text[TEXT_BYTES_MAX];
};

/* What the text says. */
struct parts {
	int year, month, day; /* month and day from 1; 0: not said */
	int day_of_year;      /* from 1; 0: not said */
	int hour, minute, second;
	int hour_of_12; /* 1..12; 0: not said */
	bool is_pm;
	bool has_year;
	bool has_offset;
	bool has_epoch;
	int32_t offset_s;
	int64_t epoch_s;
	int64_t fraction_ns;
};

struct cursor {
	const char *at;
	const char *end;
};

static bool at_digit(const struct cursor *c)
{
	return c->at < c->end && isdigit((unsigned char)*c->at);
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && isspace((unsigned char)*c->at))
		c->at++;
}

static bool take(struct cursor *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

static bool take_word(struct cursor *c, const char *word)
{
	size_t len = strlen(word);
	if ((size_t)(c->end - c->at) < len ||
	    strncasecmp(c->at, word, len) != 0)
		return false;
	c->at += len;
	return true;
}

/* At most `digits` of them, the value within low..high. */
static bool read_number(struct cursor *c, int digits, int low, int high,
			int *value)
{
	int v = 0, count = 0;
	for (; count < digits && at_digit(c); count++)
		v = v * 10 + (*c->at++ - '0');
	*value = v;
	return count > 0 && v >= low && v <= high;
}

/* The index of the name at the cursor, in full or its first three letters. */
static bool read_name(struct cursor *c, const char *const names[], int count,
		      int *index)
{
	for (int i = 0; i < count; i++) {
		if (take_word(c, names[i])) {
			*index = i;
			return true;
		}
		if (c->end - c->at >= 3 &&
		    strncasecmp(c->at, names[i], 3) == 0) {
			c->at += 3;
			*index = i;
			return true;
		}
	}
	return false;
}

static bool read_month(struct cursor *c, int *month)
{
	static const char *const names[] = {
		"January",   "February", "March",    "April",
		"May",	     "June",	 "July",     "August",
		"September", "October",	 "November", "December",
	};
	if (!read_name(c, names, 12, month))
		return false;
	++*month;
	return true;
}

static bool read_weekday(struct cursor *c)
{
	static const char *const names[] = {
		"Sunday",   "Monday", "Tuesday",  "Wednesday",
		"Thursday", "Friday", "Saturday",
	};
	int ignored;
	return read_name(c, names, 7, &ignored);
}

static bool read_fraction(struct cursor *c, int64_t *fraction_ns)
{
	int64_t unit_ns = NS_PER_S;
	*fraction_ns = 0;
	for (; at_digit(c) && unit_ns > 1; c->at++) {
		unit_ns /= 10;
		*fraction_ns += (*c->at - '0') * unit_ns;
	}
	return unit_ns < NS_PER_S && !at_digit(c);
}

static bool read_epoch(struct cursor *c, int64_t *epoch_s)
{
	int64_t v = 0;
	int count = 0;
	for (; count < 12 && at_digit(c); count++)
		v = v * 10 + (*c->at++ - '0');
	*epoch_s = v;
	return count > 0 && !at_digit(c);
}

/* ISO 8601 and the names of RFC 2822. */
static bool read_zone(struct cursor *c, int32_t *offset_s)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = {
		{"UTC", 0},  {"UT", 0},	  {"GMT", 0},  {"Z", 0},
		{"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5},
		{"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7},
	};
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		if (take_word(c, zones[i].name)) {
			*offset_s = zones[i].hours * 3600;
			return true;
		}
	}
	bool is_west = take(c, '-');
	if (!is_west && !take(c, '+'))
		return false;
	const char *start = c->at;
	int hours, minutes = 0;
	if (!read_number(c, 2, 0, 23, &hours) || c->at - start != 2)
		return false;
	bool has_colon = take(c, ':');
	start = c->at;
	if ((has_colon || at_digit(c)) &&
	    (!read_number(c, 2, 0, 59, &minutes) || c->at - start != 2))
		return false;
	*offset_s = (hours * 60 + minutes) * 60;
	if (is_west)
		*offset_s = -*offset_s;
	return true;
}

/* A name that is not in the list says nothing by itself: it is taken where
 * the configuration says the offset, or when it is a name of TZ's zone. */
static bool read_zone_name(const struct time_format *f, struct cursor *c,
			   struct parts *p)
{
	const char *start = c->at;
	if (read_zone(c, &p->offset_s) &&
	    (c->at == c->end || !isalpha((unsigned char)*c->at))) {
		p->has_offset = true;
		return true;
	}
	c->at = start;
	while (c->at < c->end && isalpha((unsigned char)*c->at))
		c->at++;
	size_t len = (size_t)(c->at - start);
	if (f->has_offset)
		return len > 0;
	for (int i = 0; f->is_local && i < 2; i++)
		if (strlen(tzname[i]) == len &&
		    memcmp(tzname[i], start, len) == 0)
			return true;
	return false;
}

static bool read_year(struct cursor *c, bool is_full, struct parts *p)
{
	if (is_full) {
		p->has_year = read_number(c, 4, 0, 9999, &p->year);
		return p->has_year;
	}
	p->has_year = read_number(c, 2, 0, 99, &p->year);
	p->year += p->year < 69 ? 2000 : 1900;
	return p->has_year;
}

static bool read_half_day(struct cursor *c, bool *is_pm)
{
	*is_pm = take_word(c, "PM");
	return *is_pm || take_word(c, "AM");
}

static bool read_conversion(const struct time_format *f, char conversion,
			    struct cursor *c, struct parts *p)
{
	if (strchr("dHIzZ", conversion) != NULL)
		skip_blanks(c);
	switch (conversion) {
	case 'Y':
	case 'y':
		return read_year(c, conversion == 'Y', p);
	case 'm':
		return read_number(c, 2, 1, 12, &p->month);
	case 'b':
		return read_month(c, &p->month);
	case 'd':
		return read_number(c, 2, 1, 31, &p->day);
	case 'j':
		return read_number(c, 3, 1, 366, &p->day_of_year);
	case 'a':
		return read_weekday(c);
	case 'H':
		return read_number(c, 2, 0, 23, &p->hour);
	case 'I':
		return read_number(c, 2, 1, 12, &p->hour_of_12);
	case 'p':
		return read_half_day(c, &p->is_pm);
	case 'M':
		return read_number(c, 2, 0, 59, &p->minute);
	case 'S':
		return read_number(c, 2, 0, 60, &p->second);
	case 'L':
		return read_fraction(c, &p->fraction_ns);
	case 's':
		p->has_epoch = read_epoch(c, &p->epoch_s);
		return p->has_epoch;
	case 'z':
		p->has_offset = read_zone(c, &p->offset_s);
		return p->has_offset;
	case 'Z':
		return read_zone_name(f, c, p);
	default: /* %% */
		return take(c, conversion);
	}
}

static bool read_parts(const struct time_format *f, struct cursor *c,
		       struct parts *p)
{
	for (const char *at = f->format; *at != '\0'; at++) {
		if (isspace((unsigned char)*at))
			skip_blanks(c);
		else if (*at != '%' && !take(c, *at))
			return false;
		else if (*at == '%' && !read_conversion(f, *++at, c, p))
			return false;
	}
	if (p->hour_of_12 != 0)
		p->hour = p->hour_of_12 % 12 + (p->is_pm ? 12 : 0);
	return true;
}

/* Days since 1970-01-01 of a proleptic Gregorian date; a year is counted from
 * March, so that the day that may be missing is its last. */
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

/* Seconds since 1970.  A day that its month lacks is one of the next month,
 * for mktime as for days_of. */
static int64_t seconds_of(const struct time_format *f, const struct parts *p,
			  int year)
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
	return days_of(year, month, day) * S_PER_DAY + p->hour * 3600 +
	       p->minute * 60 + p->second -
	       (p->has_offset ? p->offset_s : f->offset_s);
}

/* Without a year, or without any date, the nearest to now. */
static int64_t resolve(const struct time_format *f, struct parts *p,
		       int64_t now_s)
{
	if (p->has_epoch)
		return p->epoch_s;
	bool has_date = p->has_year || p->month != 0 || p->day != 0 ||
			p->day_of_year != 0;
	time_t now = (time_t)now_s;
	struct tm today;
	gmtime_r(&now, &today);
	if (!has_date)
		p->month = today.tm_mon + 1;
	if (p->month == 0)
		p->month = 1;
	if (p->day == 0)
		p->day = 1;
	if (p->has_year)
		return seconds_of(f, p, p->year);

	int64_t nearest_s = 0, distance_s = INT64_MAX;
	for (int i = -1; i <= 1; i++) {
		int year = today.tm_year + 1900 + (has_date ? i : 0);
		if (!has_date)
			p->day = today.tm_mday + i;
		int64_t s = seconds_of(f, p, year);
		int64_t d = s > now_s ? s - now_s : now_s - s;
		if (d < distance_s) {
			nearest_s = s;
			distance_s = d;
		}
	}
	return nearest_s;
}

static const char *expansion_of(char conversion)
{
	switch (conversion) {
	case 'B':
	case 'h':
		return "%b";
	case 'A':
		return "%a";
	case 'e':
		return "%d";
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
		const char *expansion = expansion_of(conversion);
		if (expansion != NULL) {
			buf_put_text(out, expansion);
		} else if (conversion != '\0' &&
			   strchr("YymbdjaHIpMSLszZ%", conversion) != NULL) {
			buf_put_char(out, '%');
			buf_put_char(out, conversion);
		} else {
			return err_set(e,
				       "time format \"%s\": %%%.1s is not "
				       "known; there are %%Y %%y %%m %%b %%B "
				       "%%h %%d %%e %%j %%a %%A %%H %%k %%I "
				       "%%l %%p %%M %%S %%L %%s %%z %%Z %%T "
				       "%%R %%r %%D %%F %%n %%t %%%%",
				       format, at);
		}
	}
	return true;
}

/* A Z at the end is a letter to strptime, and UTC to everybody else. */
static bool ends_in_utc(const char *format)
{
	size_t len = strlen(format);
	return len >= 3 && (strcmp(format + len - 3, "%SZ") == 0 ||
			    strcmp(format + len - 3, "%LZ") == 0);
}

struct time_format *time_format_new(const struct time_format_opts *opts,
				    struct err *e)
{
	struct buf format = {0};
	if (!expand(opts->format, &format, e)) {
		buf_fini(&format);
		return NULL;
	}
	struct time_format *f = mem_new(1, sizeof *f);
	f->format = mem_text(buf_text(&format));
	buf_fini(&format);
	f->has_offset = opts->has_offset;
	f->offset_s = opts->has_offset ? opts->offset_s : 0;
	if (ends_in_utc(f->format)) {
		f->has_offset = true;
		f->offset_s = 0;
	}
	const char *tz = getenv("TZ");
	f->is_local = tz != NULL && *tz != '\0';
	tzset();
	return f;
}

void time_format_free(struct time_format *f)
{
	if (f == NULL)
		return;
	free(f->format);
	free(f);
}

bool time_format_read(struct time_format *f, struct span text, int64_t now_ns,
		      int64_t *time_ns)
{
	int64_t now_s = now_ns / NS_PER_S;
	int64_t hour = now_s / 3600;
	if (text.len == 0 || text.len > TEXT_BYTES_MAX)
		return false;
	if (text.len == f->cached_len && hour == f->cached_hour &&
	    memcmp(text.ptr, f->cached_text, text.len) == 0) {
		*time_ns = f->cached_ns;
		return true;
	}
	struct cursor c = {text.ptr, text.ptr + text.len};
	struct parts p = {0};
	int64_t ns;
	if (!read_parts(f, &c, &p) ||
	    __builtin_mul_overflow(resolve(f, &p, now_s), NS_PER_S, &ns) ||
	    __builtin_add_overflow(ns, p.fraction_ns, &ns))
		return false;
	memcpy(f->cached_text, text.ptr, text.len);
	f->cached_len = text.len;
	f->cached_hour = hour;
	f->cached_ns = ns;
	*time_ns = ns;
	return true;
}

bool time_offset_read(struct span text, int32_t *offset_s)
{
	if (text.len == 0)
		return false;
	struct cursor c = {text.ptr, text.ptr + text.len};
	int32_t s;
	if (!read_zone(&c, &s) || c.at != c.end)
		return false;
	*offset_s = s;
	return true;
}
