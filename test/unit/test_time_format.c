/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "parse/time_format.h"

static const char syslog_format[] = "%b %d %H:%M:%S";

/* 2026-11-20T12:00:00Z */
static const int64_t november_s = 1795176000;

static void use_zone(const char *tz)
{
	if (tz != NULL)
		setenv("TZ", tz, 1);
	else
		unsetenv("TZ");
	tzset();
}

static struct time_format *make(const char *format)
{
	struct err e = {0};
	struct time_format_opts opts = {.format = format};
	struct time_format *f = time_format_new(&opts, &e);
	if (f == NULL)
		fail_msg("%s: %s", format, e.text);
	return f;
}

static int64_t read_ns(struct time_format *f, const char *text, int64_t now_s)
{
	int64_t ns = -1;
	if (!time_format_read(f, span_of(text), now_s * NS_PER_S, &ns))
		fail_msg("\"%s\" was not read", text);
	return ns;
}

struct reading {
	const char *format, *text;
	int64_t s, ns;
};

static void check_readings(const struct reading *r, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct time_format *f = make(r[i].format);
		int64_t ns = read_ns(f, r[i].text, november_s);
		if (ns != r[i].s * NS_PER_S + r[i].ns)
			fail_msg("%s as %s: %lld", r[i].text, r[i].format,
				 (long long)ns);
		time_format_free(f);
	}
}

static void a_time_is_read_as_its_format_says(void **state)
{
	(void)state;
	static const struct reading cases[] = {
		{"%b %d %H:%M:%S", "Nov 20 23:59:58", 1795219198, 0},
		{"%b %d %H:%M:%S", "Nov  1 01:02:03", 1793494923, 0},
		{"%b %d %H:%M:%S", "nov 1 01:02:03", 1793494923, 0},
		{"%B %e %T", "NOVEMBER  1 01:02:03", 1793494923, 0},
		{"%h%e %R:%S", "Nov 1 01:02:03", 1793494923, 0},
		{"%b %d %T", "Nov 20 23:59:58 junk", 1795219198, 0},
		{"%b %d %T", "Nov 31 01:02:03", 1764550923, 0},
		{"%b %d %T", "Nov 20 01:02:60", 1795136580, 0},
		{"%Y-%m-%d %T", "2027-02-29 00:00:00", 1803859200, 0},
		{"%Y-%m-%d %T", "2024-02-29 00:00:00", 1709164800, 0},
		{"%F %T", "1969-12-31 23:59:59", -1, 0},
		{"%F %T", "1677-09-22 00:00:00", -9223286400, 0},
		{"%D %T", "07/18/17 00:00:00", 1500336000, 0},
		{"%d/%b/%Y:%H:%M:%S %z", "18/Jul/2017:01:47:03 +0530",
		 1500322623, 0},
		{"%m/%d/%Y %H:%M:%S %z", "07/18/2017 01:47:03 +0530",
		 1500322623, 0},
		{"%m/%d/%Y %H:%M:%S %z", "07/18/2017 05:17:03 +0900",
		 1500322623, 0},
		{"%FT%T.%L%z", "2026-01-02T03:04:05.5Z", 1767323045, 500000000},
		{"%FT%T.%LZ", "2026-01-02T03:04:05.123456789Z", 1767323045,
		 123456789},
		{"%FT%T%z", "2026-01-02T03:04:05-05:30", 1767342845, 0},
		{"%FT%T%z", "2026-01-02T03:04:05 +09", 1767290645, 0},
		{"%FT%T %Z", "2026-01-02T03:04:05 PDT", 1767348245, 0},
		{"%a, %d %b %Y %T %Z", "Fri, 02 Jan 2026 03:04:05 GMT",
		 1767323045, 0},
		{"%A %d %B %y %I:%M:%S %p", "friday 2 january 26 12:04:05 am",
		 1767312245, 0},
		{"%Y %j %l.%M %p", "2026 033 3.00 PM", 1770044400, 0},
		{"%s", "1795219198.5", 1795219198, 0},
		{"%s.%L", "1795219198.25", 1795219198, 250000000},
		{"100%% %Y", "100% 2026", 1767225600, 0},
		{"%Y%n%m%t%d", "2026 \t1\n2", 1767312000, 0},
		{"%Y%m%d", "20260102", 1767312000, 0},
		{"%y", "69", -31536000, 0},
		{"%T", "13:00:00", 1795179600, 0},
		{"%b %d %T", "  Nov  1 01:02:03", 1793494923, 0},
		{"%F %T", " 2026-01-02 03:04:05", 1767323045, 0},
		/* ten digits: the last one is beyond nanoseconds */
		{"%F %T.%L", "2026-01-02 03:04:05.0123456789", 1767323045,
		 12345678},
		{"%c", "Fri Jan  2 03:04:05 2026", 1767323045, 0},
		{"%x %X", "01/02/26 03:04:05", 1767323045, 0},
		{"%C%y-%m-%d", "1969-12-31", -86400, 0},
		{"%Ey-%Om-%d", "26-01-02", 1767312000, 0},
		{"%u %w %V %U %W %g %G %F", "5 5 01 00 00 26 2026 2026-01-02",
		 1767312000, 0},
		{"%H %p %F", "3 PM 2026-01-02", 1767366000, 0},
		{"%I %p %F", "12 PM 2026-01-02", 1767355200, 0},
		{"%F %T %Z", "2026-01-02 03:04:05 JST", 1767290645, 0},
		{"%F %T %Z", "2026-01-02 03:04:05 nst", 1767335645, 0},
		{"%F %T %Z", "2026-01-02 03:04:05 R", 1767341045, 0},
		{"%F %T %Z", "2026-01-02 03:04:05 M", 1767279845, 0},
		{"%F %T %Z", "2026-01-02 03:04:05 UTC+1", 1767323045, 0},
		{"%F %T %z", "2026-01-02 03:04:05 +0960", 1767287045, 0},
	};
	use_zone(NULL);
	check_readings(cases, sizeof cases / sizeof *cases);
}

static void a_text_that_does_not_match_changes_nothing(void **state)
{
	(void)state;
	static const struct {
		const char *format, *text;
	} cases[] = {
		{"%b %d %T", "Bad 99 01:02:03"},
		{"%b %d %T", "Nov 32 01:02:03"},
		{"%b %d %T", "Nov 0 01:02:03"},
		{"%b %d %T", "Nov 20 24:00:00"},
		{"%b %d %T", "Nov 20 00:60:00"},
		{"%b %d %T", "Nov 20 00:00:61"},
		{"%b %d %T", "Nov 20 00:00"},
		{"%b %d %T", "Nov 20 00:00:"},
		{"%b %d %T", ""},
		{"%b %d %T", "No"},
		{"%T.%LZ", "01:02:03.0123456789Z"},
		{"%T.%L", "01:02:03."},
		{"%F %T %z", "2026-01-02 03:04:05"},
		{"%F %T %z", "2026-01-02 03:04:05 JST"},
		{"%F %T %z", "2026-01-02 03:04:05 +9"},
		{"%F %T %z", "2026-01-02 03:04:05 +096"},
		{"%F %T %Z", "2026-01-02 03:04:05 XYZT"},
		{"%F %T %Z", "2026-01-02 03:04:05 JSTX"},
		{"%F %T %Z", "2026-01-02 03:04:05 J"},
		{"%F %T %Z", "2026-01-02 03:04:05 "},
		{"%FT%T", "2026-01-02T 3:04:05"},
		{"%Y-%m-%d", " 2026-01-02"},
		{"%s", " 1795219198"},
		{"%H %p", "13 PM"},
		{"%u %Y", "0 2026"},
		{"%V %Y", "54 2026"},
		{"%G %Y", "x 2026"},
		{"%FT%T", "2026-01-02 03:04:05"},
		{"%I %p", "13 PM"},
		{"%I %p", "3 XM"},
		{"%s", "x"},
		{"%s", "1234567890123"},
		{"%s",
		 "999999999999"}, /* does not fit into int64 nanoseconds */
		{"%Y", "9999"},
		{"%F", "1677-09-21"},
		{"%F", "26-11-20"},
		{"%Y %j", "2026 367"},
	};
	use_zone(NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct time_format *f = make(cases[i].format);
		int64_t ns = 42;
		if (time_format_read(f, span_of(cases[i].text), 0, &ns))
			fail_msg("%s as %s was read", cases[i].text,
				 cases[i].format);
		assert_int_equal(ns, 42);
		time_format_free(f);
	}
}

static void a_text_of_any_length_is_read(void **state)
{
	(void)state;
	char text[200] = "1795219198";
	memset(text + 10, ' ', sizeof text - 10);
	struct time_format *f = make("%s");
	for (size_t len = 60; len <= sizeof text; len++) {
		int64_t ns;
		text[9] = (char)('0' + len % 10);
		assert_true(time_format_read(f, span_make(text, len), 0, &ns));
		assert_int_equal(ns / NS_PER_S, 1795219190 + (int)len % 10);
	}
	time_format_free(f);
}

static struct time_format *make_with(struct time_format_opts opts)
{
	struct err e = {0};
	struct time_format *f = time_format_new(&opts, &e);
	if (f == NULL)
		fail_msg("%s: %s", opts.format, e.text);
	return f;
}

static void a_lenient_format_accepts_a_prefix_with_the_date(void **state)
{
	(void)state;
	static const struct {
		const char *format, *text;
		int64_t s; /* 0: the text does not match */
	} cases[] = {
		{"%FT%T.%L%z", "2026-01-02T03:04:05", 1767323045},
		{"%FT%T.%L%z", "2026-01-02T03:04", 1767323040},
		{"%FT%T.%L%z", "2026-01-02T03:x", 1767322800},
		{"%FT%T.%L%z", "2026-01-02", 1767312000},
		{"%FT%T.%L%z", "2026-01", 0},
		{"%FT%T.%L%z", "soon", 0},
		{"%b %d %T", "Nov 20", 1795132800},
		{"%b %d %T", "Bad 99 01:02:03", 0},
		{"%s.%L", "1795219198", 1795219198},
		{"%T", "13:00", 0},
	};
	use_zone(NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct time_format *f = make_with((struct time_format_opts){
			.format = cases[i].format, .is_lenient = true});
		int64_t ns = 0;
		bool fits = time_format_read(f, span_of(cases[i].text),
					     november_s * NS_PER_S, &ns);
		if (fits != (cases[i].s != 0) || ns != cases[i].s * NS_PER_S)
			fail_msg("%s as %s: %lld", cases[i].text,
				 cases[i].format, (long long)ns);
		time_format_free(f);
	}
}

static void a_named_zone_has_its_daylight_saving_times(void **state)
{
	(void)state;
	static const struct {
		const char *zone, *format, *text;
		int64_t s;
	} cases[] = {
		{"Europe/Berlin", "%F %T", "2026-01-02 03:04:05", 1767319445},
		{"Europe/Berlin", "%F %T", "2026-07-02 03:04:05", 1782954245},
		{"Europe/Berlin", "%F %T%z", "2026-07-02 03:04:05+0000",
		 1782961445},
		{"Europe/Berlin", "%F %TZ", "2026-07-02 03:04:05Z", 1782961445},
		/* skipped and repeated hours */
		{"Europe/Berlin", "%F %T", "2026-03-29 02:30:00", 1774744200},
		{"Europe/Berlin", "%F %T", "2026-10-25 02:30:00", 1792888200},
		{"America/New_York", "%F %T", "2026-03-08 02:30:00",
		 1772955000},
		{"America/New_York", "%F %T", "2026-11-01 01:30:00",
		 1793511000},
		{"America/New_York", "%F %T", "2090-07-01 00:00:00",
		 3802564800},
		{"Asia/Tokyo", "%b %d %T", "Nov 20 23:59:58", 1795186798},
		{"Asia/Kathmandu", "%F %T", "2026-01-02 03:04:05", 1767302345},
		{"UTC", "%F %T", "2026-01-02 03:04:05", 1767323045},
		{"Europe/Berlin", "%F %T", "1950-01-02 03:04:05", -631058155},
	};
	use_zone("JST-9");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct time_format *f = make_with((struct time_format_opts){
			.format = cases[i].format, .zone = cases[i].zone});
		int64_t ns = read_ns(f, cases[i].text, november_s);
		if (ns != cases[i].s * NS_PER_S)
			fail_msg("%s in %s: %lld", cases[i].text, cases[i].zone,
				 (long long)(ns / NS_PER_S));
		time_format_free(f);
	}
	assert_string_equal(getenv("TZ"), "JST-9");
	use_zone(NULL);
}

static void an_unknown_zone_name_is_refused(void **state)
{
	(void)state;
	static const char *const zones[] = {"Europe/Berlni", "", "Europe",
					    "/etc/localtime", "Europe/../UTC"};
	use_zone(NULL);
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		struct err e = {0};
		struct time_format_opts opts = {.format = "%F",
						.zone = zones[i]};
		assert_null(time_format_new(&opts, &e));
		assert_non_null(strstr(e.text, zones[i]));
	}
	assert_null(getenv("TZ"));
}

static void the_zone_of_the_process_can_be_ignored(void **state)
{
	(void)state;
	static const struct {
		const char *tz;
		enum time_local local;
		int64_t s;
	} cases[] = {
		{"JST-9", TIME_LOCAL_TZ, 1767290645},
		{"JST-9", TIME_LOCAL_SYSTEM, 1767290645},
		{"JST-9", TIME_LOCAL_UTC, 1767323045},
		{NULL, TIME_LOCAL_UTC, 1767323045},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		use_zone(cases[i].tz);
		struct time_format *f = make_with((struct time_format_opts){
			.format = "%F %T", .local = cases[i].local});
		assert_int_equal(read_ns(f, "2026-01-02 03:04:05", november_s),
				 cases[i].s * NS_PER_S);
		time_format_free(f);
	}
	use_zone(NULL);
}

static void a_missing_year_puts_the_time_at_most_a_day_ahead(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t now_s, s;
	} cases[] = {
		/* now 2026-12-31T15:00:05Z: Tokyo is in 2027 already */
		{"Jan  1 00:00:01", 1798729205, 1798761601},
		/* now 2027-01-01T00:00:00Z: a late line */
		{"Dec 31 23:59:58", 1798761600, 1798761598},
		/* now 2027-01-01T00:00:00Z */
		{"Jan  1 00:00:00", 1798761600, 1798761600},
		/* now 2028-03-01T00:00:00Z, a leap year */
		{"Feb 29 23:59:59", 1835481600, 1835481599},
		/* now 2027-03-01T12:00:00Z: the 29th rolls over */
		{"Feb 29 12:00:00", 1803902400, 1803902400},
		/* now 2027-12-31T00:00:00Z: next year's is months ahead */
		{"Feb 29 00:00:00", 1830211200, 1803859200},
		/* now 2026-11-28T00:00:00Z: March is past, not next year's */
		{"Mar 26 05:00:00", 1795824000, 1774501200},
		/* now 2026-11-28T00:00:00Z: a day ahead, and a second more */
		{"Nov 29 00:00:00", 1795824000, 1795910400},
		{"Nov 29 00:00:01", 1795824000, 1764374401},
	};
	use_zone(NULL);
	struct time_format *f = make(syslog_format);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t ns = read_ns(f, cases[i].text, cases[i].now_s);
		if (ns != cases[i].s * NS_PER_S)
			fail_msg("%s: %lld", cases[i].text, (long long)ns);
	}
	time_format_free(f);
}

static void a_missing_date_is_the_nearest_one(void **state)
{
	(void)state;
	use_zone(NULL);
	struct time_format *f = make("%T");
	int64_t midnight_s = november_s - 12 * 3600;
	assert_int_equal(read_ns(f, "23:59:59", midnight_s),
			 (midnight_s - 1) * NS_PER_S);
	assert_int_equal(read_ns(f, "00:00:01", midnight_s - 1),
			 (midnight_s + 1) * NS_PER_S);
	assert_int_equal(read_ns(f, "13:00:00", november_s),
			 (november_s + 3600) * NS_PER_S);
	time_format_free(f);
}

static void without_a_zone_the_configured_offset_applies(void **state)
{
	(void)state;
	struct err e;
	struct time_format_opts opts = {
		.format = "%F %T", .has_offset = true, .offset_s = 9 * 3600};
	use_zone("America/New_York");
	struct time_format *f = time_format_new(&opts, &e);
	assert_non_null(f);
	assert_int_equal(read_ns(f, "2026-01-02 03:04:05", 0),
			 1767290645 * NS_PER_S);
	time_format_free(f);
	opts.format = "%F %T %Z"; /* zone names are ignored then, except UTC */
	f = time_format_new(&opts, &e);
	assert_int_equal(read_ns(f, "2026-01-02 03:04:05 KST", 0),
			 1767290645 * NS_PER_S);
	assert_int_equal(read_ns(f, "2026-01-02 03:04:05 UTC", 0),
			 1767323045 * NS_PER_S);
	time_format_free(f);
}

static void without_a_zone_and_an_offset_tz_applies(void **state)
{
	(void)state;
	static const struct {
		const char *tz, *format, *text;
		int64_t s;
	} cases[] = {
		{NULL, "%F %T", "2026-01-02 03:04:05", 1767323045},
		{"", "%F %T", "2026-01-02 03:04:05", 1767323045},
		{"JST-9", "%F %T", "2026-01-02 03:04:05", 1767290645},
		{"JST-9", "%F %TZ", "2026-01-02 03:04:05Z", 1767323045},
		{"JST-9", "%F %T%z", "2026-01-02 03:04:05+00", 1767323045},
		{"JST-9", "%F %T %Z", "2026-01-02 03:04:05 JST", 1767290645},
		{"JST-9", "%b %d %T", "Nov 20 23:59:58", 1795186798},
		{"JST-9", "%s", "1795186798", 1795186798},
		{"EST5EDT,M3.2.0,M11.1.0", "%F %T", "2026-01-02 03:04:05",
		 1767341045},
		{"EST5EDT,M3.2.0,M11.1.0", "%F %T", "2026-07-02 03:04:05",
		 1782975845},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		use_zone(cases[i].tz);
		struct time_format *f = make(cases[i].format);
		int64_t ns = read_ns(f, cases[i].text, november_s);
		if (ns != cases[i].s * NS_PER_S)
			fail_msg("%s in %s: %lld", cases[i].text,
				 cases[i].tz ? cases[i].tz : "-",
				 (long long)ns);
		time_format_free(f);
	}
	use_zone(NULL);
}

/* Names of the zone of TZ too: the offset or zone of the options is only for
 * texts without a zone. */
static void a_zone_name_is_read_whatever_tz_and_the_options_say(void **state)
{
	(void)state;
	enum { NO_OFFSET = 99 };
	static const struct {
		const char *tz, *zone;
		int offset_h;
		const char *text;
		int64_t s;
	} cases[] = {
		{"UTC", NULL, NO_OFFSET, "2026-11-20 01:02:03 UTC", 1795136523},
		{"UTC", NULL, 9, "2026-11-20 01:02:03 UTC", 1795136523},
		{"UTC", NULL, 9, "2026-11-20 01:02:03 GMT", 1795136523},
		{NULL, NULL, 9, "2026-11-20 01:02:03 UTC", 1795136523},
		{"UTC", "Asia/Tokyo", NO_OFFSET, "2026-11-20 01:02:03 UTC",
		 1795136523},
		/* POSIX: 9 hours east of UTC, and named UTC */
		{"UTC-9", NULL, NO_OFFSET, "2026-11-20 01:02:03 UTC",
		 1795136523},
		{"Europe/Berlin", NULL, NO_OFFSET, "2026-10-25 02:30:00 CEST",
		 1792888200},
		{"Europe/Berlin", NULL, NO_OFFSET, "2026-10-25 02:30:00 CET",
		 1792891800},
		{"Europe/Berlin", NULL, 9, "2026-10-25 02:30:00 cest",
		 1792888200},
		{"America/New_York", NULL, NO_OFFSET, "2026-07-01 02:30:00 EST",
		 1782891000},
		{"America/New_York", NULL, NO_OFFSET, "2026-07-01 02:30:00 EDT",
		 1782887400},
		/* well-known names that mean another zone elsewhere */
		{"Asia/Shanghai", NULL, NO_OFFSET, "2026-11-20 01:02:03 CST",
		 1795107723},
		{"Asia/Shanghai", NULL, 9, "2026-11-20 01:02:03 CST",
		 1795107723},
		{"UTC", NULL, NO_OFFSET, "2026-11-20 01:02:03 CST", 1795158123},
		{"Europe/Dublin", NULL, NO_OFFSET, "2026-07-20 01:02:03 IST",
		 1784505723},
		{"Europe/Dublin", NULL, NO_OFFSET, "2026-07-20 01:02:03 GMT",
		 1784509323},
		/* names that are not well known */
		{"Europe/London", NULL, 9, "2026-07-20 01:02:03 BST",
		 1784505723},
		{"Europe/London", NULL, NO_OFFSET, "2026-12-20 01:02:03 BST",
		 1797724923},
		{"ABC-1ABCD", NULL, NO_OFFSET, "2026-07-20 01:02:03 ABC",
		 1784505723},
		{"ABC-1ABCD", NULL, NO_OFFSET, "2026-07-20 01:02:03 ABCD",
		 1784502123},
		{"Asia/Kathmandu", NULL, NO_OFFSET, "2026-11-20 01:02:03 +0545",
		 1795115823},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		use_zone(cases[i].tz);
		bool has_offset = cases[i].offset_h != NO_OFFSET;
		struct time_format *f = make_with((struct time_format_opts){
			.format = "%F %T %Z",
			.has_offset = has_offset,
			.offset_s = has_offset ? cases[i].offset_h * 3600 : 0,
			.zone = cases[i].zone});
		int64_t ns = read_ns(f, cases[i].text, november_s);
		if (ns != cases[i].s * NS_PER_S)
			fail_msg("%s with TZ %s: %lld", cases[i].text,
				 cases[i].tz ? cases[i].tz : "-",
				 (long long)(ns / NS_PER_S));
		time_format_free(f);
	}
	use_zone(NULL);
}

/* The C library changes tzname when it converts a time. */
static void a_zone_name_does_not_depend_on_the_time_read_before(void **state)
{
	(void)state;
	use_zone("Europe/London");
	struct time_format *f = make("%F %T %Z");
	struct time_format *local = make("%F %T");
	static const char *const before[] = {"1944-07-01 00:00:00",
					     "1970-07-01 00:00:00",
					     "2026-12-01 00:00:00"};
	for (size_t i = 0; i < COUNT(before); i++) {
		char text[32];
		snprintf(text, sizeof text, "2026-07-20 01:02:%02zu BST", i);
		read_ns(local, before[i], november_s);
		assert_int_equal(read_ns(f, text, november_s),
				 (1784505720 + (int)i) * NS_PER_S);
	}
	time_format_free(f);
	time_format_free(local);
	use_zone(NULL);
}

static void of_an_offset_and_a_zone_name_the_known_one_counts(void **state)
{
	(void)state;
	use_zone("Asia/Shanghai");
	struct time_format *f = make_with((struct time_format_opts){
		.format = "%F %T %z (%Z)", .has_offset = true});
	assert_int_equal(
		read_ns(f, "2026-11-20 01:02:03 +0800 (CST)", november_s),
		1795107723 * NS_PER_S);
	assert_int_equal(
		read_ns(f, "2026-11-20 01:02:03 +0800 (XYZT)", november_s),
		1795107723 * NS_PER_S);
	time_format_free(f);
	use_zone(NULL);
}

static void the_cache_depends_on_the_text_and_the_day(void **state)
{
	(void)state;
	use_zone(NULL);
	struct time_format *f = make(syslog_format);
	int64_t first_ns = read_ns(f, "Nov 20 23:59:58", november_s);
	assert_int_equal(read_ns(f, "Nov 20 23:59:58", november_s), first_ns);
	assert_int_equal(read_ns(f, "Nov 20 23:59:59", november_s),
			 first_ns + NS_PER_S);
	assert_int_equal(read_ns(f, "Nov 20 23:59:5", november_s),
			 first_ns - 53 * NS_PER_S);
	int64_t next_year_s = november_s + INT64_C(365) * 86400;
	assert_int_equal(read_ns(f, "Nov 20 23:59:58", next_year_s),
			 first_ns + INT64_C(365) * 86400 * NS_PER_S);
	/* A text that does not match does not disturb the cache. */
	int64_t ns;
	assert_false(time_format_read(f, SPAN("x"), 0, &ns));
	assert_int_equal(read_ns(f, "Nov 20 23:59:58", november_s), first_ns);
	time_format_free(f);
}

/* Twenty texts are more than the cache holds; three fit. */
static void alternating_texts_are_read_like_each_alone(void **state)
{
	(void)state;
	use_zone(NULL);
	struct time_format *f = make(syslog_format);
	for (int count = 3; count <= 20; count += 17)
		for (int i = 0; i < 100; i++) {
			char text[32];
			snprintf(text, sizeof text, "Nov %2d 10:00:00",
				 1 + i * 7 % count);
			struct time_format *fresh = make(syslog_format);
			assert_int_equal(read_ns(f, text, november_s),
					 read_ns(fresh, text, november_s));
			time_format_free(fresh);
		}
	time_format_free(f);
}

static void an_unknown_conversion_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {"%Q", "%H:%", "%i", "%Y %E"};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = {0};
		struct time_format_opts opts = {.format = cases[i]};
		assert_null(time_format_new(&opts, &e));
		assert_non_null(strstr(e.text, cases[i]));
	}
}

static void an_offset_is_read_whole_or_not_at_all(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
		int32_t offset_s;
	} cases[] = {
		{"+0900", true, 32400},	  {"-05:30", true, -19800},
		{"Z", true, 0},		  {"+09", true, 32400},
		{"UTC", true, 0},	  {"-0000", true, 0},
		{"0900", false, 0},	  {"+9", false, 0},
		{"+0900 ", false, 0},	  {"", false, 0},
		{"+2400", false, 0},	  {"+090", false, 0},
		{"Asia/Tokyo", false, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int32_t offset_s = 77;
		bool ok = time_offset_read(span_of(cases[i].text), &offset_s);
		if (ok != cases[i].ok)
			fail_msg("%s", cases[i].text);
		assert_int_equal(offset_s, ok ? cases[i].offset_s : 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_is_read_as_its_format_says),
		cmocka_unit_test(a_text_that_does_not_match_changes_nothing),
		cmocka_unit_test(a_text_of_any_length_is_read),
		cmocka_unit_test(
			a_lenient_format_accepts_a_prefix_with_the_date),
		cmocka_unit_test(a_named_zone_has_its_daylight_saving_times),
		cmocka_unit_test(an_unknown_zone_name_is_refused),
		cmocka_unit_test(the_zone_of_the_process_can_be_ignored),
		cmocka_unit_test(
			a_missing_year_puts_the_time_at_most_a_day_ahead),
		cmocka_unit_test(a_missing_date_is_the_nearest_one),
		cmocka_unit_test(without_a_zone_the_configured_offset_applies),
		cmocka_unit_test(without_a_zone_and_an_offset_tz_applies),
		cmocka_unit_test(
			a_zone_name_is_read_whatever_tz_and_the_options_say),
		cmocka_unit_test(
			a_zone_name_does_not_depend_on_the_time_read_before),
		cmocka_unit_test(
			of_an_offset_and_a_zone_name_the_known_one_counts),
		cmocka_unit_test(the_cache_depends_on_the_text_and_the_day),
		cmocka_unit_test(alternating_texts_are_read_like_each_alone),
		cmocka_unit_test(an_unknown_conversion_is_refused),
		cmocka_unit_test(an_offset_is_read_whole_or_not_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
