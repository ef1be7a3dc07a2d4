/* SPDX-License-Identifier: Apache-2.0 */
/* utf8 - reads text as UTF-8 (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* utf8_read for a sequence of several bytes, at least two of them left. */
size_t utf8_read_several(const unsigned char *p, size_t left,
			 uint32_t *character);

/* Returns the length of the UTF-8 sequence at p and sets *character.  Returns 0
 * if the bytes are not UTF-8, and sets *character to 0.  `left` is the number
 * of bytes from p on, at least 1. */
static inline size_t utf8_read(const unsigned char *p, size_t left,
			       uint32_t *character)
{
	*character = p[0] < 0x80 ? p[0] : 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < 2 || (p[1] & 0xc0) != 0x80)
		return 0;
	return utf8_read_several(p, left, character);
}

/* Characters above U+007F with which a value could split or reorder the lines
 * that a viewer shows: the C1 controls, the line and paragraph separators, and
 * the controls of bidirectional text. */
static inline bool utf8_is_control(uint32_t c)
{
	if (c < 0x200e)
		return (c >= 0x80 && c <= 0x9f) || c == 0x61c;
	return c <= 0x2069 &&
	       (c <= 0x200f || (c >= 0x2028 && c <= 0x202e) || c >= 0x2066);
}

#endif
