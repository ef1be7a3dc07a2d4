/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "hook/lua51_source.h"

#define OPENING "local sluiced_concat, sluiced_mod = ... return function(...) "

static void check(const char *script, const char *want)
{
	size_t room = lua51_source_room(strlen(script));
	char *out = malloc(room + 1);
	size_t n = lua51_source_translate(span_of(script), out);
	assert_true(n <= room);
	out[n] = '\0';
	assert_int_equal(strncmp(out, OPENING, strlen(OPENING)), 0);
	assert_string_equal(out + n - 4, "\nend");
	out[n - 4] = '\0';
	const char *body = out + strlen(OPENING);
	if (strcmp(body, want) != 0)
		fail_msg("given: %s\n want: %s\n  got: %s", script, want, body);
	free(out);
}

static void concatenations_become_calls(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{"x = a .. b", "x = sluiced_concat(\"a,b,\", a , ( b))"},
		{"x = a..f()..c.d.e",
		 "x = sluiced_concat(\"a,,c.d.e,\", a, f(), (c.d.e))"},
		{"x = 'a' .. b/2 .. 1.5",
		 "x = sluiced_concat(\",,,\", 'a' ,  b/2 , ( 1.5))"},
		{"x = (a..b)..c",
		 "x = sluiced_concat(\",c,\", (sluiced_concat(\"a,b,\", a, "
		 "(b))), (c))"},
		{"x = t['k'..i].y:m(a..b)'s'{...} .. #u",
		 "x = sluiced_concat(\",,\", t[sluiced_concat(\",i,\", 'k', "
		 "(i))].y:m(sluiced_concat(\"a,b,\", a, (b)))'s'{...} , ( "
		 "#u))"},
		{"return a..b, not c..-d",
		 "return sluiced_concat(\"a,b,\", a, (b)), "
		 "sluiced_concat(\",,\", not c, (-d))"},
		{"if a..b == c..d and e then end",
		 "if sluiced_concat(\"a,b,\", a, (b)) == "
		 "sluiced_concat(\"c,d,\", c, (d)) and e then end"},
		/* the next statement begins without a separator */
		{"x = a..b y = c",
		 "x = sluiced_concat(\"a,b,\", a, (b)) y = c"},
		{"x = a..b\ny.z = c..d\nf(e)",
		 "x = sluiced_concat(\"a,b,\", a, (b))\n"
		 "y.z = sluiced_concat(\"c,d,\", c, (d))\nf(e)"},
		{"x = a .. b -- c\nlocal y",
		 "x = sluiced_concat(\"a,b,\", a , ( b)) -- c\nlocal y"},
		{"x = a -- b\n .. c",
		 "x = sluiced_concat(\"a,c,\", a -- b\n , ( c))"},
		{"x = function(...) return ... .. 1 end y = 2",
		 "x = function(...) return sluiced_concat(\",,\", ... , ( 1)) "
		 "end y = 2"},
		/* the name of the call does not join the word before it */
		{"return'a'..b", "return sluiced_concat(\",b,\", 'a', (b))"},
		{"x = a and[[b]]..c",
		 "x = a and sluiced_concat(\",c,\", [[b]], (c))"},
		/* a function is an operand, for metamethods */
		{"x = o .. function() return a..b end y = 1",
		 "x = sluiced_concat(\"o,,\", o , ( function() return "
		 "sluiced_concat(\"a,b,\", a, (b)) end)) y = 1"},
		{"x = function() if a then do end end end .. o y = b..c",
		 "x = sluiced_concat(\",o,\", function() if a then do end end "
		 "end , ( o)) y = sluiced_concat(\"b,c,\", b, (c))"},
		{"repeat x = o .. function() repeat until a end until b..c",
		 "repeat x = sluiced_concat(\"o,,\", o , ( function() repeat "
		 "until a end)) until sluiced_concat(\"b,c,\", b, (c))"},
		{"x = o .. function() end\n(f).y = 1",
		 "x = sluiced_concat(\"o,,\", o , ( function() end))\n"
		 "(f).y = 1"},
		/* operators of Lua 5.4 */
		{"x = a .. b & c",
		 "x = sluiced_concat(\"a,b,\", a , ( b)) & c"},
		{"x = ~a ~ b..c", "x = ~a ~ sluiced_concat(\"b,c,\", b, (c))"},
	};
	for (size_t i = 0; i < COUNT(pairs); i++)
		check(pairs[i][0], pairs[i][1]);
}

static void remainders_become_calls(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{"x = a % b", "x = sluiced_mod(\"a,b,\", a ,( b))"},
		{"x = a%b%c", "x = sluiced_mod(\",c,\", sluiced_mod(\"a,b,\", "
			      "a,(b)),(c))"},
		/* only the term is an operand */
		{"x = a+b*c%d-e", "x = a+sluiced_mod(\",d,\", b*c,(d))-e"},
		{"x = -a^b%-c^d*e", "x = sluiced_mod(\",,\", -a^b,(-c^d))*e"},
		{"x = a - b%c", "x = a -sluiced_mod(\"b,c,\",  b,(c))"},
		{"x = a%b < c%d y = e", "x = sluiced_mod(\"a,b,\", a,(b)) < "
					"sluiced_mod(\"c,d,\", c,(d)) y = e"},
		{"x = t[a%b](c%d):e() % #f -- g\ny.z = 1",
		 "x = sluiced_mod(\",,\", t[sluiced_mod(\"a,b,\", a,(b))]("
		 "sluiced_mod(\"c,d,\", c,(d))):e() ,( #f)) -- g\n"
		 "y.z = 1"},
		{"x = a..b%c..d",
		 "x = sluiced_concat(\"a,,d,\", a, sluiced_mod(\"b,c,\", "
		 "b,(c)), (d))"},
		{"return(a)%b..c%d",
		 "return sluiced_concat(\",,\",  sluiced_mod(\",b,\", (a),"
		 "(b)), (sluiced_mod(\"c,d,\", c,(d))))"},
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
		"x = a+b*2^-c y = (d-e)/f",
		"x = 'a..b' y = \"c\\\"..d\" z = [[e..f]] w = [==[g]]..h]==]",
		"--[[ a..b ]] x = 1 --[=[ c..d ]] ]=] --e..f",
		"x = a.b.c:d(e)[f]",
		"goto l ::l:: local x <const> = y",
		"x = a == b and c ~= d or e <= f",
		"x = 1.5, 0x7f, 1e300, 3, 1.0, 1e3, 0x.8p1",
		"x = 'unclosed",
		"x = [[unclosed",
		"--",
	};
	for (size_t i = 0; i < COUNT(scripts); i++)
		check(scripts[i], scripts[i]);
}

static void a_large_hexadecimal_numeral_is_no_negative_number(void **state)
{
	(void)state;
	check("x = 0xffffffffffffffff", "x = 1.84467440737095516e+19");
	check("x = 0x7fffffffffffffff", "x = 0x7fffffffffffffff");
}

/* Operands have names only for error messages, and only the first operands of a
 * long concatenation get one. */
static void names_of_operands_are_bounded(void **state)
{
	(void)state;
	struct buf script = {0};
	buf_put_text(&script, "x = a");
	for (int i = 0; i < 100; i++)
		buf_put_text(&script, "..a_long_name_of_an_operand");
	char *out = malloc(lua51_source_room(script.len));
	size_t n = lua51_source_translate(span_of(buf_text(&script)), out);
	assert_true(n < 2 * script.len);
	free(out);
	buf_fini(&script);
}

static void the_operator_that_grows_most_has_room(void **state)
{
	(void)state;
	struct buf script = {0};
	buf_put_text(&script, "x = a");
	for (int i = 0; i < 100; i++)
		buf_put_text(&script, "%b");
	size_t room = lua51_source_room(script.len);
	char *out = malloc(room);
	assert_true(lua51_source_translate(span_of(buf_text(&script)), out) <=
		    room);
	free(out);
	buf_fini(&script);
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
		cmocka_unit_test(concatenations_become_calls),
		cmocka_unit_test(remainders_become_calls),
		cmocka_unit_test(all_other_text_stays_unchanged),
		cmocka_unit_test(
			a_large_hexadecimal_numeral_is_no_negative_number),
		cmocka_unit_test(names_of_operands_are_bounded),
		cmocka_unit_test(the_operator_that_grows_most_has_room),
		cmocka_unit_test(nesting_depth_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
