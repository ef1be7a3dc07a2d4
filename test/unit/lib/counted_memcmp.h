/* SPDX-License-Identifier: Apache-2.0 */
/* counted_memcmp - counts how often texts are compared.  So a test can tell
 * linear from quadratic work without measuring time.
 *
 * This header defines memcmp() for the whole test program, so only one source
 * file may include it. */
#ifndef UNIT_COUNTED_MEMCMP_H
#define UNIT_COUNTED_MEMCMP_H

#include <stddef.h>
#include <string.h>

/* The calls of memcmp so far.  A test may set it to 0. */
static size_t counted_memcmp_calls;

int memcmp(const void *a, const void *b, size_t len)
{
	const unsigned char *left = a, *right = b;
	counted_memcmp_calls++;
	for (; len > 0 && *left == *right; len--) {
		left++;
		right++;
	}
	return len > 0 ? *left - *right : 0;
}

#endif
