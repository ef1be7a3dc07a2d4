/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu_limit.h"

#include <stdbool.h>

#include "base/cgroup.h"

enum { US = 1000 };

struct cpu_limit cpu_limit_read(const char *root)
{
	struct cpu_limit none = {0};
	struct cgroup group;
	int64_t quota_us = 0, period_us = 0;
	if (!cgroup_find(&group, root, "cpu"))
		return none;
	bool is_there =
		group.is_v1
			? cgroup_read(&group, root, "cpu.cfs_quota_us",
				      &quota_us, NULL) &&
				  cgroup_read(&group, root, "cpu.cfs_period_us",
					      &period_us, NULL)
			: cgroup_read(&group, root, "cpu.max", &quota_us,
				      &period_us);
	if (!is_there || period_us <= 0)
		return none;
	return (struct cpu_limit){quota_us * US, period_us * US};
}
