/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup - reads the limits of the process's own control group, version 2 or 1,
 * as /proc/self/cgroup and /proc/self/mountinfo name it: proc(5), cgroups(7).
 *
 * `root` is put in front of every path; it is "" except in tests. */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct cgroup {
	bool is_v1;
	char directory[PATH_MAX];
	/* The length of the mount point, the start of `directory`.  Groups
	 * above the mount point are not visible. */
	size_t top_bytes;
};

/* Find the group of a controller, like "cpu".  False if there is none. */
bool cgroup_find(struct cgroup *, const char *root,
		 const char *controller) MUST_USE;

/* Read one number from a file of the group, or two if `second` is not NULL.
 * False if the first number is missing or not positive, like "max" or -1. */
bool cgroup_read(const struct cgroup *, const char *root, const char *file,
		 int64_t *first, int64_t *second) MUST_USE;

/* Go to the parent group, whose limits also apply.  False if there is no
 * visible parent. */
bool cgroup_to_parent(struct cgroup *) MUST_USE;

#endif
