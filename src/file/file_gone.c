/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_gone.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "file/file_path.h"

static bool is_listed_without(DIR *dir, const char *name)
{
	const struct dirent *entry;
	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry != NULL && strcmp(entry->d_name, name) != 0);
	return entry == NULL && errno == 0;
}

static bool is_missing(const char *path)
{
	char parent[PATH_MAX];
	struct stat st;
	size_t len = strlen(path);
	if (len >= sizeof parent)
		return true;
	memcpy(parent, path, len + 1);
	file_path_parent(parent);
	const char *slash = strrchr(path, '/');
	DIR *dir = opendir(parent);
	if (dir != NULL) {
		bool is_gone = is_listed_without(dir, slash != NULL ? slash + 1
								    : path);
		closedir(dir);
		return is_gone;
	}
	if (errno == EACCES)
		return lstat(path, &st) < 0 && errno == ENOENT;
	bool has_parent = strcmp(parent, "/") != 0 && strcmp(parent, ".") != 0;
	return has_parent && file_is_gone(parent, errno);
}

bool file_is_gone(const char *path, int error)
{
	switch (error) {
	case ENOENT:
		return is_missing(path);
	case ENOTDIR:
	case ENAMETOOLONG:
		return true;
	default:
		return false;
	}
}
