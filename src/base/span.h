/* SPDX-License-Identifier: Apache-2.0 */
/* span - a borrowed sequence of bytes.
 *
 * Everything that is parsed is a span of the datagram or of the message's
 * arena.  It is not NUL-terminated and may contain any byte. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *ptr; /* may be NULL when len is 0 */
	size_t len;
};

/* A span from a string literal. */
#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})

/* The span of a NUL-terminated text. */
static inline struct span span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* The span of these bytes. */
static inline struct span span_make(const char *ptr, size_t len)
{
	return (struct span){ptr, len};
}

/* Whether it has no bytes. */
static inline bool span_is_empty(struct span s)
{
	return s.len == 0;
}

/* Whether both have the same bytes. */
static inline bool span_equals(struct span a, struct span b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Whether the last bytes of `s` are those of `end`. */
static inline bool span_ends_with(struct span s, struct span end)
{
	return s.len >= end.len &&
	       span_equals(span_make(s.ptr + s.len - end.len, end.len), end);
}

/* Negative, 0 or positive, as memcmp.  If one is a prefix of the other, the
 * shorter one comes first. */
static inline int span_compare(struct span a, struct span b)
{
	size_t shared = a.len < b.len ? a.len : b.len;
	int order = shared > 0 ? memcmp(a.ptr, b.ptr, shared) : 0;
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* How many of its bytes are `byte`. */
static inline size_t span_count(struct span s, char byte)
{
	size_t count = 0;
	const char *end = s.ptr + s.len;
	for (const char *at = s.ptr;
	     at < end && (at = memchr(at, byte, (size_t)(end - at))) != NULL;
	     at++)
		count++;
	return count;
}

#endif
