/* SPDX-License-Identifier: Apache-2.0 */
/* How yajl reads a text that json_flat.c could not read:
 * 1. yajl calls back for each token.  Values are collected on one stack; an
 *    open container is a field on it, followed by its children:
 *
 *        {"a":1,"b":[2,3 ...      stack   {  a=1  b=[  2  3
 *                                 opened  0       2
 *
 * 2. When a container ends, its children are copied to the arena, and only the
 *    container stays on the stack.
 * 3. When the outermost object ends, its end in the text is remembered.
 * 4. If only blanks follow, the children of the object become fields of the
 *    record.
 *
 * If the text is not one object, the record stays unchanged.  If yajl stops at
 * a control character in a string, the text is read again with its control
 * characters escaped.  A yajl handle that has read one whole object can read
 * the next one.  After any other text its state is undefined, and it is
 * replaced. */
#include "record/json.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "record/json_flat.h"
#include "record/record.h"
#include "record/unescape.h"

enum {
	STACK_FIRST = 64,
	STACK_KEEP_MAX = 4096, /* frees the memory of a huge text */
	NUMBER_BYTES = 64,
};

struct json_reader {
	yajl_handle yajl; /* NULL: created for the next text */
	struct span text;
	struct arena *arena;
	struct span key; /* of the next value */
	struct field *stack;
	size_t count;
	size_t cap;
	size_t opened[JSON_DEPTH_MAX]; /* indexes into the stack */
	size_t depth;
	size_t end; /* after the outermost object; 0: not reached */
	enum json_verdict refusal;
};

/* Callbacks return 1 to let yajl continue and 0 to stop it. */
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

/* A quote after an odd number of backslashes is part of a string. */
static bool is_escaped(const char *quote, const char *text)
{
	const char *start = quote;
	while (start > text && start[-1] == '\\')
		start--;
	return (quote - start) % 2 == 1;
}

/* The undecoded string whose closing quote yajl has just read. */
static struct span raw_string(const struct json_reader *r)
{
	const char *text = r->text.ptr;
	const char *end = text + yajl_get_bytes_consumed(r->yajl) - 1;
	const char *start = end - 1;
	while (*start != '"' || is_escaped(start, text))
		start--;
	return span_make(start + 1, (size_t)(end - start) - 1);
}

static bool has_surrogate(struct span s)
{
	const char *end = s.ptr + s.len;
	while ((s.ptr = memmem(s.ptr, (size_t)(end - s.ptr), "\\u", 2)) !=
	       NULL) {
		s.ptr += 2;
		if (end - s.ptr >= 2 && (s.ptr[0] | 0x20) == 'd' &&
		    s.ptr[1] >= '8')
			return true;
	}
	return false;
}

/* A decoded string lies in yajl's own buffer only until the next string, so it
 * is copied.  yajl does not decode a single surrogate, so unescape_utf8 decodes
 * a string with surrogates. */
static struct span lasting(struct json_reader *r, const unsigned char *ptr,
			   size_t len)
{
	struct span s = {(const char *)ptr, len};
	uintptr_t offset = (uintptr_t)s.ptr - (uintptr_t)r->text.ptr;
	if (offset < r->text.len)
		return s;
	struct span raw = raw_string(r);
	return has_surrogate(raw) ? unescape_utf8(r->arena, raw)
				  : arena_copy(r->arena, s);
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

/* False if the number has a fraction or an exponent or does not fit. */
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
	double real = strtod(copy, NULL);
	return isfinite(real) ? take(r, value_float(real))
			      : refuse(r, JSON_BROKEN);
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
	/* So that the handle can read the next object as well. */
	yajl_config(h, yajl_allow_multiple_values, 1);
	yajl_config(h, yajl_dont_validate_strings, 1);
	return h;
}

/* The blanks that yajl accepts. */
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
	/* yajl accepts an empty text, and does not report a cut token. */
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

/* Some senders end their strings with NULs. */
static struct span without_nuls(struct span text)
{
	while (text.len > 0 && text.ptr[text.len - 1] == '\0')
		text.len--;
	return text;
}

static enum json_verdict read_once(struct json_reader *r, struct span text)
{
	if (r->yajl == NULL)
		r->yajl = handle_new(r);
	r->text = text;
	r->key = (struct span){0};
	r->count = r->depth = r->end = 0;
	yajl_status status =
		yajl_parse(r->yajl, (const unsigned char *)text.ptr, text.len);
	enum json_verdict verdict = judge(r, status);
	if (verdict != JSON_READ) {
		yajl_free(r->yajl);
		r->yajl = NULL;
	}
	return verdict;
}

/* Count the control characters in the strings of the text.  If out is not NULL,
 * write the text there with its control characters escaped. */
static size_t escape_controls(struct span text, char *out)
{
	static const char hex[] = "0123456789abcdef";
	bool is_in_string = false;
	size_t count = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '"')
			is_in_string = !is_in_string;
		bool is_control = is_in_string && (unsigned char)c < ' ';
		count += is_control;
		if (out != NULL && is_control) {
			memcpy(out, "\\u00", 4);
			out[4] = hex[c >> 4];
			out[5] = hex[c & 15];
			out += 6;
		} else if (out != NULL) {
			*out++ = c;
		}
		/* An escaped character never ends a string. */
		if (is_in_string && c == '\\' && i + 1 < text.len) {
			i++;
			if (out != NULL)
				*out++ = text.ptr[i];
		}
	}
	return count;
}

/* yajl rejects a control character in a string, Fluent Bit accepts it. */
static enum json_verdict read_with_controls(struct json_reader *r,
					    struct span text)
{
	size_t count = escape_controls(text, NULL);
	if (count == 0)
		return JSON_BROKEN;
	size_t len = text.len + 5 * count;
	char *escaped = arena_take(r->arena, len);
	escape_controls(text, escaped);
	return read_once(r, span_make(escaped, len));
}

enum json_verdict json_read_any(struct json_reader *r, struct span text,
				struct record *into)
{
	text = without_nuls(text);
	if (text.len == 0)
		return JSON_NO_OBJECT;
	r->arena = into->arena;
	enum json_verdict verdict = read_once(r, text);
	if (verdict == JSON_BROKEN)
		verdict = read_with_controls(r, text);
	/* stack[0] is the object itself. */
	for (size_t i = 1; verdict == JSON_READ && i < r->count; i++)
		record_add(into, r->stack[i].key, r->stack[i].value);
	stack_shrink(r);
	return verdict;
}

enum json_verdict json_read(struct json_reader *r, struct span text,
			    struct record *into)
{
	return json_flat_read(without_nuls(text), into)
		       ? JSON_READ
		       : json_read_any(r, text, into);
}
