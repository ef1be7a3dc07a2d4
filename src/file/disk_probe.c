/* SPDX-License-Identifier: Apache-2.0 */
#include "file/disk_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "file/file_path.h"

enum {
	BLOCK_BYTES = 4096,
	ROOM_BYTES = 64 * 1024, /* with less than this, a disk is full */
};

/* The nearest directory above the path that exists. */
static bool find_dir(const char *path, char dir[static PATH_MAX],
		     struct stat *st)
{
	size_t len = strlen(path);
	if (len >= PATH_MAX)
		return false;
	memcpy(dir, path, len + 1);
	do
		file_path_parent(dir);
	while (stat(dir, st) < 0 && errno == ENOENT && strcmp(dir, "/") != 0 &&
	       strcmp(dir, ".") != 0);
	return stat(dir, st) == 0;
}

bool disk_is_lost(int error)
{
	static const int errors[] = {EIO,	EROFS,	   ENODEV,
				     ENOTCONN,	ESTALE,	   EUCLEAN,
				     ESHUTDOWN, ETIMEDOUT, EHOSTDOWN};
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (error == errors[i])
			return true;
	return false;
}

/* Choose the root if it is on the same file system, because the directory of
 * the file may have its own quota. */
static bool choose_dir(const char *path, size_t root_bytes, int error,
		       char dir[static PATH_MAX])
{
	char root[PATH_MAX];
	struct stat st, root_st;
	bool has_root = root_bytes > 0 && root_bytes < sizeof root;
	memcpy(root, path, has_root ? root_bytes : 0);
	root[has_root ? root_bytes : 0] = '\0';
	bool must_be_root = has_root && disk_is_lost(error);
	if (!must_be_root && !find_dir(path, dir, &st))
		return false;
	if (must_be_root || (has_root && stat(root, &root_st) == 0 &&
			     root_st.st_dev == st.st_dev))
		memcpy(dir, root, root_bytes + 1);
	return true;
}

static bool has_room(const char *dir)
{
	struct statvfs st;
	return statvfs(dir, &st) == 0 &&
	       (uint64_t)st.f_bavail * st.f_frsize >= ROOM_BYTES;
}

bool disk_probe(const char *path, size_t root_bytes, int error)
{
	static const char block[BLOCK_BYTES];
	char dir[PATH_MAX];
	if (!choose_dir(path, root_bytes, error, dir))
		return false;
	int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0) {
		bool is_good =
			write(fd, block, sizeof block) == (ssize_t)sizeof block;
		close(fd);
		return is_good;
	}
	return error != EIO && !disk_is_lost(errno) && has_room(dir);
}
