/* SPDX-License-Identifier: Apache-2.0 */
#include "parse/time_parts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "parse/zone.h"

struct time_cursor {
	const char *at;
	const char *end;
};

static bool at_digit(const struct time_cursor *c)
{
	return c->at < c->end && isdigit((unsigned char)*c->at);
}

static void skip_blanks(struct time_cursor *c)
{
	while (c->at < c->end && isspace((unsigned char)*c->at))
		c->at++;
}

static bool take(struct time_cursor *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

static bool take_word(struct time_cursor *c, const char *word)
{
	size_t len = strlen(word);
	if ((size_t)(c->end - c->at) < len ||
	    strncasecmp(c->at, word, len) != 0)
		return false;
	c->at += len;
	return true;
}

/* Read at most as many digits as `high` has.  *value is set if the number is
 * within low..high. */
static bool read_number(struct time_cursor *c, int low, int high, int *value)
{
	int v = 0;
	const char *start = c->at;
	for (int room = high; room > 0 && at_digit(c) && v * 10 <= high;
	     room /= 10)
		v = v * 10 + (*c->at++ - '0');
	if (c->at == start || v < low || v > high)
		return false;
	*value = v;
	return true;
}

/* Find the index of the name at the cursor, in full or by its first three
 * letters. */
static bool read_name(struct time_cursor *c, const char *const names[],
		      int count, int *index)
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

static bool read_month(struct time_cursor *c, int *month)
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

static bool read_weekday(struct time_cursor *c)
{
	static const char *const names[] = {
		"Sunday",   "Monday", "Tuesday",  "Wednesday",
		"Thursday", "Friday", "Saturday",
	};
	int ignored;
	return read_name(c, names, 7, &ignored);
}

/* Convert through a double and truncate, as Fluent Bit does: .000065 s are
 * 64999 ns. */
static bool read_fraction(struct time_cursor *c, int64_t *fraction_ns)
{
	int64_t digits = 0;
	int64_t unit = 1;
	for (; at_digit(c) && unit < NS_PER_S; c->at++) {
		digits = digits * 10 + (*c->at - '0');
		unit *= 10;
	}
	*fraction_ns = (int64_t)((double)digits / (double)unit * NS_PER_S);
	return unit > 1;
}

static bool read_epoch(struct time_cursor *c, int64_t *epoch_s)
{
	int64_t v = 0;
	int count = 0;
	for (; count < 12 && at_digit(c); count++)
		v = v * 10 + (*c->at++ - '0');
	*epoch_s = v;
	return count > 0 && !at_digit(c);
}

static struct span rest_of(const struct time_cursor *c)
{
	return span_make(c->at, (size_t)(c->end - c->at));
}

static bool read_offset(struct time_cursor *c, struct time_parts *p)
{
	size_t len = zone_read_offset(rest_of(c), &p->offset_s);
	c->at += len;
	p->has_offset = len > 0;
	return p->has_offset;
}

static bool read_zone_name(const struct time_parts_opts *o,
			   struct time_cursor *c, struct time_parts *p)
{
	size_t len = zone_read_name(o->own_names, rest_of(c), &p->offset_s);
	if (len > 0) {
		p->has_offset = true;
		c->at += len;
		return true;
	}
	const char *start = c->at;
	while (o->takes_any_name && c->at < c->end &&
	       isalpha((unsigned char)*c->at))
		c->at++;
	return c->at > start;
}

static bool read_half_day(struct time_cursor *c, struct time_parts *p)
{
	bool is_pm = take_word(c, "PM");
	if ((!is_pm && !take_word(c, "AM")) || p->hour > 12)
		return false;
	p->hour = p->hour % 12 + (is_pm ? 12 : 0);
	return true;
}

/* Skip %G, the year of an ISO week, which is not used. */
static bool skip_digits(struct time_cursor *c)
{
	const char *start = c->at;
	while (at_digit(c))
		c->at++;
	return c->at > start;
}

static bool read_date(char conversion, struct time_cursor *c,
		      struct time_parts *p)
{
	int ignored;
	switch (conversion) {
	case 'Y':
		p->has_year_of_many = false;
		p->has_year = read_number(c, 0, 9999, &p->year);
		return p->has_year;
	case 'y':
		p->has_year_of_many = read_number(c, 0, 99, &p->year_of_many);
		return p->has_year_of_many;
	case 'C':
		p->has_century = read_number(c, 0, 99, &p->century);
		return p->has_century;
	case 'm':
		return read_number(c, 1, 12, &p->month);
	case 'b':
		return read_month(c, &p->month);
	case 'e':
		if (c->at < c->end && isspace((unsigned char)*c->at))
			c->at++;
		return read_number(c, 1, 31, &p->day);
	case 'd':
		return read_number(c, 1, 31, &p->day);
	case 'j':
		return read_number(c, 1, 366, &p->day_of_year);
	case 'a':
		return read_weekday(c);
	case 'u':
		return read_number(c, 1, 7, &ignored);
	case 'w':
		return read_number(c, 0, 6, &ignored);
	case 'g':
		return read_number(c, 0, 99, &ignored);
	case 'G':
		return skip_digits(c);
	default: /* U V W: weeks */
		return read_number(c, 0, 53, &ignored);
	}
}

static bool read_conversion(const struct time_parts_opts *o, char conversion,
			    struct time_cursor *c, struct time_parts *p)
{
	switch (conversion) {
	case 'H':
		return read_number(c, 0, 23, &p->hour);
	case 'I':
		return read_number(c, 1, 12, &p->hour);
	case 'p':
		return read_half_day(c, p);
	case 'M':
		return read_number(c, 0, 59, &p->minute);
	case 'S':
		return read_number(c, 0, 60, &p->second);
	case 'L':
		return read_fraction(c, &p->fraction_ns);
	case 's':
		p->has_epoch = read_epoch(c, &p->epoch_s);
		return p->has_epoch;
	case 'z':
		skip_blanks(c);
		return read_offset(c, p);
	case 'Z':
		return read_zone_name(o, c, p);
	case '%':
		return take(c, '%');
	default:
		return read_date(conversion, c, p);
	}
}

static bool read_parts(const struct time_parts_opts *o, struct time_cursor *c,
		       struct time_parts *p)
{
	for (const char *at = o->format; *at != '\0'; at++) {
		if (isspace((unsigned char)*at))
			skip_blanks(c);
		else if (*at != '%' && !take(c, *at))
			return false;
		else if (*at == '%' && !read_conversion(o, *++at, c, p))
			return false;
	}
	return true;
}

/* The year of %y, with %C or by POSIX: 69 to 99 are 1969 to 1999. */
static void settle_year(struct time_parts *p)
{
	if (!p->has_year_of_many)
		return;
	int century = p->year_of_many < 69 ? 20 : 19;
	if (p->has_century)
		century = p->century;
	p->has_year = true;
	p->year = century * 100 + p->year_of_many;
}

bool time_parts_read(const struct time_parts_opts *o, struct span text,
		     struct time_parts *p)
{
	struct time_cursor c = {text.ptr, text.ptr + text.len};
	if (o->skips_blanks)
		skip_blanks(&c);
	bool fits = read_parts(o, &c, p);
	settle_year(p);
	return fits;
}
