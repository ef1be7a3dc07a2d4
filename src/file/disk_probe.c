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

static bool has_room(const char *dir, size_t bytes)
{
	struct statvfs st;
	return statvfs(dir, &st) == 0 &&
	       (uint64_t)st.f_bavail * st.f_frsize >= ROOM_BYTES + bytes;
}

/* A quota can reject what the free space of the disk would allow. */
static bool can_reserve(int fd, size_t bytes)
{
	return fallocate(fd, 0, 0, (off_t)(ROOM_BYTES + bytes)) == 0 ||
	       (errno != ENOSPC && errno != EDQUOT);
}

static bool can_write(int fd)
{
	static const char block[BLOCK_BYTES];
	return write(fd, block, sizeof block) == (ssize_t)sizeof block;
}

bool disk_probe(const char *path, size_t root_bytes, int error,
		size_t wanted_bytes)
{
	char dir[PATH_MAX];
	if (!choose_dir(path, root_bytes, error, dir))
		return false;
	int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return error != EIO && !disk_is_lost(errno) &&
		       has_room(dir, wanted_bytes);
	bool is_good = can_write(fd);
	if (error == ENOSPC || error == EDQUOT)
		is_good = is_good && has_room(dir, wanted_bytes) &&
			  can_reserve(fd, wanted_bytes);
	close(fd);
	return is_good;
}
