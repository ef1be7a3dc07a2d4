/* SPDX-License-Identifier: Apache-2.0 */
/* memory_limit - reads the memory limit of the container: limits.memory of a
 * pod, MemoryMax of a unit.
 *
 * It is the lowest limit of the process's own control group (base/cgroup.h) and
 * the groups above it, as far as they can be seen: memory.max of version 2 or
 * memory.limit_in_bytes of version 1. */
#ifndef BASE_MEMORY_LIMIT_H
#define BASE_MEMORY_LIMIT_H

#include <stdint.h>

/* In bytes; 0: no limit, or it is unknown.  `root` is put in front of every
 * path; it is "" except in tests. */
int64_t memory_limit_read(const char *root);

#endif
