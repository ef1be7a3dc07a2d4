/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text, also before 1970. */
#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "base/rfc3339.h"

enum { T_S = 1795219198 };

static void a_time_has_the_digits_that_are_asked_for(void **state)
{
	static const struct {
		int64_t real_ns;
		int digits;
		const char *text;
	} cases[] = {
		{0, 9, "1970-01-01T00:00:00.000000000Z"},
		{T_S * NS_PER_S + 123456789, 9,
		 "2026-11-20T23:59:58.123456789Z"},
		{T_S * NS_PER_S + 123999999, 3, "2026-11-20T23:59:58.123Z"},
		{T_S * NS_PER_S + 999999999, 1, "2026-11-20T23:59:58.9Z"},
		{-1, 9, "1969-12-31T23:59:59.999999999Z"},
		{-250 * NS_PER_MS, 3, "1969-12-31T23:59:59.750Z"},
		{-NS_PER_S, 3, "1969-12-31T23:59:59.000Z"},
		{INT64_MIN, 3, "1677-09-21T00:12:43.145Z"},
		{INT64_MAX, 9, "2262-04-11T23:47:16.854775807Z"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[RFC3339_BYTES];
		size_t length =
			rfc3339_format(cases[i].real_ns, cases[i].digits, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(length, strlen(text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_has_the_digits_that_are_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
