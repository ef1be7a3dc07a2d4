/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "parse/logfmt.h"
#include "parse/ltsv.h"
#include "record/unescape.h"

struct pair_case {
	const char *text, *pairs;
};

static void ltsv_is_read_field_by_field(void **state)
{
	(void)state;
	static const struct pair_case cases[] = {
		{"a:1\tb:2", "a=1;b=2;"},
		{"a:x:y\tb:\tc: ", "a=x:y;b=;c= ;"},
		{"host_.-9Z:1", "host_.-9Z=1;"},
		{"a:1\t", "a=1;"},
		{"a:1\tb:2\nc:3", "a=1;b=2;"},
		{"a:1\r\nc:3", "a=1;"},
		{"a:1\t\nc:3", "a=1;"},
		{"a:1\tno label\tc:3", "a=1;"},
		{"a:1\t\tc:3", "a=1;"},
		{"a:1\t:2\tc:3", "a=1;=2;c=3;"},
		{"a:\xff\xe3\x81\tb:1", "a=\xff\xe3\x81;b=1;"},
		{"\xc3\xa9:1", ""},
		{"a", ""},
		{"", ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf got = {0};
		struct span text = span_of(cases[i].text), label, value;
		while (ltsv_next(&text, &label, &value))
			buf_printf(&got, "%.*s=%.*s;", (int)label.len,
				   label.ptr, (int)value.len, value.ptr);
		assert_string_equal(buf_text(&got), cases[i].pairs);
		buf_fini(&got);
	}
}

static void a_nul_byte_ends_ltsv(void **state)
{
	(void)state;
	struct span text = span_make("a:1\0\tb:2", 8), label, value;
	assert_true(ltsv_next(&text, &label, &value));
	assert_int_equal(value.len, 1);
	assert_false(ltsv_next(&text, &label, &value));
}

static void logfmt_is_read_pair_by_pair(void **state)
{
	(void)state;
	/* q: quoted, e: with escapes, -: without "=". */
	static const struct pair_case cases[] = {
		{"a=1 b=2", "a=1;b=2;"},
		{"a=\"x y\" b=\"\"", "a=x y(q);b=(q);"},
		{"a=\"x \\\"y\\\\\" b", "a=x \\\"y\\\\(qe);b(-);"},
		{"bare", "bare(-);"},
		{"a= b", "a=;b(-);"},
		{"a==b", "a=;b(-);"},
		{"=a", "a(-);"},
		{"a=b\"c\"d=e f", "a=b;c(-);d=e;f(-);"},
		{"a=\"open", "a=open(q);"},
		{"a=\"open\\", "a=open\\(qe);"},
		{"a=\"x\"b=1", "a=x(q);b=1;"},
		{"a=1\nb=2", "a=1;"},
		{"a=1\r\nb=2", "a=1;"},
		{"a=1 \nb=2", "a=1;b=2;"},
		{"\n\ta=1", "a=1;"},
		{"\xc3\xa9=\xe3\x81", "\xc3\xa9=\xe3\x81;"},
		{" \"==\" ", ""},
		{"", ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf got = {0};
		struct span text = span_of(cases[i].text);
		struct logfmt_pair p;
		while (logfmt_next(&text, &p)) {
			bool marked = p.is_quoted || !p.has_equals;
			buf_put_span(&got, p.key);
			buf_put_text(&got, p.has_equals ? "=" : "");
			buf_put_span(&got, p.value);
			buf_printf(
				&got, "%s%s%s%s%s", marked ? "(" : "",
				p.is_quoted ? "q" : "", p.has_escape ? "e" : "",
				p.has_equals ? "" : "-", marked ? ");" : ";");
		}
		assert_string_equal(buf_text(&got), cases[i].pairs);
		buf_fini(&got);
	}
}

typedef struct span (*unescape_fn)(struct arena *, struct span);

static void each_dialect_decodes_its_escapes(void **state)
{
	(void)state;
	static const struct {
		unescape_fn unescape;
		struct span text, expected;
	} cases[] = {
#define CASE(kind, text, expected)                     \
	{                                              \
		kind, {text, sizeof(text) - 1},        \
		{                                      \
			expected, sizeof(expected) - 1 \
		}                                      \
	}
		CASE(unescape_plain, "a\\n\\t\\r\\a\\b\\v\\f\\\\z",
		     "a\n\t\r\a\b\v\f\\z"),
		CASE(unescape_plain, "\\\"\\x41\\0\\/\\'", "\"x410/'"),
		CASE(unescape_plain, "a\\", "a\\"),
		CASE(unescape_utf8, "a\\n\\t\\r\\a\\b\\v\\f\\\\z",
		     "a\n\t\r\a\b\v\f\\z"),
		CASE(unescape_utf8, "\\\"\\'\\/\\q", "\"'/q"),
		CASE(unescape_utf8, "\\u00e9\\u3042\\u0041",
		     "\xc3\xa9\xe3\x81\x82"
		     "A"),
		CASE(unescape_utf8, "\\ud83d\\ude00", "\xf0\x9f\x98\x80"),
		CASE(unescape_utf8, "\\ud83dx\\ude00",
		     "\xef\xbf\xbdx\xef\xbf\xbd"),
		CASE(unescape_utf8, "\\ud83d\\n", "\xef\xbf\xbd\n"),
		CASE(unescape_utf8, "\\ud83d\\ude0",
		     "\xef\xbf\xbd\xef\xbf\xbd"),
		CASE(unescape_utf8, "\\u12z\\uz\\u", "\xef\xbf\xbdzuzu"),
		CASE(unescape_utf8, "\\x41\\xe9\\xz\\x", "A\xc3\xa9xzx"),
		CASE(unescape_utf8, "\\101\\7\\1012\\777\\9",
		     "A\x07"
		     "A2\xc7\xbf"
		     "9"),
		CASE(unescape_utf8, "\\U0001f600\\U110000\\U",
		     "\xf0\x9f\x98\x80\xef\xbf\xbdU"),
		CASE(unescape_utf8, "a\\u0000b\\0", "a\0b\0"),
		CASE(unescape_utf8, "\\\xc3\xa9\xff", "\xc3\xa9\xff"),
		CASE(unescape_utf8, "a\\", "a\\"),
		CASE(unescape_mysql, "'a\\n\\r\\t\\\\\\'\\\"\\0\\Z'",
		     "a\n\r\t\\'\"\0\x1a"),
		CASE(unescape_mysql, "\"a\\q\\%\"", "a\\q\\%"),
		CASE(unescape_mysql, "'a\\'", "a\\"),
		CASE(unescape_mysql, "'a\"", "'a\""),
		CASE(unescape_mysql, "a\\n", "a\\n"),
		CASE(unescape_mysql, "''", ""),
		CASE(unescape_mysql, "'", "'"),
		CASE(unescape_mysql, "", ""),
	};
	struct arena *a = arena_new(4096);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct span got = cases[i].unescape(a, cases[i].text);
		if (!span_equals(got, cases[i].expected))
			fail_msg("%s: \"%.*s\"", cases[i].text.ptr,
				 (int)got.len, got.ptr);
		assert_true(got.len <= cases[i].text.len);
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ltsv_is_read_field_by_field),
		cmocka_unit_test(a_nul_byte_ends_ltsv),
		cmocka_unit_test(logfmt_is_read_pair_by_pair),
		cmocka_unit_test(each_dialect_decodes_its_escapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
