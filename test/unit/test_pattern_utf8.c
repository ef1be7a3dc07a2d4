/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns on text beyond ASCII. */
#include "match_unit.h"
#include "unit.h"

#include <string.h>

#include "base/buf.h"
#include "regex/pattern.h"
#include "regex/ruby_regex.h"
#include "regex/search_cost.h"

/* Backtracking shortens [^@]* by one character, not by one byte. */
static void a_greedy_run_gives_back_whole_characters(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"^(?<user>[^@]*)(?<dom>[^ ]+)", "日本", "日本|日|本"},
		{"^(?<dir>.*)(?<file>[^/]+)$", "/a/日本", "/a/日本|/a/日|本"},
		{"(?>^|[^,]*|(?i:[a-c]{2},^))$$", "日b😀", "b😀"},
		{"(?:^[^,]*\\d*,| +)*+[^/]+", "😀,/", ","},
		{"(\\S+)(\\S+)", "é", "no"},
		{"(?:\\S+)(?:\\S+)", "é", "no"},
		{"(\\S+)a?(\\S+)", "é", "no"},
		{"(\\S+)(?:|a)(?:a*b*|\\S+)(\\S+)", "éé", "éé|é|é"},
		{"(?<w>\\S+){2}", "é", "no"},
		{"(?<w>\\S+){3}", "日", "no"},
		{"(?<w>\\S+){2}", "éé", "éé|é"},
		{"(?:a?(?<w>\\S+),?){2}", "é", "no"},
		{"\\S+{2}", "é", "no"},
		{"(?:(?:\\S+)*){2}(\\S)", "é", "é|é"},
		{"([^,]*)(?i)(x|[^,]+)$", "é", "é||é"},
		{"(\\S*)(?=[^,]+)", "é", "|"},
		{"([^a]*)(?!a)", "éa", "|"},
		{"(?<!^)(\\S+)", "éx", "x|x"},
		{"(?<!\\A)(?<a>b?)", "éb", "b|b"},
		{"(\\S+)\\K(\\S+)", "é", "no"},
		{"(?<a>\\S+)\\g<a>", "é", "no"},
	};
	CHECK_MATCHES(cases);
}

static bool matches_bytes(const char *regex)
{
	struct ruby_regex r;
	struct err e = {0};
	if (!ruby_regex_read(span_of(regex), false, &r, &e))
		fail_msg("%s: %s", regex, e.text);
	bool answer = !r.tells_apart && !r.is_utf;
	buf_fini(&r.text);
	buf_fini(&r.names);
	return answer;
}

/* Matching bytes is faster, so an expression that cannot split a character does
 * so. */
static void what_cannot_split_a_character_matches_bytes(void **state)
{
	(void)state;
	static const char *const fast[] = {
		"^(?<remote>[^ ]*) (?<user>[^ ]*) \\[(?<time>[^\\]]*)\\] "
		"\"(?<method>\\S+)(?: +(?<path>[^\\\"]*) +\\S*)?\" "
		"(?<code>[^ ]*) (?<size>[^ ]*)"
		"(?: \"(?<referer>[^\\\"]*)\" \"(?<agent>[^\\\"]*)\")",
		"^(?<a>[^ ]* {1,2}[^ ]*) (?:[^:]*:)? *(?<message>.*)$",
		"^\\[(?<thread>.*)\\] (?<level>[^\\s]+)(?<message>.*)",
		"(?<flag>[^ ]*)\\s?(?:URGP=)?(?<urgp>[^ ]*)\\s?(?:A=)?(\\d*)",
		"(?<msg>([^ ]*\\s+[^ ]*)+)",
		"(?: ?[^ ,]*,)+$",
		"(?=.*a)(?=.*b)^.*$",
		"^(?!aaa\\.log$)",
		"(?<![0-9])[0-9]{3}(?![0-9])",
		"(?:.*|a)$",
		"(?m:.*)b|c(?i)d|[^e]*f",
		".*(?:\\n.*){2}",
		"^(?>[^ ]*) (?:[^,]*+,)*+$",
	};
	static const char *const slow[] = {
		"(.*)([^/]+)",	     "(.*)(.*)$",	  "(?:,|.*){2}",
		"(?:,*.*)+a",	     "a|.*.*b",		  "(?:.*a|.*)[^ ]*$",
		"(?:.*(?i)a|.*)c",   ".*a{00}.*$",	  "(.*)\\1",
		".*(?<!a)",	     "(?>^|[^,]*|a{2})$", "(^[^,]*,| +)*+[^/]+",
		"(?>b(\\A|[^,]*))c",
	};
	for (size_t i = 0; i < COUNT(fast); i++)
		if (!matches_bytes(fast[i]))
			fail_msg("%s", fast[i]);
	for (size_t i = 0; i < COUNT(slow); i++)
		if (matches_bytes(slow[i]))
			fail_msg("%s", slow[i]);
}

/* A byte that does not belong to a character counts as one character.  Only
 * [^x], \W and the like match it. */
static void an_invalid_byte_never_prevents_a_match(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"^(?<user>[\\p{L}\\d]+) \"(?<req>[^\"]*)\" (?<code>\\d+)$",
		 "bob \"GET /a\xff\" 200",
		 "bob \"GET /a\xff\" 200|bob|GET /a\xff|200"},
		{"^[^ü]*spam.*$", "é \xff spam \xfe", "é \xff spam \xfe"},
		{"[^é]+",
		 "a\xff"
		 "b",
		 "a\xff"
		 "b"},
		{"\\u00e9(.)", "\xc3\xc3\xa9\xa9", "\xc3\xa9\xa9|\xa9"},
		{"\\X+",
		 "e\xff"
		 "a",
		 "e\xff"
		 "a"},
		{"(?i)É(\\W)", "é\xff", "é\xff|\xff"},
		{"\\P{L}", "é\xe9", "\xe9"},
		{"([^é])\\1", "\xff\xfe\xff\xff", "\xff\xff|\xff"},
		{"(é)|(ü)|([^a])", "\xff", "\xff|-|-|\xff"},
		/* overlong, surrogate, above U+10FFFF, never a lead byte */
		{"^[^é]{2}$", "\xc0\xaf", "\xc0\xaf"},
		{"^[^é]{3}$", "\xed\xa0\x80", "\xed\xa0\x80"},
		{"^[^é]{4}$", "\xf4\x90\x80\x80", "\xf4\x90\x80\x80"},
		{"^[^é]{5}$", "\xf8\x88\x80\x80\x80", "\xf8\x88\x80\x80\x80"},
		/* a valid character next to it, also a private one */
		{"^([^é])(é)$", "\xe3é", "\xe3é|\xe3|é"},
		{"^([^é])(\\x{10feff})$", "\xff\xf4\x8f\xbb\xbf",
		 "\xff\xf4\x8f\xbb\xbf|\xff|\xf4\x8f\xbb\xbf"},
	};
	CHECK_MATCHES(cases);
}

static void an_invalid_byte_is_no_letter(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"^\\p{L}+$", "a\xff", "no"},
		{"é", "\xe9", "no"},
		{"[é]", "\xe9", "no"},
		{"[à-ÿ]", "\xe9", "no"},
		{"(?i)É", "\xc3", "no"},
		{"é", "\xc3", "no"},
		{"é|[[:alnum:]]", "\xaa", "no"},
		{"é|[[:print:]]", "\xaa", "no"},
		{"é|\\p{Punct}", "\xaa", "no"},
		{"é|\\s", "\x85", "no"},
		{"é|\\w", "\xe9", "no"},
		{"é|a", "\xff", "no"},
	};
	CHECK_MATCHES(cases);
}

static void groups_at_the_edges_are_those_of_the_text(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"^([^é]*)(é)([^é]*)$", "\xffé\xff", "\xffé\xff|\xff|é|\xff"},
		{"^(é?)([^é]+)(é?)$", "\xff\xfe", "\xff\xfe||\xff\xfe|"},
		{"(é*)$", "\xff", "|"},
		{"^(é*)", "\xff", "|"},
		{"[^é]*", "", ""},
		{"é", "", "no"},
		{"^(\\p{L}+)\n([^é]*)$", "\xff\né\n\xfe", "é\n\xfe|é|\xfe"},
		{"é\\K[^é]", "\xffé\xff", "\xff"},
		/* truncated */
		{"^(\\p{Lu}+) ([^ é]+)$", "GET /\xe3\x81",
		 "GET /\xe3\x81|GET|/\xe3\x81"},
		{"^(.*é)(.*)$", "é\xf0\x9f\x98",
		 "é\xf0\x9f\x98|é|\xf0\x9f\x98"},
		{"é([^é])$", "é\xc3", "é\xc3|\xc3"},
	};
	CHECK_MATCHES(cases);
}

/* The valid characters of such a text stay whole. */
static void characters_next_to_an_invalid_byte_are_characters(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"^.{2}", "\xffé", "\xffé"},
		{"^(.*)(.+)$", "\xff日", "\xff日|\xff|日"},
		{"^([^@]*)([^ ]+)", "日\xff", "日\xff|日|\xff"},
		{"^(\\S+)([[:alpha:]])", "\xffé", "\xffé|\xff|é"},
		{"^[^ ]*.$", "\xe6\x97", "\xe6\x97"},
	};
	CHECK_MATCHES(cases);
}

enum { LONG_BYTES = 64 * 1024 };

static void a_long_text_of_invalid_bytes_is_matched(void **state)
{
	(void)state;
	static char text[LONG_BYTES];
	struct err e;
	bool present;
	struct pattern *p =
		pattern_new(SPAN("^([^é]*)(?:(é)([^é]))?$"), "", &e);
	assert_non_null(p);
	memset(text, '\xff', sizeof text);
	assert_true(pattern_matches(p, span_make(text, sizeof text), NULL));
	assert_int_equal(pattern_group(p, 0, &present).len, sizeof text);
	assert_int_equal(pattern_group(p, 1, &present).len, sizeof text);
	pattern_group(p, 2, &present);
	assert_false(present);

	memcpy(text + sizeof text - 3, "é", 2);
	assert_true(pattern_matches(p, span_make(text, sizeof text), NULL));
	assert_int_equal(pattern_group(p, 1, &present).len, sizeof text - 3);
	assert_ptr_equal(pattern_group(p, 2, &present).ptr,
			 text + sizeof text - 3);
	assert_ptr_equal(pattern_group(p, 3, &present).ptr,
			 text + sizeof text - 1);
	assert_int_equal(pattern_group(p, 3, &present).len, 1);
	pattern_free(p);
}

static void the_limits_hold_for_invalid_text(void **state)
{
	(void)state;
	static char text[LONG_BYTES];
	static const struct search_cost used_up = {.cpu_ns = SEARCH_CPU_NS_MAX};
	struct search_cost cost = used_up;
	struct err e;
	struct pattern *p = pattern_new(SPAN("([^é]+[^é]+)+$"), "", &e);
	assert_non_null(p);
	struct span dear = SPAN("\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff"
				"\xfeé");
	assert_false(pattern_matches(p, dear, &cost));
	assert_true(pattern_hit_limit(p));
	assert_true(pattern_matches(p, SPAN("é\xff\xff"), &cost));
	assert_false(pattern_matches(p, SPAN("\xff\xffé"), &cost));
	assert_false(pattern_hit_limit(p));
	cost = (struct search_cost){0};
	assert_false(pattern_matches(p, dear, &cost));
	assert_false(pattern_hit_limit(p));
	assert_true(cost.steps > 0);
	pattern_free(p);

	/* Each start position scans the rest. */
	p = pattern_new(SPAN("([^é.]+\\.)+com[0-9]"), "", &e);
	assert_non_null(p);
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 2 == 0 ? '\xff' : '.';
	memcpy(text + sizeof text - 4, " com", 4);
	assert_false(pattern_matches(p, span_make(text, sizeof text), NULL));
	assert_true(pattern_hit_limit(p));
	pattern_free(p);
}

/* The parts of an expression that was split. */
static void each_part_of_a_large_expression_reads_invalid_text(void **state)
{
	(void)state;
	struct err e;
	struct buf regex = {0};
	buf_put_text(&regex, "^[^ü]*(?:é");
	for (size_t i = 0; i < 9000; i++)
		buf_printf(&regex, "|word%05zu", i);
	buf_put_text(&regex, ")$");
	assert_null(pattern_new(buf_span(&regex), "", &e));
	struct pattern *p = pattern_new_groupless(buf_span(&regex), "", &e);
	assert_non_null(p);
	assert_true(pattern_matches(p, SPAN("\xff word08999"), NULL));
	assert_true(pattern_matches(p, SPAN("\xff é"), NULL));
	assert_false(pattern_matches(p, SPAN("\xff word09000"), NULL));
	assert_false(pattern_matches(p, SPAN("ü\xff word08999"), NULL));
	pattern_free(p);
	buf_fini(&regex);
}

static void a_class_in_a_class_has_characters_beyond_ascii(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"^(?<k>[[[:alnum:]]_]+)=(?<v>.*)$", "clé=1", "clé=1|clé|1"},
		{"^(?<k>[_[[:alpha:]-[é]]]+)=", "ü-é=1", "ü-é=|ü-é"},
		{"^[^a[[:graph:]]]+", " é", " "},
		{"^[ü[ä[ö]]]+$", "öäü", "öäü"},
	};
	CHECK_MATCHES(cases);
}

/* Onigmo sets it to what the call matched. */
static void a_group_that_is_called_keeps_its_own_text(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"^(?<n>\\d+),\\g<n>$", "1,2", "1,2|1"},
		{"(?<octet>\\d{1,3}){0}(?<ip>\\g<octet>\\.\\g<octet>)$",
		 "10.20", "10.20|-|10.20"},
	};
	CHECK_MATCHES(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_greedy_run_gives_back_whole_characters),
		cmocka_unit_test(what_cannot_split_a_character_matches_bytes),
		cmocka_unit_test(an_invalid_byte_never_prevents_a_match),
		cmocka_unit_test(an_invalid_byte_is_no_letter),
		cmocka_unit_test(groups_at_the_edges_are_those_of_the_text),
		cmocka_unit_test(
			characters_next_to_an_invalid_byte_are_characters),
		cmocka_unit_test(a_long_text_of_invalid_bytes_is_matched),
		cmocka_unit_test(the_limits_hold_for_invalid_text),
		cmocka_unit_test(
			each_part_of_a_large_expression_reads_invalid_text),
		cmocka_unit_test(
			a_class_in_a_class_has_characters_beyond_ascii),
		cmocka_unit_test(a_group_that_is_called_keeps_its_own_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
