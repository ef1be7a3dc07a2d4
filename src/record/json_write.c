/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "record/json.h"
#include "record/record.h"

enum {
	SORT_FROM = 64, /* fields; for fewer, comparing all pairs is cheaper */
	NUMBER_BYTES = 64,
};

/* How many bytes from p on need no escape.  The loop looks at eight bytes at a
 * time, since nearly all bytes of a log are plain.  Each term sets the top bit
 * of a byte that is not plain. */
static size_t plain_length(const unsigned char *p, size_t left)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	size_t i = 0;
	for (; left - i >= 8; i += 8) {
		uint64_t w;
		memcpy(&w, p + i, sizeof w);
		uint64_t quote = (w ^ (ones * '"')) - ones;
		uint64_t slash = (w ^ (ones * '\\')) - ones;
		uint64_t control = w - ones * ' ';
		uint64_t above = w + ones;
		if ((quote | slash | control | above | w) & (ones * 0x80))
			break;
	}
	while (i < left && p[i] >= ' ' && p[i] < 0x7f && p[i] != '"' &&
	       p[i] != '\\')
		i++;
	return i;
}

static void write_escaped(struct buf *b, unsigned char c)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	for (const char *s = shorts; *s != '\0'; s += 2) {
		if ((unsigned char)*s == c) {
			buf_put(b, (char[]){'\\', s[1]}, 2);
			return;
		}
	}
	hex_put(b, "\\u00", c, 2);
}

static void write_bad_byte(struct buf *b, enum json_bad_bytes bad,
			   unsigned char c)
{
	if (bad == JSON_BAD_ESCAPED)
		hex_put(b, "\\\\x", c, 2);
	else
		buf_put(b, "\\ufffd", 6);
}

static void write_string(struct buf *b, enum json_bad_bytes bad, struct span s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t run = 0; /* start of the bytes that need no escape */
	size_t i = 0;
	buf_put_char(b, '"');
	while (i < s.len) {
		size_t good = 0;
		uint32_t c = 0;
		if (p[i] >= 0x80)
			good = utf8_read(p + i, s.len - i, &c);
		else
			good = plain_length(p + i, s.len - i);
		bool is_control = utf8_is_control(c);
		if (good > 0 && !is_control) {
			i += good;
			continue;
		}
		buf_put(b, s.ptr + run, i - run);
		if (is_control)
			hex_put(b, "\\u", c, 4);
		else if (p[i] >= 0x80)
			write_bad_byte(b, bad, p[i]);
		else
			write_escaped(b, p[i]);
		i += is_control ? good : 1;
		run = i;
	}
	if (run < s.len)
		buf_put(b, s.ptr + run, s.len - run);
	buf_put_char(b, '"');
}

static void write_value(struct buf *b, enum json_bad_bytes bad,
			const struct value *v);

static void write_float(struct buf *b, double real)
{
	char text[NUMBER_BYTES];
	int len;
	if (!isfinite(real))
		len = snprintf(text, sizeof text, "null");
	else if (real == trunc(real) && fabs(real) < 0x1p63)
		len = snprintf(text, sizeof text, "%.1f", real);
	else
		len = snprintf(text, sizeof text, "%.16g", real);
	buf_put(b, text, (size_t)len);
}

static void write_integer(struct buf *b, int64_t integer)
{
	char text[NUMBER_BYTES];
	char *end = text + sizeof text;
	char *p = end;
	/* The smallest integer has no positive counterpart. */
	uint64_t left = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
	do {
		*--p = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (integer < 0)
		*--p = '-';
	buf_put(b, p, (size_t)(end - p));
}

static void write_array(struct buf *b, enum json_bad_bytes bad,
			const struct value *array)
{
	buf_put_char(b, '[');
	for (size_t i = 0; i < array->count; i++) {
		if (i > 0)
			buf_put_char(b, ',');
		write_value(b, bad, &array->items[i]);
	}
	buf_put_char(b, ']');
}

static void write_field(struct buf *b, enum json_bad_bytes bad,
			const struct field *f, bool is_first)
{
	if (!is_first)
		buf_put_char(b, ',');
	write_string(b, bad, f->key);
	buf_put_char(b, ':');
	write_value(b, bad, &f->value);
}

static void write_few(struct buf *b, enum json_bad_bytes bad,
		      const struct field *fields, size_t count)
{
	bool is_first = true;
	for (size_t i = 0; i < count; i++) {
		if (fields_last(fields + i + 1, count - i - 1, fields[i].key))
			continue;
		write_field(b, bad, &fields[i], is_first);
		is_first = false;
	}
}

/* Comparing all pairs would take seconds for a datagram full of keys. */
static void write_many(struct buf *b, enum json_bad_bytes bad,
		       const struct field *fields, size_t count)
{
	uint32_t *places = mem_new(count, sizeof *places);
	bool *is_last = mem_new(count, sizeof *is_last);
	fields_mark_last(fields, count, places, is_last);
	bool is_first = true;
	for (size_t i = 0; i < count; i++) {
		if (!is_last[i])
			continue;
		write_field(b, bad, &fields[i], is_first);
		is_first = false;
	}
	free(is_last);
	free(places);
}

static void write_map(struct buf *b, enum json_bad_bytes bad,
		      const struct field *fields, size_t count)
{
	buf_put_char(b, '{');
	if (count < SORT_FROM)
		write_few(b, bad, fields, count);
	else
		write_many(b, bad, fields, count);
	buf_put_char(b, '}');
}

static void write_value(struct buf *b, enum json_bad_bytes bad,
			const struct value *v)
{
	switch (v->type) {
	case VALUE_NULL:
		buf_put(b, "null", 4);
		break;
	case VALUE_BOOL:
		buf_put_text(b, v->boolean ? "true" : "false");
		break;
	case VALUE_INT:
		write_integer(b, v->integer);
		break;
	case VALUE_FLOAT:
		write_float(b, v->real);
		break;
	case VALUE_STRING:
		write_string(b, bad, v->string);
		break;
	case VALUE_ARRAY:
		write_array(b, bad, v);
		break;
	case VALUE_MAP:
		write_map(b, bad, v->fields, v->count);
		break;
	}
}

void json_write(struct buf *b, const struct value *v)
{
	write_value(b, JSON_BAD_REPLACED, v);
}

void json_write_string(struct buf *b, struct span s)
{
	write_string(b, JSON_BAD_REPLACED, s);
}

void json_write_record(struct buf *b, enum json_bad_bytes bad,
		       const struct record *r)
{
	write_map(b, bad, r->fields, r->count);
}
