/* SPDX-License-Identifier: Apache-2.0 */
/* buf - bytes that grow at the end.
 *
 * The caller's storage; zero-initialised it is empty and valid.  Growth
 * doubles; buf_clear keeps the memory. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/span.h"

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
};

/* Free the memory; the buffer is empty and valid again. */
void buf_fini(struct buf *);

/* For buf_reserve, when there is no room. */
void buf_grow(struct buf *, size_t more_bytes);

/* Make room for `more_bytes` behind what is there; returns the place. */
static inline char *buf_reserve(struct buf *b, size_t more_bytes)
{
	if (b->cap - b->len < more_bytes)
		buf_grow(b, more_bytes);
	return b->ptr + b->len;
}

/* Cut off the first `bytes`; keeps the memory. */
void buf_cut_front(struct buf *, size_t bytes);

void buf_printf(struct buf *, const char *format, ...) PRINTF_LIKE(2, 3);

/* NUL-terminate (the NUL is not counted) and return the text. */
const char *buf_text(struct buf *);

static inline void buf_clear(struct buf *b)
{
	b->len = 0;
}

static inline void buf_swap(struct buf *a, struct buf *b)
{
	struct buf was = *a;
	*a = *b;
	*b = was;
}

static inline void buf_put(struct buf *b, const char *bytes, size_t len)
{
	if (b->cap - b->len < len)
		buf_grow(b, len);
	if (len > 0)
		memcpy(b->ptr + b->len, bytes, len);
	b->len += len;
}

static inline void buf_put_span(struct buf *b, struct span s)
{
	buf_put(b, s.ptr, s.len);
}

static inline void buf_put_text(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

static inline void buf_put_char(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->len++;
}

static inline struct span buf_span(const struct buf *b)
{
	return span_make(b->ptr, b->len);
}

#endif
