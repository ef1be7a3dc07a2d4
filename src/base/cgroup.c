/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES_MAX = PATH_MAX + 256 };

struct group_name {
	const char *controller;
	bool is_v1;
	char path[PATH_MAX]; /* the kernel's name of the group */
};

static FILE *open_below(const char *root, const char *path)
{
	char whole[2 * PATH_MAX];
	snprintf(whole, sizeof whole, "%s%s", root, path);
	return fopen(whole, "re");
}

/* Whether the word is in the list "a,b,c". */
static bool lists(const char *list, size_t bytes, const char *word)
{
	size_t length = strlen(word);
	for (const char *end = list + bytes; list < end;) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		size_t n = (size_t)((comma != NULL ? comma : end) - list);
		if (n == length && memcmp(list, word, n) == 0)
			return true;
		list += n + 1;
	}
	return false;
}

/* Find the group in lines "ID:CONTROLLERS:PATH"; version 2 has "0::PATH". */
static bool find_name(const char *root, struct group_name *name)
{
	char line[LINE_BYTES_MAX];
	bool is_found = false;
	FILE *file = open_below(root, "/proc/self/cgroup");
	if (file == NULL)
		return false;
	while (!name->is_v1 && fgets(line, sizeof line, file) != NULL) {
		char *kinds = strchr(line, ':');
		char *path = kinds != NULL ? strchr(kinds + 1, ':') : NULL;
		if (path == NULL)
			continue;
		size_t bytes = (size_t)(path - kinds - 1);
		name->is_v1 = lists(kinds + 1, bytes, name->controller);
		if (!name->is_v1 && bytes > 0)
			continue;
		path[1 + strcspn(path + 1, "\n")] = '\0';
		snprintf(name->path, sizeof name->path, "%s", path + 1);
		is_found = true;
	}
	fclose(file);
	return is_found;
}

/* Read a line "ID PARENT DEVICE ROOT MOUNT_POINT OPTIONS ... - TYPE SOURCE
 * OPTIONS" of mountinfo. */
static bool is_mount(char *line, const struct group_name *name, char **below,
		     char **point)
{
	char *rest = strstr(line, " - "), *type, *options, *save = NULL;
	if (rest == NULL)
		return false;
	*rest = '\0';
	type = strtok_r(rest + 3, " \n", &save);
	strtok_r(NULL, " \n", &save);
	options = strtok_r(NULL, " \n", &save);
	if (type == NULL || options == NULL ||
	    strcmp(type, name->is_v1 ? "cgroup" : "cgroup2") != 0 ||
	    (name->is_v1 && !lists(options, strlen(options), name->controller)))
		return false;
	strtok_r(line, " ", &save);
	strtok_r(NULL, " ", &save);
	strtok_r(NULL, " ", &save);
	*below = strtok_r(NULL, " ", &save);
	*point = strtok_r(NULL, " ", &save);
	return *below != NULL && *point != NULL;
}

/* The path of the group below the mount point.  In a container, the mount may
 * show only the groups from `top` on. */
static const char *path_below(const char *path, const char *top)
{
	size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
	if (strncmp(path, top, length) == 0 &&
	    (path[length] == '/' || path[length] == '\0'))
		path += length;
	return strcmp(path, "/") == 0 ? "" : path;
}

static bool find_directory(const char *root, const struct group_name *name,
			   struct cgroup *group)
{
	char line[LINE_BYTES_MAX], *below, *point;
	bool is_found = false;
	FILE *file = open_below(root, "/proc/self/mountinfo");
	if (file == NULL)
		return false;
	while (!is_found && fgets(line, sizeof line, file) != NULL) {
		is_found = is_mount(line, name, &below, &point);
		if (!is_found)
			continue;
		group->top_bytes = strlen(point);
		snprintf(group->directory, sizeof group->directory, "%s%s",
			 point, path_below(name->path, below));
	}
	fclose(file);
	return is_found;
}

bool cgroup_find(struct cgroup *group, const char *root, const char *controller)
{
	struct group_name name = {.controller = controller};
	bool is_found =
		find_name(root, &name) && find_directory(root, &name, group);
	group->is_v1 = name.is_v1;
	return is_found;
}

bool cgroup_read(const struct cgroup *group, const char *root, const char *file,
		 int64_t *first, int64_t *second)
{
	char path[2 * PATH_MAX], text[128] = "", *end;
	snprintf(path, sizeof path, "%s/%s", group->directory, file);
	FILE *f = open_below(root, path);
	if (f == NULL)
		return false;
	bool is_read = fgets(text, sizeof text, f) != NULL;
	fclose(f);
	*first = strtoll(text, &end, 10);
	if (!is_read || end == text || *first <= 0)
		return false;
	if (second != NULL)
		*second = strtoll(end, NULL, 10);
	return true;
}

bool cgroup_to_parent(struct cgroup *group)
{
	char *slash = strrchr(group->directory, '/');
	if (slash == NULL ||
	    (size_t)(slash - group->directory) < group->top_bytes)
		return false;
	*slash = '\0';
	return true;
}
