/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory_limit.h"

#include "base/cgroup.h"

/* Without a limit, version 1 shows a number of almost 2^63. */
#define NO_LIMIT_BYTES (INT64_C(1) << 60)

int64_t memory_limit_read(const char *root)
{
	struct cgroup group;
	int64_t lowest = NO_LIMIT_BYTES, bytes;
	if (!cgroup_find(&group, root, "memory"))
		return 0;
	const char *file = group.is_v1 ? "memory.limit_in_bytes" : "memory.max";
	do {
		if (cgroup_read(&group, root, file, &bytes, NULL) &&
		    bytes < lowest)
			lowest = bytes;
	} while (cgroup_to_parent(&group));
	return lowest < NO_LIMIT_BYTES ? lowest : 0;
}
