/* SPDX-License-Identifier: Apache-2.0 */
/* span - some bytes that somebody else owns.
 *
 * Everything that is parsed is a span into the datagram, or into the arena of
 * the message; nothing in it is NUL-terminated and any byte may occur. */
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

static inline struct span span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static inline struct span span_make(const char *ptr, size_t len)
{
	return (struct span){ptr, len};
}

static inline bool span_is_empty(struct span s)
{
	return s.len == 0;
}

static inline bool span_equals(struct span a, struct span b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
