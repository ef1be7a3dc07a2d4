/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "parse/zone.h"

/* The offset that the C library uses with this TZ, in January or, if that is 0,
 * in July. */
static long offset_with(const char *tz)
{
	time_t january = 1767225600, july = 1782864000;
	struct tm tm;
	setenv("TZ", tz, 1);
	tzset();
	localtime_r(&january, &tm);
	if (tm.tm_gmtoff == 0)
		localtime_r(&july, &tm);
	unsetenv("TZ");
	tzset();
	return tm.tm_gmtoff;
}

static void a_zone_that_the_c_library_knows_is_known(void **state)
{
	(void)state;
	static const char *const zones[] = {
		"Asia/Tokyo",
		":Asia/Tokyo",
		"/usr/share/zoneinfo/Asia/Tokyo",
		"EST5EDT",
		"JST-9",
		":JST-9",
		"<+09>-9",
		"<-0330>+03:30",
		"abc12:34:56",
		"CET-1CEST",
		"CET-1CEST,M3.5.0,M10.5.0/3",
		"EST5EDT4,M3.2.0,M11.1.0",
		"NZST-12NZDT-13,M9.5.0,M4.1.0/3",
	};
	for (size_t i = 0; i < COUNT(zones); i++) {
		if (offset_with(zones[i]) == 0)
			fail_msg("the C library does not know %s", zones[i]);
		if (!zone_is_tz(zones[i]))
			fail_msg("%s", zones[i]);
	}
}

static void utc_needs_no_tzdata(void **state)
{
	(void)state;
	static const char *const zones[] = {
		"", ":", "UTC", ":UTC", "GMT", "Etc/UTC", "Zulu", "UTC0",
	};
	setenv("TZDIR", "/nowhere", 1);
	for (size_t i = 0; i < COUNT(zones); i++)
		if (!zone_is_tz(zones[i]))
			fail_msg("%s", zones[i]);
	assert_false(zone_is_tz("Asia/Tokyo"));
	unsetenv("TZDIR");
}

static void a_zone_that_the_c_library_takes_for_utc_is_unknown(void **state)
{
	(void)state;
	static const char *const zones[] = {
		"Asia/Tokio", "asia/tokyo", "Asia", "zone.tab",
		"/nowhere",   "JST",	    "A3",   "AB3",
		"JST+",	      "<JST-9",	    "<>-9", "+09:00",
		"Foo/Bar",    "9",	    "..",   "Asia/Tokyo ",
	};
	for (size_t i = 0; i < COUNT(zones); i++) {
		if (offset_with(zones[i]) != 0)
			fail_msg("the C library knows %s", zones[i]);
		if (zone_is_tz(zones[i]))
			fail_msg("%s", zones[i]);
	}
}

static void a_file_that_is_no_zone_is_an_error(void **state)
{
	(void)state;
	static const char *const names[] = {"zone.tab", "Asia", "Asia/Tokio",
					    "/etc/passwd"};
	for (size_t i = 0; i < COUNT(names); i++) {
		struct err e;
		assert_null(zone_new(names[i], &e));
		assert_non_null(strstr(e.text, names[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zone_that_the_c_library_knows_is_known),
		cmocka_unit_test(utc_needs_no_tzdata),
		cmocka_unit_test(
			a_zone_that_the_c_library_takes_for_utc_is_unknown),
		cmocka_unit_test(a_file_that_is_no_zone_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
