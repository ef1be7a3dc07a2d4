/* SPDX-License-Identifier: Apache-2.0 */
#include "match_unit.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "regex/pattern.h"

static const char published_regex[] =
	"^<(?<pri>[0-9]+)>(?<time>[^ ]* {1,2}[^ ]* [^ ]*) "
	"(?<ident>[a-zA-Z0-9_/.-]*)(?:[(?<pid>[0-9]+)])?(?:[^:]*:)? *"
	"(?<message>.*)$";

static const char stock_regex[] =
	"^\\<(?<pri>[0-9]+)\\>(?<time>[^ ]* {1,2}[^ ]* [^ ]*) "
	"(?<ident>[a-zA-Z0-9_\\/\\.\\-]*)(?:\\[(?<pid>[0-9]+)\\])?"
	"(?:[^\\:]*\\:)? *(?<message>.*)$";

/* Expected is "name=value name=value", in the order in which a parser reads the
 * groups. */
static void check_named(const char *regex, const char *text,
			const char *expected)
{
	struct pattern *p = match_pattern(regex);
	struct buf got = {0};
	assert_true(pattern_matches(p, span_of(text), NULL));
	for (size_t i = 1; i <= pattern_groups(p); i++) {
		bool present;
		struct span group = pattern_group(p, i, &present);
		if (!present || group.len == 0)
			continue;
		buf_put_text(&got, got.len > 0 ? ", " : "");
		buf_put_span(&got, pattern_group_name(p, i));
		buf_put_char(&got, '=');
		buf_put_span(&got, group);
	}
	assert_string_equal(buf_text(&got), expected);
	buf_fini(&got);
	pattern_free(p);
}

static void the_published_regex_reads_its_class_as_onigmo_does(void **state)
{
	(void)state;
	check_named(published_regex, "<190>Nov 20 23:59:58 h n: x",
		    "pri=190, time=Nov 20 23:59:58, ident=h, message=x");
	check_named(published_regex, "<190>Nov  1 01:02:03 nginx: nohost",
		    "pri=190, time=Nov  1 01:02:03, ident=nginx, "
		    "message=nohost");
	check_named(published_regex,
		    "<190>Nov 20 23:59:58 host-1.a.b nginx[123]: withpid",
		    "pri=190, time=Nov 20 23:59:58, ident=host-1.a.b, "
		    "message=withpid");
	check_named(published_regex, "junk\n<190>Nov 20 23:59:58 h n: l1\nl2\n",
		    "pri=190, time=Nov 20 23:59:58, ident=h, message=l1");
	check_named(published_regex, "<190>Nov 20 23:59:58 h n: ",
		    "pri=190, time=Nov 20 23:59:58, ident=h");
	struct pattern *p = match_pattern(published_regex);
	assert_int_equal(pattern_groups(p), 4);
	assert_false(
		pattern_matches(p, SPAN("190>Nov  1 01:02:03 h n: x"), NULL));
	assert_false(pattern_matches(p, SPAN("garbage"), NULL));
	assert_false(pattern_matches(p, span_make(NULL, 0), NULL));
	assert_false(pattern_hit_limit(p));
	pattern_free(p);
}

static void the_stock_regex_captures_a_pid(void **state)
{
	(void)state;
	check_named(stock_regex, "<34>Oct 11 22:14:15 su[42]: failed\n",
		    "pri=34, time=Oct 11 22:14:15, ident=su, pid=42, "
		    "message=failed");
}

static void lines_begin_and_end_as_in_ruby(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"^b", "a\nb", "b"},	     {"a$", "a\nb", "a"},
		{"a.b", "a\nb", "no"},	     {"a\\Z", "a\n", "a"},
		{"a\\z", "a\n", "no"},	     {"\\Ab", "a\nb", "no"},
		{"(?m)a.b", "a\nb", "a\nb"}, {"(?m:a.)b", "a\nb", "a\nb"},
		{"(?m:a).b", "a\nb", "no"},  {"a.b", "a\rb", "a\rb"},
		{"a$", "a\r\n", "no"},	     {"x*$", "\n", ""},
	};
	CHECK_MATCHES(cases);
}

/* The translation differs with and without a newline in the pattern. */
static void a_dot_does_not_match_a_newline(void **state)
{
	(void)state;
	const struct match_case cases[] = {
		{"^(.*)$", "abc", "abc|abc"},
		{"^(.*)$", "a\nbc", "a|a"},
		{"^(.*)$", "\nbc", "|"},
		{"a(.)c", "abc", "abc|b"},
		{"a(.)c", "a\nc", "no"},
		{"a(.*?)c(.*)", "abcd", "abcd|b|d"},
		{"a(.*?)c(.*)", "abcd\ne", "abcd|b|d"},
		{"/a(.*)/m", "ab\nc", "ab\nc|b\nc"},
		{"/a(.*)/m", "abc", "abc|bc"},
		{"(?m:a.)b.", "a\nbc", "a\nbc"},
		{"(?m:a.)b.", "a\nb\n", "no"},
		{"(?<=.)b", "ab", "b"},
		{"(?<=.)b", "\nb", "no"},
	};
	CHECK_MATCHES(cases);
}

static void classes_nest_intersect_and_negate(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"[a[bc]d]+", "xabcdx", "abcd"},
		{"[^a[bc]]+", "abxyc", "xy"},
		{"[a-z&&[^aeiou]]+", "aubcde", "bcd"},
		{"[a-f&&b-z&&[^d]]+", "abcdef", "bc"},
		{"[^a-c&&b]+", "abd", "a"},
		{"[a&&b]", "ab", "no"},
		{"[]a]+", "xa]", "a]"},
		{"[^]a]+", "a]x", "x"},
		{"[a-]+", "b-a", "-a"},
		{"[-a]+", "b-a", "-a"},
		{"[+--]+", "a+,-", "+,-"},
		{"[a-c-e]+", "bd-e", "b"},
		{"[\\]\\[\\\\]+", "a[\\]", "[\\]"},
		{"[\\b]", "a\bb", "\b"},
		{"[\\h]+", "xyzAf09", "Af09"},
		{"[\\H]+", "afxyz0", "xyz"},
		{"[\\d\\s]+", "a1 2b", "1 2"},
		{"[^\\W_]+", "__a1-", "a1"},
		{"[[:alpha:]_]+", "1a_Z2", "a_Z"},
		{"[[:^digit:]]+", "12ab3", "ab"},
		{"[^[:space:]]+", " a\tb", "a"},
		{"[\\x41-\\x43]+", "xABCD", "ABC"},
		{"[\\101\\n]+", "xA\nB", "A\n"},
		{"[.*+?(){}|^$]+", "a.*+?(){}|^$b", ".*+?(){}|^$"},
		{"[[[a]]]", "xa", "a"},
		{"(?i)[a-c]+", "xABc", "ABc"},
		{"(?i)[^a]+", "aAb", "b"},
		{"(?i)[^[^a]]+", "Aab", "no"},
		{"[\xc3\xa9\xe3\x81\x82]+", "e\xc3\xa9\xe3\x81\x82",
		 "\xc3\xa9\xe3\x81\x82"},
		{"[\xe3\x81\x81-\xe3\x82\x93]+", "a\xe3\x81\x82",
		 "\xe3\x81\x82"},
		{"\xc3\xa9[^a[b]]", "\xc3\xa9\xe3\x81\x82",
		 "\xc3\xa9\xe3\x81\x82"},
	};
	CHECK_MATCHES(cases);
}

static void escapes_have_the_meaning_they_have_in_ruby(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"\\h+", "xyz0aF", "0aF"},
		{"\\H+", "0axyz", "xyz"},
		{"\\v", "a\n\vb", "\v"},
		{"\\e\\a\\f\\t", "\x1b\a\f\t", "\x1b\a\f\t"},
		{"\\cA\\C-b", "\x01\x02", "\x01\x02"},
		{"\\x41\\u0042\\x{43}", "ABC", "ABC"},
		{"\\Q.\\E", "QxE", "QxE"},
		{"\\u3042+", "a\xe3\x81\x82\xe3\x81\x82",
		 "\xe3\x81\x82\xe3\x81\x82"},
		{"\\p{Alpha}+", "1\xc3\xa9z", "\xc3\xa9z"},
		{"\\p{^Alpha}+", "a12b", "12"},
		{"[\\p{Hiragana}]", "a\xe3\x81\x82", "\xe3\x81\x82"},
		{"\xc3\xa9\\w", "\xc3\xa9\xc3\xa9x", "\xc3\xa9x"},
		{"\\<\\>\\/\\:\\-\\_\\ ", "<>/:-_ ", "<>/:-_ "},
		{"a\\R", "a\r\n", "a\r\n"},
		{"]{}{a}{,}", "]{}{a}{,}", "]{}{a}{,}"},
		{"a\\Kb", "ab", "b"},
		{"(a)\\1", "xaa", "aa|a"},
		{"(a)\\101\\11\\60", "aA\t0", "aA\t0|a"},
		{"(?<x>a)\\103", "aC", "aC|a"},
		{"(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\\10", "abcdefghijj",
		 "abcdefghijj|a|b|c|d|e|f|g|h|i|j"},
		{"\\81", "81", "81"},
		{"(?<q>['\"]).*\\k<q>", "x'a\"b'", "'a\"b'|'"},
		{"(?<p>\\((?:[^()]|\\g<p>)*\\))", "x(a(b)c)",
		 "(a(b)c)|(a(b)c)"},
	};
	CHECK_MATCHES(cases);
}

static void options_reach_as_far_as_in_ruby(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"/a.c/", "xabc", "abc"},
		{"/A.C/i", "xabc", "abc"},
		{"/a.c/m", "a\nc", "a\nc"},
		{"/a b # c [ (\n c/x", "abc", "abc"},
		{"/A . c/mix", "a\nC", "a\nC"},
		{"/a/c/", "a/c", "a/c"},
		{"/a", "/a", "/a"},
		{"/", "/", "/"},
		{"//", "x", ""},
		{"/a/u", "/a/u", "/a/u"},
		{"/A/oi", "a", "a"},
		{"a(?i)b", "aB", "aB"},
		{"a(?i)b|c", "aC", "aC"}, /* a(?i:b|c) */
		{"(?:a(?i)b)c", "aBC", "no"},
		{"a(?i:b(?-i)c)d", "aBCd", "no"},
		{"a(?i:b(?-i)c)d", "aBcd", "aBcd"},
		{"(?x) a  b (?-x) c", "ab c", "ab c"},
		{"(?x)a{1,} + [ ]", "aa ", "aa "},
		{"a(?#comment \\) (here)b", "ab", "ab"},
	};
	CHECK_MATCHES(cases);
}

static void quantifiers_repeat_the_same_as_in_ruby(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"a{,2}", "aaa", "aa"},
		{"a{2}?", "aaa", "aa"}, /* (?:a{2})? */
		{"a{2}?b", "ab", "b"},
		{"a{1,2}+a", "aaa", "aaa"}, /* not possessive */
		{"a++a", "aaa", "no"},
		{"a+?", "aaa", "a"},
		{"a**", "aaa", "aaa"},
		{"(ab){2}{2}", "abababab", "abababab|ab"},
		{"[a[b]]{2}{2}", "abab", "abab"},
		{"\xe3\x81\x82{2}", "\xe3\x81\x82\xe3\x81\x82",
		 "\xe3\x81\x82\xe3\x81\x82"},
		{"^*a$?", "a", "a"},
		{"\\b?a", "a", "a"},
	};
	CHECK_MATCHES(cases);
}

static void with_a_named_group_unnamed_groups_do_not_capture(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"(a)(b)", "ab", "ab|a|b"},
		{"(a)(?<x>b)", "ab", "ab|b"},
		{"(a)(?'x'b)", "ab", "ab|b"},
		{"(a)[(?<x>b)]", "ab", "ab|a"},
		{"(?<x>a)|(?<x>b)", "b", "b|-|b"},
		{"(?<x>a)?(?<y>b)?c", "c", "c|-|-"},
		{"(?<x>a)?(?(<x>)b|c)", "ab", "ab|a"},
	};
	CHECK_MATCHES(cases);
	struct pattern *p = match_pattern("(a)(?<x>b)");
	assert_true(span_equals(pattern_group_name(p, 1), SPAN("x")));
	pattern_free(p);
	p = match_pattern("(a)");
	assert_int_equal(pattern_group_name(p, 1).len, 0);
	pattern_free(p);
}

static void broken_utf8_never_stops_a_match(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"^(.*)$", "a\xff\xe3\x81", "a\xff\xe3\x81|a\xff\xe3\x81"},
		{"a[^b]*c", "a\xff\xc3(c", "a\xff\xc3(c"},
		{"\\xff", "a\xff", "\xff"},
		{"[\\x80-\\xff]+", "a\xe3\x81z", "\xe3\x81"},
		{"\xe3\x81\x82", "\xff\xe3\x81\x82\xe3", "\xe3\x81\x82"},
	};
	CHECK_MATCHES(cases);
	check_match("a(.)b", span_make("a\0b", 3), "a");
}

static void a_multibyte_utf8_character_counts_as_one(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"..$", "a\xc3\xa9", "a\xc3\xa9"},
		{"^.{2}", "\xe3\x81\x82\xc3\xa9z", "\xe3\x81\x82\xc3\xa9"},
		{"[^a]{2}", "\xc3\xa9", "no"},
		{"\\S\\S", "\xc3\xa9 \xc3\xa9z", "\xc3\xa9z"},
		{"^(.*).$", "a\xc3\xa9", "a\xc3\xa9|a"},
		{"(.+?)(.)", "\xc3\xa9\xc3\xa9",
		 "\xc3\xa9\xc3\xa9|\xc3\xa9|\xc3\xa9"},
		{".?", "\xc3\xa9", "\xc3\xa9"},
		{"[[:alpha:]]+", "1\xc3\xa9z", "\xc3\xa9z"},
		{"[^[:alpha:]]+", "\xc3\xa9z", "no"},
		{"\\bz", "\xc3\xa9z", "no"},
		{"\\w+", "\xc3\xa9z", "z"},
		{"(?<a>[^ ]*) (?<b>.*)", "\xc3\xa9 \xe3\x81\x82",
		 "\xc3\xa9 \xe3\x81\x82|\xc3\xa9|\xe3\x81\x82"},
		/* each byte of a broken sequence counts as one character */
		{"^.{2}", "\xff\xc3\xa9", "\xff\xc3\xa9"},
		{"..$", "a\xe3\x81", "\xe3\x81"},
		{"[a[[:alpha:]]].",
		 "\xc3\xa9"
		 "a\xc3\xa9",
		 "\xc3\xa9"
		 "a"},
		/* classes that cannot be expressed in characters */
		{"[[:alpha:]&&[^x]].",
		 "\xc3\xa9"
		 "a\xc3\xa9",
		 "a\xc3"},
		{"\\xff?.", "\xc3\xa9", "\xc3"},
	};
	CHECK_MATCHES(cases);
}

static void a_group_name_may_be_long_and_not_ascii(void **state)
{
	(void)state;
	check_named("(?<upstream_transport_failure_reason_of_all>a)"
		    "(?<\xc3\xa9>b)(?<a>c)(?<\xc3\xa9>d)\\k<a>"
		    "\\g<upstream_transport_failure_reason_of_all>",
		    "abcdca",
		    "upstream_transport_failure_reason_of_all=a, \xc3\xa9=b, "
		    "a=c, \xc3\xa9=d");
}

static void a_syntax_error_is_reported_with_its_position(void **state)
{
	(void)state;
	static const struct {
		const char *regex, *text;
	} cases[] = {
		{"abc(def", "a group without its ) at offset 7"},
		{"abc)", "unmatched ) at offset 3"},
		{"(?i)abc)", "unmatched ) at offset 7"},
		{"/ab)/i", "unmatched ) at offset 3"},
		{"ab[cd", "a class without its ] at offset 3"},
		{"[]", "a class without its ] at offset 1"},
		{"[a-", "a class without its ] at offset 3"},
		{"[a\\", "nothing follows the \\ at offset 3"},
		{"[b-a]", "an empty range in a class at offset 4"},
		{"[a-\\d]", "a range that ends in a class at offset 2"},
		{"[[:nope:]]", "an unknown [:name:] at offset 2"},
		{"*a",
		 "quantifier does not follow a repeatable item at offset 0"},
		{"[abc]+(*UTF)", "nothing to repeat at offset 6"},
		{"(?<a-b>x)",
		 "a group name with characters other than letters, "
		 "digits and _ at offset 2"},
		{"(?<1>x)",
		 "a group name that begins with a digit or sign at offset 5"},
		{"(?~x)", "(?~ is not supported at offset 0"},
		{"(?P<x>a)", "an unknown kind of group at offset 2"},
		{"(?|a)", "an unknown kind of group at offset 2"},
		{"a\\", "nothing follows the \\ at offset 2"},
		{"(?<x>a)\\1",
		 "a numbered reference in a pattern with named groups "
		 "(write \\k<name>) at offset 8"},
		{"\\M-a", "\\M- is not supported at offset 1"},
		{"\\u12", "\\uHHHH expected at offset 1"},
		{"\xc3\xa9[a[^\xc3\xa9]]",
		 "Unicode characters in a class with && or a negated class in "
		 "it are not supported at offset 3"},
		{"\\u3042\\x80", "a byte above \\x7f in a pattern with Unicode "
				 "characters (write \\uHHHH) at offset 8"},
		{"\\u3042\\200", "a byte above \\177 in a pattern with Unicode "
				 "characters (write \\uHHHH) at offset 7"},
		{"\\777", "an octal number above \\377 at offset 1"},
		{"(?<>x)", "an empty group name at offset 2"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = {0};
		char expected[200] = "regular expression: ";
		strncat(expected, cases[i].text, 150);
		assert_null(pattern_new(span_of(cases[i].regex), "", &e));
		assert_string_equal(e.text, expected);
	}
}

/* PCRE2 reports positions in the translated text; the user knows only the
 * original. */
static void positions_reported_by_pcre2_refer_to_the_original_text(void **state)
{
	(void)state;
	struct err e = {0};
	assert_null(pattern_new(SPAN("[0-9][a-z]\\h\\k<none>x"), "", &e));
	assert_string_equal(e.text,
			    "regular expression: reference to non-existent "
			    "subpattern at offset 20");
}

static void an_endless_match_stops_at_its_limit(void **state)
{
	(void)state;
	struct pattern *p = match_pattern("^(a|a)*$");
	assert_false(pattern_matches(
		p, SPAN("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"),
		NULL));
	assert_true(pattern_hit_limit(p));
	assert_false(pattern_matches(p, SPAN("b"), NULL));
	assert_false(pattern_hit_limit(p));
	assert_true(pattern_matches(p, SPAN("aaa"), NULL));
	assert_false(pattern_hit_limit(p));
	pattern_free(p);
}

static void a_datagram_of_200_kb_is_matched(void **state)
{
	(void)state;
	size_t len = 200000;
	char *text = malloc(len);
	assert_non_null(text);
	memset(text, 'a', len);
	memcpy(text, "<1>Nov  1 01:02:03 h n: ", 24);
	struct pattern *p = match_pattern(published_regex);
	bool present;
	assert_true(pattern_matches(p, span_make(text, len), NULL));
	assert_int_equal(pattern_group(p, 4, &present).len, len - 24);
	pattern_free(p);
	free(text);
}

/* Each start position scans the rest of the text, which took 11 s of CPU for
 * 200 kB.  The test does not measure the time; it asserts that PCRE2 stops at
 * the limit. */
static void a_match_that_is_slow_from_every_start_stops_at_its_limit(
	void **state)
{
	(void)state;
	static char text[200000];
	static const size_t lengths[] = {40000, sizeof text};
	struct pattern *p = match_pattern("([a-z]+\\.)+com[0-9]");
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 2 == 0 ? 'a' : '.';
	for (size_t i = 0; i < COUNT(lengths); i++) {
		char *end = text + lengths[i] - 4;
		memcpy(end, " com", 4);
		assert_false(
			pattern_matches(p, span_make(text, lengths[i]), NULL));
		assert_true(pattern_hit_limit(p));
		memcpy(end, "a.a.", 4);
	}
	pattern_free(p);
}

/* An anchored match is tried at one position only, so a long text may take as
 * many steps as a short one. */
static void a_long_text_matches_an_anchored_pattern(void **state)
{
	(void)state;
	static char text[40000];
	struct pattern *p = match_pattern("^(?:[^\"\\\\]|\\\\.)*\"$");
	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = '"';
	assert_true(pattern_matches(p, span_make(text, sizeof text), NULL));
	pattern_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_published_regex_reads_its_class_as_onigmo_does),
		cmocka_unit_test(the_stock_regex_captures_a_pid),
		cmocka_unit_test(lines_begin_and_end_as_in_ruby),
		cmocka_unit_test(a_dot_does_not_match_a_newline),
		cmocka_unit_test(classes_nest_intersect_and_negate),
		cmocka_unit_test(escapes_have_the_meaning_they_have_in_ruby),
		cmocka_unit_test(options_reach_as_far_as_in_ruby),
		cmocka_unit_test(quantifiers_repeat_the_same_as_in_ruby),
		cmocka_unit_test(
			with_a_named_group_unnamed_groups_do_not_capture),
		cmocka_unit_test(broken_utf8_never_stops_a_match),
		cmocka_unit_test(a_multibyte_utf8_character_counts_as_one),
		cmocka_unit_test(a_group_name_may_be_long_and_not_ascii),
		cmocka_unit_test(a_syntax_error_is_reported_with_its_position),
		cmocka_unit_test(
			positions_reported_by_pcre2_refer_to_the_original_text),
		cmocka_unit_test(an_endless_match_stops_at_its_limit),
		cmocka_unit_test(
			a_match_that_is_slow_from_every_start_stops_at_its_limit),
		cmocka_unit_test(a_long_text_matches_an_anchored_pattern),
		cmocka_unit_test(a_datagram_of_200_kb_is_matched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
