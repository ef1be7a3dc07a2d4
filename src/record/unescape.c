/* SPDX-License-Identifier: Apache-2.0 */
#include "record/unescape.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

enum { REPLACEMENT = 0xfffd };

static bool has_escape(struct span s)
{
	return s.len > 0 && memchr(s.ptr, '\\', s.len) != NULL;
}

/* Look the letter up in pairs of a letter and its meaning; 0 if not found. */
static char meaning_of(char letter, const char *pairs)
{
	for (const char *p = pairs; *p != '\0'; p += 2)
		if (*p == letter)
			return p[1];
	return '\0';
}

/* The control character that C writes as \letter; 0 if there is none. */
static char control_of(char letter)
{
	return meaning_of(letter, "n\nt\tr\ra\ab\bv\vf\f");
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return 16;
}

/* Read at most `most` digits of that base at *at, and move *at after them.
 * Returns the number of digits. */
static unsigned read_code(struct span s, size_t *at, unsigned most, int base,
			  uint32_t *code)
{
	unsigned count = 0;
	*code = 0;
	for (; count < most && *at < s.len && digit_of(s.ptr[*at]) < base;
	     count++)
		*code = *code * (uint32_t)base +
			(uint32_t)digit_of(s.ptr[(*at)++]);
	return count;
}

static char *put_utf8(char *out, uint32_t code)
{
	if (code >= 0x110000)
		code = REPLACEMENT;
	if (code < 0x80) {
		*out++ = (char)code;
		return out;
	}
	if (code < 0x800) {
		*out++ = (char)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*out++ = (char)(0xe0 | code >> 12);
		} else {
			*out++ = (char)(0xf0 | code >> 18);
			*out++ = (char)(0x80 | (code >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (code & 0x3f));
	return out;
}

static bool is_high(uint32_t code)
{
	return code >= 0xd800 && code < 0xdc00;
}

static bool is_low(uint32_t code)
{
	return code >= 0xdc00 && code < 0xe000;
}

/* Read the digits after \u and, after a high surrogate, the \uHHHH of the low
 * one.  Move *at after them. */
static uint32_t read_u(struct span s, size_t *at)
{
	uint32_t code, low;
	unsigned digits = read_code(s, at, 4, 16, &code);
	if (digits == 0)
		return 'u';
	if (digits < 4 || is_low(code))
		return REPLACEMENT;
	if (!is_high(code))
		return code;
	size_t next = *at + 2;
	if (next > s.len || s.ptr[*at] != '\\' || s.ptr[*at + 1] != 'u' ||
	    read_code(s, &next, 4, 16, &low) < 4 || !is_low(low))
		return REPLACEMENT;
	*at = next;
	return 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
}

/* Read the escape whose backslash is before *at, and move *at after the escape.
 */
static uint32_t read_escape(struct span s, size_t *at)
{
	char letter = s.ptr[*at];
	uint32_t code;
	if (digit_of(letter) < 8) {
		read_code(s, at, 3, 8, &code);
		return code;
	}
	++*at;
	if (letter == 'u')
		return read_u(s, at);
	if (letter == 'x' || letter == 'U') {
		unsigned most = letter == 'x' ? 2 : 8;
		return read_code(s, at, most, 16, &code) > 0
			       ? code
			       : (unsigned char)letter;
	}
	char control = control_of(letter);
	return (unsigned char)(control != '\0' ? control : letter);
}

struct span unescape_plain(struct arena *a, struct span s)
{
	if (!has_escape(s))
		return s;
	char *room = arena_take(a, s.len);
	char *out = room;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (c == '\\' && i + 1 < s.len) {
			c = s.ptr[++i];
			if (control_of(c) != '\0')
				c = control_of(c);
		}
		*out++ = c;
	}
	return span_make(room, (size_t)(out - room));
}

struct span unescape_utf8(struct arena *a, struct span s)
{
	if (!has_escape(s))
		return s;
	char *room = arena_take(a, s.len);
	char *out = room;
	for (size_t i = 0; i < s.len;) {
		char c = s.ptr[i++];
		if (c != '\\' || i == s.len) {
			*out++ = c;
			continue;
		}
		size_t start = i;
		uint32_t code = read_escape(s, &i);
		/* A single non-ASCII byte is not a character: copy it. */
		if (i == start + 1 && code >= 0x80)
			*out++ = s.ptr[start];
		else
			out = put_utf8(out, code);
	}
	return span_make(room, (size_t)(out - room));
}

static char mysql_meaning(char letter)
{
	return meaning_of(letter, "n\nr\rt\t\\\\''\"\"Z\x1a");
}

struct span unescape_mysql(struct arena *a, struct span s)
{
	if (s.len < 2 || s.ptr[0] != s.ptr[s.len - 1] ||
	    (s.ptr[0] != '\'' && s.ptr[0] != '"'))
		return s;
	s = span_make(s.ptr + 1, s.len - 2);
	if (!has_escape(s))
		return s;
	char *room = arena_take(a, s.len);
	char *out = room;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		char meaning = '\0';
		bool is_zero = false;
		if (c == '\\' && i + 1 < s.len) {
			meaning = mysql_meaning(s.ptr[i + 1]);
			is_zero = s.ptr[i + 1] == '0';
		}
		if (meaning != '\0' || is_zero) {
			*out++ = meaning;
			i++;
		} else {
			*out++ = c;
		}
	}
	return span_make(room, (size_t)(out - room));
}
