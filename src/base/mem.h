/* SPDX-License-Identifier: Apache-2.0 */
/* mem - allocation that never fails: without memory, the process aborts.
 *
 * Handling each failed allocation would cost more than it gains, because the
 * journal keeps the messages and the supervisor restarts the worker.  In the
 * steady state, processing a message allocates nothing. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Zeroed memory, never NULL.  Free with free(). */
void *mem_new(size_t count, size_t size_bytes);

/* As realloc, but never NULL; new memory is not zeroed. */
void *mem_grow(void *old, size_t count, size_t size_bytes);

/* Call this at the start: from then on, each large allocation has its own
 * mapping.  A freed mapping goes back to the kernel, and a mapping can grow
 * without a copy.  By default, the C library stops doing this after the first
 * large free(). */
void mem_map_large(void);

/* A NUL-terminated copy of `length` bytes, or of a string.  Free with free().
 */
char *mem_copy(const char *bytes, size_t length);
char *mem_text(const char *text);

#endif
