/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns on text beyond ASCII. */
#include "unit.h"

#include <string.h>

#include "base/buf.h"
#include "regex/pattern.h"
#include "regex/ruby_regex.h"

struct match_case {
	const char *regex, *text, *expected;
};

/* Expected is "0|1|-": the groups, with - for one that took no part; or "no" if
 * the regex does not match. */
static void check_match(const char *regex, struct span text,
			const char *expected)
{
	struct err e = {0};
	struct buf got = {0};
	struct pattern *p = pattern_new(span_of(regex), "", &e);
	if (p == NULL)
		fail_msg("%s: %s", regex, e.text);
	if (!pattern_matches(p, text, NULL)) {
		buf_put_text(&got, pattern_hit_limit(p) ? "limit" : "no");
	} else {
		for (size_t i = 0; i <= pattern_groups(p); i++) {
			bool present;
			struct span group = pattern_group(p, i, &present);
			buf_put_text(&got, i > 0 ? "|" : "");
			buf_put_span(&got, present ? group : SPAN("-"));
		}
	}
	if (strcmp(buf_text(&got), expected) != 0)
		fail_msg("%s on %.*s: %s, expected %s", regex, (int)text.len,
			 text.ptr, buf_text(&got), expected);
	buf_fini(&got);
	pattern_free(p);
}

static void check_matches(const struct match_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_match(cases[i].regex, span_of(cases[i].text),
			    cases[i].expected);
}

#define CHECK_MATCHES(cases) check_matches(cases, COUNT(cases))

/* Backtracking shortens [^@]* by one character, not by one byte. */
static void a_greedy_run_gives_back_whole_characters(void **state)
{
	(void)state;
	static const struct match_case cases[] = {
		{"^(?<user>[^@]*)(?<dom>[^ ]+)", "日本", "日本|日|本"},
		{"^(?<dir>.*)(?<file>[^/]+)$", "/a/日本", "/a/日本|/a/日|本"},
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
	};
	static const char *const slow[] = {
		"(.*)([^/]+)",	   "(.*)(.*)$",	 "(?:,|.*){2}",
		"(?:,*.*)+a",	   "a|.*.*b",	 "(?:.*a|.*)[^ ]*$",
		"(?:.*(?i)a|.*)c", ".*a{00}.*$", "(.*)\\1",
		".*(?<!a)",
	};
	for (size_t i = 0; i < COUNT(fast); i++)
		if (!matches_bytes(fast[i]))
			fail_msg("%s", fast[i]);
	for (size_t i = 0; i < COUNT(slow); i++)
		if (matches_bytes(slow[i]))
			fail_msg("%s", slow[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_greedy_run_gives_back_whole_characters),
		cmocka_unit_test(what_cannot_split_a_character_matches_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
