/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "intake/framing.h"

enum { BYTES_MAX = 8 };

static const char mark_of[] = {[FRAMING_MESSAGE] = '|',
			       [FRAMING_TRUNCATED] = '~',
			       [FRAMING_NO_LENGTH] = '?'};

/* Feed the text in pieces of `piece` bytes and keep unread bytes as a stream
 * does.  Write down each message with '|' after it, or with '$' if the stream
 * ended within it. */
static void run(enum framing_kind kind, struct span text, size_t piece,
		struct buf *out)
{
	struct framing f;
	struct buf held = {0};
	struct span message;
	framing_init(&f, kind, BYTES_MAX);
	buf_clear(out);
	for (size_t at = 0; at < text.len; at += piece) {
		size_t n = text.len - at < piece ? text.len - at : piece;
		buf_put(&held, text.ptr + at, n);
		/* An exact copy, so that the sanitizer notices a read past its
		 * end. */
		char *exact = malloc(held.len);
		memcpy(exact, held.ptr, held.len);
		struct span rest = span_make(exact, held.len);
		enum framing_what what;
		while ((what = framing_take(&f, &rest, &message)) !=
		       FRAMING_MORE) {
			assert_in_range(message.len, 1, BYTES_MAX);
			buf_put_span(out, message);
			buf_put_char(out, mark_of[what]);
		}
		assert_in_range(rest.len, 0, BYTES_MAX + 10);
		buf_clear(&held);
		buf_put_span(&held, rest);
		free(exact);
	}
	if (framing_end(&f, buf_span(&held), &message)) {
		buf_put_span(out, message);
		buf_put_char(out, '$');
	}
	buf_fini(&held);
}

struct framed {
	struct span text;
	const char *messages;
};

static void check(enum framing_kind kind, const struct framed *cases,
		  size_t count)
{
	struct buf out = {0};
	for (size_t i = 0; i < count; i++)
		for (size_t piece = 1; piece <= cases[i].text.len; piece++) {
			run(kind, cases[i].text, piece, &out);
			if (strcmp(buf_text(&out), cases[i].messages) != 0)
				fail_msg("case %zu in pieces of %zu: %s", i,
					 piece, buf_text(&out));
		}
	buf_fini(&out);
}

static void a_line_is_one_message_however_it_is_split(void **state)
{
	(void)state;
	const struct framed cases[] = {
		{SPAN("a\n"), "a|"},	    {SPAN("a\nbc\n"), "a|bc|"},
		{SPAN("a\0bc\0"), "a|bc|"}, {SPAN("a\n\0\n\nbc\n\n"), "a|bc|"},
		{SPAN("\n\n\n"), ""},	    {SPAN("a\r\n"), "a\r|"},
		{SPAN("a\nbc"), "a|bc$"},   {SPAN("6 abc\n"), "6 abc|"},
	};
	check(FRAMING_NEWLINE, cases, COUNT(cases));
}

static void a_line_that_is_too_long_is_cut_and_the_next_is_whole(void **state)
{
	(void)state;
	const struct framed cases[] = {
		{SPAN("12345678\nx\n"), "12345678|x|"},
		{SPAN("123456789\nx\n"), "12345678~x|"},
		{SPAN("12345678901234567890123\nx\n"), "12345678~x|"},
		{SPAN("123456789012345678\0x\n"), "12345678~x|"},
		{SPAN("123456789\n123456789\n\nx"), "12345678~12345678~x$"},
		{SPAN("123456789"), "12345678~"},
	};
	check(FRAMING_NEWLINE, cases, COUNT(cases));
}

static void counted_octets_are_one_message_however_they_are_split(void **state)
{
	(void)state;
	const struct framed cases[] = {
		{SPAN("1 a"), "a|"},
		{SPAN("1 a2 bc"), "a|bc|"},
		{SPAN("1 a\n2 bc\n\n1 d"), "a|bc|d|"},
		{SPAN("3 a\nb2 c\0"), "a\nb|c"}, /* strcmp stops at the NUL */
		{SPAN("0 1 a0 0 1 b"), "a|b|"},
		{SPAN("008 12345678"), "12345678|"},
		{SPAN("9 1234567891 x"), "12345678~x|"},
		{SPAN("20 123456789012345678901 x"), "12345678~x|"},
		{SPAN("5 abc"), "abc$"},
		{SPAN("1 a12"), "a|"},
		{SPAN("1 a1 "), "a|"},
	};
	check(FRAMING_OCTETS, cases, COUNT(cases));
}

static void a_message_without_a_length_is_a_line(void **state)
{
	(void)state;
	const struct framed cases[] = {
		{SPAN("abc\n1 a"), "abc?a|"},
		{SPAN("1 aabc\n1 b"), "a|abc?b|"},
		{SPAN("1a\n1 b"), "1a?b|"},
		{SPAN("-1 a\n1 b"), "-1 a?b|"},
		{SPAN(" 1 a\n1 b"), " 1 a?b|"},
		{SPAN("99999999999 a\n1 b"), "99999999~b|"},
		{SPAN("abcdefghi\n1 b"), "abcdefgh~b|"},
		{SPAN("a\n\0\n1 b\0001 c"), "a?b|c|"},
		{SPAN("abc"), "abc$"},
	};
	check(FRAMING_OCTETS, cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_one_message_however_it_is_split),
		cmocka_unit_test(
			a_line_that_is_too_long_is_cut_and_the_next_is_whole),
		cmocka_unit_test(
			counted_octets_are_one_message_however_they_are_split),
		cmocka_unit_test(a_message_without_a_length_is_a_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
