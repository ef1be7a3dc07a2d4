/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_gone.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "file/file_path.h"

/* --- by listing the directory */

static bool may_list(const struct file_listing *listing)
{
	return listing == NULL || listing->now_ns == 0 ||
	       listing->now_ns >= listing->next_ns;
}

static bool is_listed_without(DIR *dir, const char *name,
			      struct file_listing *listing)
{
	const struct dirent *entry;
	int64_t entries = 0;
	do {
		errno = 0;
		entry = readdir(dir);
		entries++;
	} while (entry != NULL && strcmp(entry->d_name, name) != 0);
	bool is_gone = entry == NULL && errno == 0;
	if (listing != NULL)
		listing->next_ns = listing->now_ns +
				   entries * NS_PER_S / FILE_LISTING_ENTRIES_S;
	return is_gone;
}

static bool is_missing(const char *path, struct file_listing *listing)
{
	char parent[PATH_MAX];
	struct stat st;
	size_t len = strlen(path);
	if (len >= sizeof parent)
		return true;
	if (!may_list(listing))
		return false;
	memcpy(parent, path, len + 1);
	file_path_parent(parent);
	const char *slash = strrchr(path, '/');
	DIR *dir = opendir(parent);
	if (dir != NULL) {
		bool is_gone = is_listed_without(
			dir, slash != NULL ? slash + 1 : path, listing);
		closedir(dir);
		return is_gone;
	}
	if (errno == EACCES)
		return lstat(path, &st) < 0 && errno == ENOENT;
	bool has_parent = strcmp(parent, "/") != 0 && strcmp(parent, ".") != 0;
	return has_parent && file_is_gone(parent, errno, listing);
}

bool file_is_gone(const char *path, int error, struct file_listing *listing)
{
	switch (error) {
	case ENOENT:
		return is_missing(path, listing);
	case ENOTDIR:
	case ENAMETOOLONG:
		return true;
	default:
		return false;
	}
}

/* --- by the kernel's name */

static bool read_name(int fd, char name[static PATH_MAX])
{
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, name, PATH_MAX - 1);
	if (n <= 0 || n == PATH_MAX - 1)
		return false;
	name[n] = '\0';
	return true;
}

static uint64_t hash_name(const char *name)
{
	uint64_t hash = hash_fnv1a(HASH_FNV1A_BEGIN, span_of(name));
	return hash != 0 ? hash : 1;
}

uint64_t file_kernel_name(int fd)
{
	char name[PATH_MAX];
	return read_name(fd, name) ? hash_name(name) : 0;
}

/* The kernel's name is not believed if the file does not have it.  It may be a
 * removed one, which ends with " (deleted)", or one outside the directory to
 * which this process is confined. */
bool file_was_renamed(int fd, uint64_t kernel_name, dev_t device, ino_t inode)
{
	char name[PATH_MAX];
	struct stat st;
	return kernel_name != 0 && read_name(fd, name) &&
	       hash_name(name) != kernel_name && lstat(name, &st) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}
