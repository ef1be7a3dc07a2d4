/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { LARGE_BYTES = 128 * 1024 };

void *mem_new(size_t count, size_t size_bytes)
{
	void *p = calloc(count ? count : 1, size_bytes);
	CHECK(p != NULL);
	return p;
}

void *mem_grow(void *old, size_t count, size_t size_bytes)
{
	size_t total_bytes;
	CHECK(!__builtin_mul_overflow(count, size_bytes, &total_bytes));
	void *p = realloc(old, total_bytes ? total_bytes : 1);
	CHECK(p != NULL);
	return p;
}

void mem_map_large(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

char *mem_copy(const char *bytes, size_t length)
{
	char *p = mem_new(length + 1, 1);
	if (length > 0)
		memcpy(p, bytes, length);
	return p;
}

char *mem_text(const char *text)
{
	return mem_copy(text, strlen(text));
}
