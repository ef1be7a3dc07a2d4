/* SPDX-License-Identifier: Apache-2.0 */
/* hex - hexadecimal digits for escapes such as \xff and \u202e.
 *
 * A client can send a message in which each byte needs an escape, so writing
 * one must cost little; printf costs about a hundred times more. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

/* Write the text before the digits, and the lowest `count` digits of the value
 * in lower case, without a NUL.  Returns the place after them. */
static inline char *hex_write(char *to, const char *before, uint32_t value,
			      size_t count)
{
	size_t len = strlen(before);
	memcpy(to, before, len);
	for (size_t i = len + count; i > len; i--, value >>= 4)
		to[i - 1] = "0123456789abcdef"[value & 15];
	return to + len + count;
}

/* Append the same to the buffer. */
static inline void hex_put(struct buf *b, const char *before, uint32_t value,
			   size_t count)
{
	char *to = buf_reserve(b, strlen(before) + count);
	b->len = (size_t)(hex_write(to, before, value, count) - b->ptr);
}

#endif
