/* SPDX-License-Identifier: Apache-2.0 */
/* mem - memory that is there, or the process is not.
 *
 * Running out of memory aborts: one process, a queue that waits and a
 * restarter make unwinding every allocation bad value.  Nothing on the way of
 * a message allocates in the steady state. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Zeroed, never NULL.  Free with free(). */
void *mem_new(size_t count, size_t size_bytes);

/* As realloc, never NULL; what is new is not zeroed. */
void *mem_grow(void *old, size_t count, size_t size_bytes);

/* At the start: large pieces are mapped each on its own, so that they go back
 * when they are freed, and grow without a copy.  The C library would else stop
 * that at the first one that is freed. */
void mem_map_large(void);

/* A NUL-terminated copy of `length` bytes, or of a string.  Free with free(). */
char *mem_copy(const char *bytes, size_t length);
char *mem_text(const char *text);

#endif
