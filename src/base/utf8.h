/* SPDX-License-Identifier: Apache-2.0 */
/* utf8 - reads text as UTF-8 (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns the length of the UTF-8 sequence at p and sets *character.  Returns 0
 * if the bytes are not UTF-8.  `left` is the number of bytes from p on, at
 * least 1. */
size_t utf8_read(const unsigned char *p, size_t left, uint32_t *character);

/* Characters above U+007F with which a value could split or reorder the lines
 * that a viewer shows: the C1 controls, the line and paragraph separators, and
 * the controls of bidirectional text. */
bool utf8_is_control(uint32_t character);

#endif
