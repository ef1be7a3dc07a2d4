/* SPDX-License-Identifier: Apache-2.0 */
/* arena - memory for objects that live as long as one message.
 *
 *     block:  [ used ........ | free ............. ]  -> next block
 *
 * Allocation moves a pointer.  A reset frees everything at once but keeps the
 * memory, so in the steady state nothing is allocated.  If a message needed
 * several blocks, the reset replaces them by one of their total size, up to a
 * bound, so that one huge message does not hold its memory forever.  Not
 * thread-safe. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/span.h"

struct arena;

/* An arena whose first block has this size. */
struct arena *arena_new(size_t first_block_bytes);

/* NULL is allowed. */
void arena_free(struct arena *);

/* Memory aligned for any type, not zeroed; valid until arena_reset. */
void *arena_take(struct arena *, size_t size_bytes);

/* A copy of the bytes, valid until arena_reset. */
struct span arena_copy(struct arena *, struct span);

/* The bytes taken since the last arena_reset and not given back. */
size_t arena_used_bytes(const struct arena *);

/* Give back this memory, which arena_take returned, and all memory taken after
 * it. */
void arena_give_back(struct arena *, const void *first);

/* Free everything: all memory taken before becomes invalid. */
void arena_reset(struct arena *);

#endif
