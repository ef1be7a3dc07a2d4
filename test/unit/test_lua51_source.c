/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "hook/lua51_source.h"

static void check(const char *script, const char *want)
{
	size_t length = strlen(script);
	char *out = malloc(length * LUA51_SOURCE_GROWTH + 64 + 1);
	size_t n = lua51_source_translate(span_of(script), out);
	assert_true(n <= length * LUA51_SOURCE_GROWTH + 64);
	out[n] = '\0';
	if (strcmp(out, want) != 0)
		fail_msg("given: %s\n want: %s\n  got: %s", script, want, out);
	free(out);
}

static void arithmetic_results_are_made_whole_numbers(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{"x = a + b", "x = (a + b|0)"},
		{"x = a+b*2^-c", "x = (a+b*2^-c|0)"},
		{"x = 'a' .. b/2 .. 'c'", "x = 'a' .. (b/2|0) .. 'c'"},
		{"x = (a+b)*c", "x = (((a+b|0))*c|0)"},
		{"f(a-1, {b%2; k = c*d, [e+1] = 0})",
		 "f((a-1|0), {(b%2|0); k = (c*d|0), [(e+1|0)] = 0})"},
		{"x = t[i+1].y:m(2*a)'s'{b} - 1",
		 "x = (t[(i+1|0)].y:m((2*a|0))'s'{b} - 1|0)"},
		{"return a+1, b", "return (a+1|0), b"},
		{"if a+1 == b/2 and not c then end",
		 "if (a+1|0) == (b/2|0) and not c then end"},
		{"for i = 1, #t-1 do c = c+1 end",
		 "for i = 1, (#t-1|0) do c = (c+1|0) end"},
		/* the next statement begins without a separator */
		{"x = a+b y = c", "x = (a+b|0) y = c"},
		{"x = a+b\ny.z = c-d\nf(e)",
		 "x = (a+b|0)\ny.z = (c-d|0)\nf(e)"},
		{"x = a - b -- c\nlocal y", "x = (a - b|0) -- c\nlocal y"},
		{"x = a -- b\n * c", "x = (a -- b\n * c|0)"},
		{"x = function(...) return ...+1 end y = 2",
		 "x = function(...) return (...+1|0) end y = 2"},
		/* operators of Lua 5.4 */
		{"x = a // b & c + d", "x = (a // b|0) & (c + d|0)"},
		{"x = ~a ~ b << c", "x = ~a ~ b << c"},
	};
	for (size_t i = 0; i < COUNT(pairs); i++)
		check(pairs[i][0], pairs[i][1]);
}

static void all_other_text_stays_unchanged(void **state)
{
	(void)state;
	static const char *const scripts[] = {
		"",
		"x = -y z = #t w = not v",
		"x = 'a+b' .. \"c\\\"-d\" .. [[e*f]] .. [==[g]]/h]==]",
		"--[[ a+b ]] x = 1 --[=[ c-d ]] ]=] --e*f",
		"x = a.b.c:d(e)[f] .. g",
		"goto l ::l:: local x <const> = y",
		"x = a == b and c ~= d or e <= f",
		"x = 1.5 .. 0x7f .. 1e300 .. 3",
		"x = 'unclosed",
		"x = [[unclosed",
		"--",
	};
	for (size_t i = 0; i < COUNT(scripts); i++)
		check(scripts[i], scripts[i]);
}

static void whole_numerals_are_integers(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{"x = 1.0", "x = 1"},
		{"x = 1e3, .5e1, 0x.8p1", "x = 1000, 5, 1"},
		{"x = 9e15", "x = 9000000000000000"},
		{"x = 1e16", "x = 1e16"},
		{"x = 0xffffffffffffffff", "x = 1.84467440737095516e+19"},
		{"x = 3-2", "x = (3-2|0)"},
		{"x = 1e+2-1", "x = (100-1|0)"},
	};
	for (size_t i = 0; i < COUNT(pairs); i++)
		check(pairs[i][0], pairs[i][1]);
}

/* A text with more open brackets than Lua accepts is left unchanged. */
static void nesting_depth_is_bounded(void **state)
{
	(void)state;
	char script[1024];
	memset(script, '(', 600);
	memcpy(script + 600, "a+b", 4);
	check(script, script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic_results_are_made_whole_numbers),
		cmocka_unit_test(all_other_text_stays_unchanged),
		cmocka_unit_test(whole_numerals_are_integers),
		cmocka_unit_test(nesting_depth_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
