/* SPDX-License-Identifier: Apache-2.0 */
/* arena - memory for what lives as long as one message.
 *
 *     block:  [ used ........ | free ............. ]  -> next block
 *
 * Allocation moves a pointer; reset takes everything back at once and keeps
 * the memory, so that the steady state allocates nothing.  When a message
 * needed several blocks, reset makes one of the sum, up to a bound: one huge
 * message does not hold its memory for ever.
 * Not thread-safe. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/span.h"

struct arena;

struct arena *arena_new(size_t first_block_bytes);

/* NULL is fine. */
void arena_free(struct arena *);

/* `size_bytes` aligned for any type, not zeroed; valid until arena_reset. */
void *arena_take(struct arena *, size_t size_bytes);

/* A copy of the bytes, valid until arena_reset. */
struct span arena_copy(struct arena *, struct span);

/* Everything taken before becomes invalid. */
void arena_reset(struct arena *);

#endif
