/* SPDX-License-Identifier: Apache-2.0 */
/* buf - a growing sequence of bytes.
 *
 * The struct is the caller's storage; zero-initialised, it is empty and valid.
 * Its capacity doubles as it grows.  buf_clear keeps the memory. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/span.h"

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t len_max; /* see buf_limit; 0: no limit */
};

/* Free the memory; the buffer is empty and valid again. */
void buf_fini(struct buf *);

/* Make room for `more_bytes`; called by the functions below if needed. */
void buf_grow(struct buf *, size_t more_bytes);

/* Make room for `more_bytes` after the content; returns that place. */
static inline char *buf_reserve(struct buf *b, size_t more_bytes)
{
	if (b->cap - b->len < more_bytes)
		buf_grow(b, more_bytes);
	return b->ptr + b->len;
}

/* Set a limit for content that the caller discards if it is longer.  A buffer
 * with more than len_max bytes no longer grows: further bytes replace those
 * after the limit.  Otherwise, a sender could choose content that needs any
 * amount of memory.  0 ends the limit; end it before the buffer gets other
 * content. */
static inline void buf_limit(struct buf *b, size_t len_max)
{
	b->len_max = len_max;
}

/* Whether the content is longer than buf_limit allows. */
static inline bool buf_is_over(const struct buf *b)
{
	return b->len_max > 0 && b->len > b->len_max;
}

/* Remove the first `bytes`; keeps the memory. */
void buf_cut_front(struct buf *, size_t bytes);

/* Append formatted text. */
void buf_printf(struct buf *, const char *format, ...) PRINTF_LIKE(2, 3);

/* Append a number as printf's %f does: up to 317 bytes.  That takes up to 8 us,
 * so a buffer that is over its limit stays as it is. */
void buf_put_float(struct buf *, double real);

/* NUL-terminate (the NUL is not counted) and return the text. */
const char *buf_text(struct buf *);

/* Remove the content; keeps the memory. */
static inline void buf_clear(struct buf *b)
{
	b->len = 0;
}

/* Exchange two buffers. */
static inline void buf_swap(struct buf *a, struct buf *b)
{
	struct buf was = *a;
	*a = *b;
	*b = was;
}

/* Append bytes. */
static inline void buf_put(struct buf *b, const char *bytes, size_t len)
{
	if (b->cap - b->len < len)
		buf_grow(b, len);
	if (len > 0)
		memcpy(b->ptr + b->len, bytes, len);
	b->len += len;
}

/* Append the bytes of a span. */
static inline void buf_put_span(struct buf *b, struct span s)
{
	buf_put(b, s.ptr, s.len);
}

/* Append a NUL-terminated text without its NUL. */
static inline void buf_put_text(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

/* Append one byte. */
static inline void buf_put_char(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->len++;
}

/* The content, valid until the buffer changes. */
static inline struct span buf_span(const struct buf *b)
{
	return span_make(b->ptr, b->len);
}

#endif
