/* SPDX-License-Identifier: Apache-2.0 */
/* json_flat_read makes sure that the last byte of the text is a closing brace,
 * and `end` points to it.  The brace ends every run of blanks, number, word and
 * escape, so that only strings have to check for the end.
 * Each reading function is given where to start and returns where it stopped,
 * or NULL if it leaves the text to yajl. */
#include "record/json_flat.h"

#include <endian.h>
#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "record/record.h"
#include "record/unescape.h"

struct arena;

enum {
	/* Longer numbers may not fit an int64 or the 53 bits of a double. */
	INTEGER_BYTES_MAX = 18,
	REAL_BYTES_MAX = 16, /* including the decimal point */
};

/* The first byte from `at` on that is a quote, a backslash or a control
 * character; `end` if there is none. */
static inline const char *find_special(const char *at, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i slash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);
	for (; end - at >= 16; at += 16) {
		__m128i b = _mm_loadu_si128((const __m128i *)at);
		__m128i is_special = _mm_or_si128(
			_mm_or_si128(_mm_cmpeq_epi8(b, quote),
				     _mm_cmpeq_epi8(b, slash)),
			_mm_cmpeq_epi8(_mm_max_epu8(b, control), control));
		int mask = _mm_movemask_epi8(is_special);
		if (mask != 0)
			return at + (unsigned)__builtin_ctz((unsigned)mask);
	}
#else
	/* Each term sets the top bit of the first byte that it looks for, and
	 * perhaps of later bytes. */
	const uint64_t ones = UINT64_C(0x0101010101010101);
	for (; end - at >= 8; at += 8) {
		uint64_t w;
		memcpy(&w, at, sizeof w);
		w = le64toh(w);
		uint64_t quote = w ^ (ones * '"');
		uint64_t slash = w ^ (ones * '\\');
		uint64_t is_special = ((quote - ones) & ~quote) |
				      ((slash - ones) & ~slash) |
				      ((w - ones * ' ') & ~w);
		is_special &= ones * 0x80;
		if (is_special != 0)
			return at + __builtin_ctzll(is_special) / 8;
	}
#endif
	while (at < end && *at != '"' && *at != '\\' &&
	       (unsigned char)*at >= ' ')
		at++;
	return at;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r'); /* like yajl */
}

static inline const char *skip_blanks(const char *at)
{
	while ((unsigned char)*at <= ' ' && is_blank(*at))
		at++;
	return at;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Skip an escape of JSON that starts at a backslash. */
static const char *skip_escape(const char *at)
{
	char letter = *++at;
	if (letter == '\0' || strchr("\"\\/bfnrtu", letter) == NULL)
		return NULL;
	at++;
	for (int i = 0; letter == 'u' && i < 4; i++)
		if (!is_hex(*at++))
			return NULL;
	return at;
}

/* Read the rest of a string, from the escape at `at` on. */
static const char *read_escaped(const char *start, const char *at,
				const char *end, struct arena *a,
				struct span *s)
{
	while (at < end && *at == '\\') {
		at = skip_escape(at);
		if (at == NULL)
			return NULL;
		at = find_special(at, end);
	}
	if (*at != '"')
		return NULL;
	*s = unescape_utf8(a, span_make(start, (size_t)(at - start)));
	return at + 1;
}

/* Read a string whose opening quote is just before `start`. */
static inline const char *read_string(const char *start, const char *end,
				      struct arena *a, struct span *s)
{
	const char *at = find_special(start, end);
	if (*at != '"')
		return read_escaped(start, at, end, a, s);
	*s = span_make(start, (size_t)(at - start));
	return at + 1;
}

static const char *read_digits(const char *at, uint64_t *n)
{
	for (; is_digit(*at); at++)
		*n = *n * 10 + (uint64_t)(*at - '0');
	return at;
}

/* Read a number from its decimal point on.  Up to 15 digits and a power of ten
 * up to 10^14 are exact as doubles, so that their quotient is rounded only once
 * and equals the result of strtod. */
static const char *read_fraction(const char *point, const char *number,
				 uint64_t n, struct value *v)
{
	static const double powers[] = {1e0,  1e1,  1e2,  1e3,	1e4,
					1e5,  1e6,  1e7,  1e8,	1e9,
					1e10, 1e11, 1e12, 1e13, 1e14};
	const char *at = read_digits(point + 1, &n);
	if (at == point + 1 || at - number > REAL_BYTES_MAX ||
	    FLT_EVAL_METHOD != 0)
		return NULL;
	double real = (double)n / powers[at - point - 1];
	*v = value_float(*number == '-' ? -real : real);
	return at;
}

/* Numbers with an exponent or more digits are left to yajl and strtod. */
static const char *read_number(const char *number, struct value *v)
{
	bool is_negative = *number == '-';
	const char *first = number + is_negative;
	uint64_t n = 0;
	const char *at = read_digits(first, &n);
	if (at == first || at - number > INTEGER_BYTES_MAX ||
	    (*first == '0' && at - first > 1))
		return NULL;
	if (*at == '.')
		return read_fraction(at, number, n, v);
	*v = value_int(is_negative ? -(int64_t)n : (int64_t)n);
	return at;
}

static const char *read_word(const char *at, const char *end, struct span word)
{
	bool is_it = (size_t)(end - at) >= word.len &&
		     memcmp(at, word.ptr, word.len) == 0;
	return is_it ? at + word.len : NULL;
}

/* Read any value but a string. */
static const char *read_plain(const char *at, const char *end, struct value *v)
{
	switch (*at) {
	case 't':
		*v = value_bool(true);
		return read_word(at, end, SPAN("true"));
	case 'f':
		*v = value_bool(false);
		return read_word(at, end, SPAN("false"));
	case 'n':
		*v = value_null();
		return read_word(at, end, SPAN("null"));
	default:
		return read_number(at, v);
	}
}

/* Skip the `mark` and the blanks around it; NULL if there is no mark.  The
 * first test is for the texts that nginx writes: no blanks, then a string. */
static inline const char *skip_mark(const char *at, char mark)
{
	if (at[0] == mark && at[1] == '"')
		return at + 1;
	at = skip_blanks(at);
	return *at == mark ? skip_blanks(at + 1) : NULL;
}

static const char *read_member(const char *at, const char *end, struct arena *a,
			       struct field *f)
{
	if (*at != '"')
		return NULL;
	at = read_string(at + 1, end, a, &f->key);
	if (at == NULL)
		return NULL;
	at = skip_mark(at, ':');
	if (at == NULL)
		return NULL;
	if (*at != '"')
		return read_plain(at, end, &f->value);
	f->value.type = VALUE_STRING;
	f->value.count = 0;
	return read_string(at + 1, end, a, &f->value.string);
}

/* Read the members after the opening brace.  True if the text ends with the
 * closing brace. */
static bool read_members(const char *at, const char *end, struct record *into)
{
	at = skip_blanks(at);
	if (*at == '}')
		return at == end;
	into->has_unique_keys = false;
	for (;;) {
		if (into->count == into->cap)
			record_grow(into);
		/* The field is filled in place to save a copy. */
		at = read_member(at, end, into->arena,
				 &into->fields[into->count]);
		if (at == NULL)
			return false;
		into->count++;
		const char *next = skip_mark(at, ',');
		if (next == NULL) {
			at = skip_blanks(at);
			return at == end;
		}
		at = next;
	}
}

bool json_flat_read(struct span text, struct record *into)
{
	while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
		text.len--;
	if (text.len < 2 || text.ptr[text.len - 1] != '}')
		return false;
	const char *at = skip_blanks(text.ptr);
	size_t count = into->count;
	const char *end = text.ptr + text.len - 1;
	if (*at == '{' && read_members(at + 1, end, into))
		return true;
	into->count = count;
	return false;
}
