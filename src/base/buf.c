/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

void buf_fini(struct buf *b)
{
	free(b->ptr);
	*b = (struct buf){0};
}

void buf_grow(struct buf *b, size_t more_bytes)
{
	if (buf_is_over(b)) {
		b->len = b->len_max + 1;
		if (b->cap - b->len >= more_bytes)
			return;
	}
	size_t cap = b->cap ? b->cap : 256;
	while (cap - b->len < more_bytes)
		cap *= 2;
	b->ptr = mem_grow(b->ptr, cap, 1);
	b->cap = cap;
}

void buf_cut_front(struct buf *b, size_t bytes)
{
	b->len -= bytes;
	if (b->len > 0)
		memmove(b->ptr, b->ptr + bytes, b->len);
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	char none[1];
	int len = vsnprintf(none, sizeof none, format, args);
	va_end(args);
	CHECK(len >= 0);
	char *place = buf_reserve(b, (size_t)len + 1);
	vsnprintf(place, (size_t)len + 1, format, again);
	va_end(again);
	b->len += (size_t)len;
}

void buf_put_float(struct buf *b, double real)
{
	enum { BYTES_MAX = 320 }; /* a sign, 309 digits, a point, 6 digits */
	if (buf_is_over(b))
		return;
	char *place = buf_reserve(b, BYTES_MAX);
	int len = snprintf(place, BYTES_MAX, "%f", real);
	CHECK(len > 0 && len < BYTES_MAX);
	b->len += (size_t)len;
}

const char *buf_text(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return b->ptr;
}
