/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

enum { KEEP_BYTES_MAX = 1024 * 1024 };

struct block {
	struct block *next; /* the block filled before this one */
	size_t size_bytes;
	size_t used_bytes;
	alignas(max_align_t) char bytes[];
};

struct arena {
	struct block *block;
	size_t full_bytes; /* used in the blocks filled before */
	size_t first_block_bytes;
};

static struct block *block_new(size_t size_bytes, struct block *next)
{
	struct block *b = mem_grow(NULL, sizeof *b + size_bytes, 1);
	*b = (struct block){.next = next, .size_bytes = size_bytes};
	return b;
}

static void blocks_free(struct block *b)
{
	while (b != NULL) {
		struct block *next = b->next;
		free(b);
		b = next;
	}
}

struct arena *arena_new(size_t first_block_bytes)
{
	struct arena *a = mem_new(1, sizeof *a);
	a->first_block_bytes = first_block_bytes;
	a->block = block_new(first_block_bytes, NULL);
	return a;
}

void arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	blocks_free(a->block);
	free(a);
}

/* Not inlined: otherwise arena_take would save registers for this on each
 * call. */
static NO_INLINE void *take_from_new_block(struct arena *a, size_t need_bytes)
{
	size_t size_bytes = a->block->size_bytes * 2;
	if (size_bytes < need_bytes)
		size_bytes = need_bytes;
	a->full_bytes += a->block->used_bytes;
	a->block = block_new(size_bytes, a->block);
	a->block->used_bytes = need_bytes;
	return a->block->bytes;
}

void *arena_take(struct arena *a, size_t size_bytes)
{
	size_t align = alignof(max_align_t);
	size_t need_bytes = (size_bytes + align - 1) / align * align;
	struct block *b = a->block;
	if (b->size_bytes - b->used_bytes < need_bytes)
		return take_from_new_block(a, need_bytes);
	void *p = b->bytes + b->used_bytes;
	b->used_bytes += need_bytes;
	return p;
}

struct span arena_copy(struct arena *a, struct span s)
{
	char *p = arena_take(a, s.len);
	if (s.len > 0)
		memcpy(p, s.ptr, s.len);
	return span_make(p, s.len);
}

size_t arena_used_bytes(const struct arena *a)
{
	return a->full_bytes + a->block->used_bytes;
}

static bool has(const struct block *b, const void *p)
{
	uintptr_t at = (uintptr_t)p, start = (uintptr_t)b->bytes;
	return at >= start && at <= start + b->used_bytes;
}

void arena_give_back(struct arena *a, const void *first)
{
	while (!has(a->block, first)) {
		struct block *last = a->block;
		a->block = last->next;
		a->full_bytes -= a->block->used_bytes;
		free(last);
	}
	a->block->used_bytes = (size_t)((const char *)first - a->block->bytes);
}

void arena_reset(struct arena *a)
{
	struct block *b = a->block;
	a->full_bytes = 0;
	if (b->next != NULL || b->size_bytes > KEEP_BYTES_MAX) {
		size_t total_bytes = 0;
		for (struct block *i = b; i != NULL; i = i->next)
			total_bytes += i->size_bytes;
		blocks_free(b);
		if (total_bytes > KEEP_BYTES_MAX)
			total_bytes = a->first_block_bytes;
		a->block = block_new(total_bytes, NULL);
		return;
	}
	b->used_bytes = 0;
}
