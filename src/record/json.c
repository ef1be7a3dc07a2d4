/* SPDX-License-Identifier: Apache-2.0 */
/* How a text is read:
 * 1. yajl calls back for each token.  Values are collected on one stack; an
 *    open container is a field on it, with its children behind it:
 *
 *        {"a":1,"b":[2,3 ...      stack   {  a=1  b=[  2  3
 *                                 opened  0       2
 *
 * 2. When a container ends, its children go to the arena and only the
 *    container stays on the stack.
 * 3. When the outermost object ends, its place in the text is kept.
 * 4. When nothing but blanks is behind that place, its children become fields
 *    of the record, which was not touched before.
 *
 * A yajl handle that has seen one whole object is ready for the next one.
 * After anything else it is in the middle of something and is replaced. */
#include "record/json.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "record/record.h"

enum {
	STACK_FIRST = 64,
	STACK_KEEP_MAX = 4096, /* one huge text does not hold memory for ever */
	SORT_FROM = 64,	       /* fields; below, comparing all is cheaper */
	NUMBER_BYTES = 64,
};

struct json_reader {
	yajl_handle yajl; /* NULL: to be made */
	struct span text;
	struct arena *arena;
	struct span key; /* of the value that comes next */
	struct field *stack;
	size_t count;
	size_t cap;
	size_t opened[JSON_DEPTH_MAX]; /* places on the stack */
	size_t depth;
	size_t end; /* behind the outermost object; 0: not there yet */
	enum json_verdict refusal;
};

/* The answers to yajl: 1 goes on, 0 stops. */
static int refuse(struct json_reader *r, enum json_verdict why)
{
	r->refusal = why;
	return 0;
}

static void push(struct json_reader *r, struct value value)
{
	if (r->count == r->cap) {
		r->cap = r->cap ? r->cap * 2 : STACK_FIRST;
		r->stack = mem_grow(r->stack, r->cap, sizeof *r->stack);
	}
	r->stack[r->count++] = (struct field){r->key, value};
}

static int take(struct json_reader *r, struct value value)
{
	if (r->depth == 0)
		return refuse(r, JSON_NO_OBJECT);
	push(r, value);
	return 1;
}

static int open_container(struct json_reader *r, enum value_type type)
{
	if (r->depth == JSON_DEPTH_MAX)
		return refuse(r, JSON_TOO_DEEP);
	if (r->depth == 0 && (r->end != 0 || type != VALUE_MAP))
		return refuse(r, JSON_NO_OBJECT);
	r->opened[r->depth++] = r->count;
	push(r, (struct value){.type = type});
	return 1;
}

static void close_map(struct value *map, const struct field *children,
		      struct arena *a)
{
	size_t size_bytes = map->count * sizeof *children;
	map->fields = arena_take(a, size_bytes);
	memcpy(map->fields, children, size_bytes);
}

static void close_array(struct value *array, const struct field *children,
			struct arena *a)
{
	array->items = arena_take(a, array->count * sizeof *array->items);
	for (size_t i = 0; i < array->count; i++)
		array->items[i] = children[i].value;
}

static int on_end(void *ctx)
{
	struct json_reader *r = ctx;
	if (--r->depth == 0) {
		r->end = yajl_get_bytes_consumed(r->yajl);
		return 1;
	}
	size_t place = r->opened[r->depth];
	struct value *v = &r->stack[place].value;
	const struct field *children = r->stack + place + 1;
	v->count = (uint32_t)(r->count - place - 1);
	if (v->type == VALUE_MAP)
		close_map(v, children, r->arena);
	else
		close_array(v, children, r->arena);
	r->count = place + 1;
	return 1;
}

static int on_start_map(void *ctx)
{
	return open_container(ctx, VALUE_MAP);
}

static int on_start_array(void *ctx)
{
	return open_container(ctx, VALUE_ARRAY);
}

/* What was decoded lies in yajl's own buffer, only until the next string. */
static struct span lasting(struct json_reader *r, const unsigned char *ptr,
			   size_t len)
{
	struct span s = {(const char *)ptr, len};
	uintptr_t offset = (uintptr_t)s.ptr - (uintptr_t)r->text.ptr;
	return offset < r->text.len ? s : arena_copy(r->arena, s);
}

static int on_key(void *ctx, const unsigned char *ptr, size_t len)
{
	struct json_reader *r = ctx;
	r->key = lasting(r, ptr, len);
	return 1;
}

static int on_string(void *ctx, const unsigned char *ptr, size_t len)
{
	struct json_reader *r = ctx;
	return take(r, value_string(lasting(r, ptr, len)));
}

static int on_null(void *ctx)
{
	return take(ctx, value_null());
}

static int on_bool(void *ctx, int boolean)
{
	return take(ctx, value_bool(boolean != 0));
}

/* False when it has a fraction or an exponent or does not fit. */
static bool read_integer(const char *text, size_t len, int64_t *out)
{
	bool is_negative = text[0] == '-';
	int64_t n = 0;
	for (size_t i = is_negative; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		int digit = text[i] - '0';
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, is_negative ? -digit : digit, &n))
			return false;
	}
	*out = n;
	return true;
}

static int on_number(void *ctx, const char *text, size_t len)
{
	struct json_reader *r = ctx;
	int64_t integer;
	if (read_integer(text, len, &integer))
		return take(r, value_int(integer));

	char room[NUMBER_BYTES];
	char *copy = len < sizeof room ? room : arena_take(r->arena, len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	return take(r, value_float(strtod(copy, NULL)));
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end,
};

static yajl_handle handle_new(struct json_reader *r)
{
	yajl_handle h = yajl_alloc(&callbacks, NULL, r);
	CHECK(h != NULL);
	/* The next object may follow without a new handle. */
	yajl_config(h, yajl_allow_multiple_values, 1);
	yajl_config(h, yajl_dont_validate_strings, 1);
	return h;
}

/* The blanks that yajl knows. */
static bool is_blank(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != ' ' && (s.ptr[i] < '\t' || s.ptr[i] > '\r'))
			return false;
	return true;
}

static enum json_verdict judge(const struct json_reader *r, yajl_status status)
{
	if (status == yajl_status_client_canceled)
		return r->refusal;
	if (status != yajl_status_ok)
		return JSON_BROKEN;
	if (r->depth > 0)
		return JSON_CUT;
	/* yajl is content with nothing at all, and holds a cut token back. */
	struct span rest = {r->text.ptr + r->end, r->text.len - r->end};
	return r->end > 0 && is_blank(rest) ? JSON_READ : JSON_NO_OBJECT;
}

static void stack_shrink(struct json_reader *r)
{
	if (r->cap <= STACK_KEEP_MAX)
		return;
	free(r->stack);
	r->stack = NULL;
	r->cap = 0;
}

struct json_reader *json_reader_new(void)
{
	return mem_new(1, sizeof(struct json_reader));
}

void json_reader_free(struct json_reader *r)
{
	if (r == NULL)
		return;
	if (r->yajl != NULL)
		yajl_free(r->yajl);
	free(r->stack);
	free(r);
}

enum json_verdict json_read(struct json_reader *r, struct span text,
			    struct record *into)
{
	if (text.len == 0)
		return JSON_NO_OBJECT;
	if (r->yajl == NULL)
		r->yajl = handle_new(r);
	r->text = text;
	r->arena = into->arena;
	r->key = (struct span){0};
	r->count = r->depth = r->end = 0;

	yajl_status status =
		yajl_parse(r->yajl, (const unsigned char *)text.ptr, text.len);
	enum json_verdict verdict = judge(r, status);
	if (verdict == JSON_READ) {
		/* stack[0] is the object itself. */
		for (size_t i = 1; i < r->count; i++)
			record_add(into, r->stack[i].key, r->stack[i].value);
	} else {
		yajl_free(r->yajl);
		r->yajl = NULL;
	}
	stack_shrink(r);
	return verdict;
}

/* How many bytes from p on need no look: eight at a time, since nearly all of
 * a log is plain.  Each term sets the top bit of a byte that is not. */
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

/* RFC 3629 4: the length of the sequence at p, 0 when it is not UTF-8.  The
 * second byte excludes what is overlong, a surrogate or above U+10FFFF. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (left < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

static void write_escaped(struct buf *b, unsigned char c)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	static const char hex[] = "0123456789abcdef";
	if (c >= 0x80) {
		buf_put(b, "\\ufffd", 6);
		return;
	}
	for (const char *s = shorts; *s != '\0'; s += 2) {
		if ((unsigned char)*s == c) {
			buf_put(b, (char[]){'\\', s[1]}, 2);
			return;
		}
	}
	buf_put(b, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

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
	/* Of the smallest one there is no positive. */
	uint64_t left = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
	do {
		*--p = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (integer < 0)
		*--p = '-';
	buf_put(b, p, (size_t)(end - p));
}

static void write_array(struct buf *b, const struct value *array)
{
	buf_put_char(b, '[');
	for (size_t i = 0; i < array->count; i++) {
		if (i > 0)
			buf_put_char(b, ',');
		json_write(b, &array->items[i]);
	}
	buf_put_char(b, ']');
}

static void write_field(struct buf *b, const struct field *f, bool is_first)
{
	if (!is_first)
		buf_put_char(b, ',');
	json_write_string(b, f->key);
	buf_put_char(b, ':');
	json_write(b, &f->value);
}

static void write_few(struct buf *b, const struct field *fields, size_t count)
{
	bool is_first = true;
	for (size_t i = 0; i < count; i++) {
		if (fields_last(fields + i + 1, count - i - 1, fields[i].key))
			continue;
		write_field(b, &fields[i], is_first);
		is_first = false;
	}
}

static int by_place(const void *left, const void *right)
{
	const struct field *a = *(const struct field *const *)left;
	const struct field *b = *(const struct field *const *)right;
	return (a > b) - (a < b);
}

static int by_key(const void *left, const void *right)
{
	const struct field *a = *(const struct field *const *)left;
	const struct field *b = *(const struct field *const *)right;
	if (a->key.len != b->key.len)
		return a->key.len < b->key.len ? -1 : 1;
	int order = 0;
	if (a->key.len > 0)
		order = memcmp(a->key.ptr, b->key.ptr, a->key.len);
	return order != 0 ? order : by_place(left, right);
}

/* Comparing each with each would take seconds for a datagram full of keys. */
static void write_many(struct buf *b, const struct field *fields, size_t count)
{
	const struct field **kept = mem_new(count, sizeof *kept);
	for (size_t i = 0; i < count; i++)
		kept[i] = &fields[i];
	qsort(kept, count, sizeof *kept, by_key);
	size_t kept_count = 0;
	for (size_t i = 0; i < count; i++)
		if (i + 1 == count ||
		    !span_equals(kept[i]->key, kept[i + 1]->key))
			kept[kept_count++] = kept[i];
	qsort(kept, kept_count, sizeof *kept, by_place);
	for (size_t i = 0; i < kept_count; i++)
		write_field(b, kept[i], i == 0);
	free(kept);
}

static void write_map(struct buf *b, const struct field *fields, size_t count)
{
	buf_put_char(b, '{');
	if (count < SORT_FROM)
		write_few(b, fields, count);
	else
		write_many(b, fields, count);
	buf_put_char(b, '}');
}

void json_write(struct buf *b, const struct value *v)
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
		json_write_string(b, v->string);
		break;
	case VALUE_ARRAY:
		write_array(b, v);
		break;
	case VALUE_MAP:
		write_map(b, v->fields, v->count);
		break;
	}
}

void json_write_string(struct buf *b, struct span s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t run = 0; /* where the bytes begin that go out as they are */
	size_t i = 0;
	buf_put_char(b, '"');
	while (i < s.len) {
		size_t good = plain_length(p + i, s.len - i);
		if (good == 0)
			good = utf8_length(p + i, s.len - i);
		i += good;
		if (good > 0)
			continue;
		buf_put(b, s.ptr + run, i - run);
		write_escaped(b, p[i]);
		run = ++i;
	}
	if (run < s.len)
		buf_put(b, s.ptr + run, s.len - run);
	buf_put_char(b, '"');
}

void json_write_record(struct buf *b, const struct record *r)
{
	write_map(b, r->fields, r->count);
}
