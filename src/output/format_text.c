/* SPDX-License-Identifier: Apache-2.0 */
#include "output/format_text.h"

#include <math.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "output/format.h"
#include "record/value.h"

/* --- strings */

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* Returns a non-zero value if one of the eight bytes is special: a control
 * character, equal to `also`, or not ASCII.  The arithmetic works on all bytes
 * at once.  A subtraction borrows from the next byte only if there is a special
 * byte, so the result is exact. */
static inline __attribute__((always_inline)) uint64_t special_of(
	uint64_t bytes, unsigned char also)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t del = bytes ^ (ones * 0x7f), other = bytes ^ (ones * also);
	uint64_t below_20 = bytes - ones * 0x20;
	return (below_20 | (del - ones) | (other - ones) | bytes) &
	       (ones * 0x80);
}

/* Each of these functions copies bytes and returns a non-zero value if one of
 * them is special.  Overlapping copies of fixed sizes cover any length without
 * a loop over bytes, and each byte is read once. */
static inline __attribute__((always_inline)) uint64_t copy_16(
	char *to, const char *from, unsigned char also)
{
#ifdef __SSE2__
	__m128i b = _mm_loadu_si128((const __m128i *)from);
	const __m128i del = _mm_set1_epi8(0x7f), space = _mm_set1_epi8(' ');
	const __m128i other = _mm_set1_epi8((char)also);
	_mm_storeu_si128((__m128i *)to, b);
	/* Bytes from 0x80 on are negative, so they are below a space, too. */
	return (unsigned)_mm_movemask_epi8(
		_mm_or_si128(_mm_cmplt_epi8(b, space),
			     _mm_or_si128(_mm_cmpeq_epi8(b, del),
					  _mm_cmpeq_epi8(b, other))));
#else
	uint64_t bytes[2];
	memcpy(bytes, from, sizeof bytes);
	memcpy(to, bytes, sizeof bytes);
	return special_of(bytes[0], also) | special_of(bytes[1], also);
#endif
}

static inline __attribute__((always_inline)) uint64_t copy_8_to_15(
	char *to, const char *from, size_t len, unsigned char also)
{
	uint64_t first, last;
	memcpy(&first, from, sizeof first);
	memcpy(&last, from + len - sizeof last, sizeof last);
	memcpy(to, &first, sizeof first);
	memcpy(to + len - sizeof last, &last, sizeof last);
	return special_of(first, also) | special_of(last, also);
}

static inline __attribute__((always_inline)) uint64_t copy_4_to_7(
	char *to, const char *from, size_t len, unsigned char also)
{
	uint32_t first, last;
	memcpy(&first, from, sizeof first);
	memcpy(&last, from + len - sizeof last, sizeof last);
	memcpy(to, &first, sizeof first);
	memcpy(to + len - sizeof last, &last, sizeof last);
	return special_of((uint64_t)first << 32 | last, also);
}

/* `also` is a constant in each caller, so that it costs nothing if it is 0x7f,
 * which is special anyway. */
static inline __attribute__((always_inline)) uint64_t copy(char *to,
							   const char *from,
							   size_t len,
							   unsigned char also)
{
	uint64_t special = 0;
	if (len >= 16) {
		for (size_t at = 0; at < len - 16; at += 16)
			special |= copy_16(to + at, from + at, also);
		return special | copy_16(to + len - 16, from + len - 16, also);
	}
	if (len >= 8)
		return copy_8_to_15(to, from, len, also);
	if (len >= 4)
		return copy_4_to_7(to, from, len, also);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)from[i];
		to[i] = from[i];
		special |= (unsigned char)(c - ' ') >= 0x7f - ' ' || c == also;
	}
	return special;
}

static uint64_t copy_plain(char *to, const char *from, size_t len)
{
	return copy(to, from, len, 0x7f);
}

static uint64_t copy_reversible(char *to, const char *from, size_t len)
{
	return copy(to, from, len, '\\');
}

/* The functions write_... write at most ESCAPE_BYTES_MAX bytes and return the
 * place after them. */
enum { ESCAPE_BYTES_MAX = 6, PIECE_BYTES = 64 };

static char *write_control(char *to, unsigned char c)
{
	static const char letters[0x20] = {['\b'] = 'b',
					   ['\f'] = 'f',
					   ['\n'] = 'n',
					   ['\r'] = 'r',
					   ['\t'] = 't'};
	if (c < sizeof letters && letters[c] != '\0') {
		to[0] = '\\';
		to[1] = letters[c];
		return to + 2;
	}
	return hex_write(to, "\\u00", c, 2);
}

static inline bool is_escaped(unsigned char c, size_t len, uint32_t character,
			      unsigned escape)
{
	if (len == 0)
		return (escape & (FORMAT_BAD_ESCAPED | FORMAT_BAD_REPLACED)) !=
		       0;
	if (c == '\\')
		return (escape & FORMAT_BACKSLASH) != 0;
	return (escape & FORMAT_LINE) != 0 &&
	       (is_control(c) || utf8_is_control(character));
}

/* Write the escape of a byte that is not UTF-8 (len 0), or of a character. */
static inline char *write_escape(char *to, unsigned char c, size_t len,
				 uint32_t character, unsigned escape)
{
	if (len > 1)
		return hex_write(to, "\\u", character, 4);
	if (len == 0 && (escape & FORMAT_BAD_ESCAPED) != 0)
		return hex_write(to, "\\x", c, 2);
	if (len == 1 && c != '\\')
		return write_control(to, c);
	if (len == 1) {
		memcpy(to, "\\\\", 2);
		return to + 2;
	}
	memcpy(to, "\xef\xbf\xbd", 3);
	return to + 3;
}

/* Append the text with its escapes.  Reserve for a piece at a time, because a
 * client can send long texts in which each byte needs an escape.  Not inlined,
 * like put_column: otherwise put_escaped and format_put_text would save
 * registers for these loops on each call. */
static NO_INLINE void put_special(struct buf *out, struct span s,
				  unsigned escape)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	const unsigned char *end = p + s.len;
	while (p < end) {
		size_t left = (size_t)(end - p);
		size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;
		const unsigned char *stop = p + piece;
		char *to = buf_reserve(out, piece * ESCAPE_BYTES_MAX);
		while (p < stop) {
			uint32_t character;
			size_t len =
				utf8_read(p, (size_t)(end - p), &character);
			size_t taken = len > 0 ? len : 1;
			if (is_escaped(*p, len, character, escape)) {
				to = write_escape(to, *p, len, character,
						  escape);
				p += taken;
				continue;
			}
			while (taken-- > 0)
				*to++ = (char)*p++;
		}
		out->len = (size_t)(to - out->ptr);
	}
}

/* Only text with a special character is copied twice. */
static void put_escaped(struct buf *out, struct span s, unsigned escape)
{
	if (s.len == 0)
		return;
	char *to = buf_reserve(out, s.len);
	uint64_t special = (escape & FORMAT_BACKSLASH) != 0
				   ? copy_reversible(to, s.ptr, s.len)
				   : copy_plain(to, s.ptr, s.len);
	if (special == 0)
		out->len += s.len;
	else
		put_special(out, s, escape);
}

/* Append the text with each quote doubled. */
static NO_INLINE void put_column(struct buf *out, struct span s,
				 unsigned escape)
{
	const char *quote;
	while (s.len > 0 && (quote = memchr(s.ptr, '"', s.len)) != NULL) {
		size_t len = (size_t)(quote + 1 - s.ptr);
		put_escaped(out, span_make(s.ptr, len), escape);
		buf_put_char(out, '"');
		s = span_make(quote + 1, s.len - len);
	}
	put_escaped(out, s, escape);
}

enum json_bad_bytes format_bad_bytes(const struct format *f)
{
	return (f->escape & FORMAT_BAD_ESCAPED) != 0 ? JSON_BAD_ESCAPED
						     : JSON_BAD_REPLACED;
}

void format_put_text(struct buf *out, struct span s, unsigned escape)
{
	if (escape == FORMAT_RAW)
		buf_put_span(out, s);
	else if ((escape & FORMAT_QUOTES) != 0)
		put_column(out, s, escape);
	else
		put_escaped(out, s, escape);
}

void format_put_quoted(struct buf *out, struct span s, unsigned escape)
{
	buf_put_char(out, '"');
	format_put_text(out, s, escape);
	buf_put_char(out, '"');
}

/* --- numbers */

static void put_int(struct buf *out, int64_t integer)
{
	char digits[24];
	size_t at = sizeof digits;
	uint64_t rest = integer < 0 ? -(uint64_t)integer : (uint64_t)integer;
	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (integer < 0)
		digits[--at] = '-';
	buf_put(out, digits + at, sizeof digits - at);
}

/* Like printf's %f, but in integers where the digits are certain to be the
 * same.  Below 2^50 the fraction is exact, and the error of its product with
 * 10^6 is far smaller than the distance from a rounding edge that is required
 * here. */
static void put_float(struct buf *out, double real)
{
	if (!signbit(real) && real < 0x1p50) {
		uint64_t whole = (uint64_t)real;
		double scaled = (real - (double)whole) * 1e6 + 0.5;
		uint32_t micro = (uint32_t)scaled;
		double edge = scaled - micro;
		if (edge > 1e-6 && edge < 1 - 1e-6) {
			whole += micro / 1000000;
			micro %= 1000000;
			put_int(out, (int64_t)whole);
			char digits[7] = ".";
			for (size_t i = 6; i > 0; i--, micro /= 10)
				digits[i] = (char)('0' + micro % 10);
			buf_put(out, digits, sizeof digits);
			return;
		}
	}
	buf_put_float(out, real);
}

/* Recursion is as deep as the value, and JSON_DEPTH_MAX limits that. */
static void put_array(struct buf *out, const struct value *v, unsigned escape)
{
	buf_put_char(out, '[');
	for (uint32_t i = 0; i < v->count; i++) {
		buf_put(out, ", ", i > 0 ? 2 : 0);
		format_put_value(out, &v->items[i], escape);
	}
	buf_put_char(out, ']');
}

static void put_map(struct buf *out, const struct value *v, unsigned escape)
{
	buf_put_char(out, '{');
	for (uint32_t i = 0; i < v->count; i++) {
		buf_put(out, ", ", i > 0 ? 2 : 0);
		format_put_quoted(out, v->fields[i].key, escape);
		buf_put(out, "=>", 2);
		format_put_value(out, &v->fields[i].value, escape);
	}
	buf_put_char(out, '}');
}

void format_put_value(struct buf *out, const struct value *v, unsigned escape)
{
	switch (v->type) {
	case VALUE_NULL:
		buf_put(out, "nil", 3);
		break;
	case VALUE_BOOL:
		buf_put_text(out, v->boolean ? "true" : "false");
		break;
	case VALUE_INT:
		put_int(out, v->integer);
		break;
	case VALUE_FLOAT:
		put_float(out, v->real);
		break;
	case VALUE_STRING:
		format_put_quoted(out, v->string, escape);
		break;
	case VALUE_ARRAY:
		put_array(out, v, escape);
		break;
	case VALUE_MAP:
		put_map(out, v, escape);
		break;
	}
}

/* Computed as a double, because its rounding shows in the last digit. */
void format_put_time(struct buf *out, int64_t time_ns)
{
	put_float(out, (double)(time_ns / NS_PER_S) +
			       (double)(time_ns % NS_PER_S) / NS_PER_S);
}

void format_put_exact_time(struct buf *out, int64_t time_ns)
{
	int64_t s = time_ns / NS_PER_S;
	int64_t ns = time_ns % NS_PER_S;
	if (ns < 0) { /* before 1970: the fraction still counts upwards */
		ns += NS_PER_S;
		s--;
	}
	put_int(out, s);
	char digits[10] = ".";
	for (size_t i = 9; i > 0; i--, ns /= 10)
		digits[i] = (char)('0' + ns % 10);
	buf_put(out, digits, sizeof digits);
}
