/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/own_file.h"
#include "journal/journal.h"
#include "journal/journal_file.h"
#include "journal/journal_format.h"
#include "journal/journal_ring.h"

/* The directory of the file, as a new text. */
static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		return mem_text(".");
	return mem_copy(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Whether the directory is in one of the kernel's own file systems, in which
 * only the kernel makes files.  There, access() says nothing about that. */
static bool is_kernels(const char *dir)
{
	static const long types[] = {
		PROC_SUPER_MAGIC,    SYSFS_MAGIC,	 CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,
		TRACEFS_MAGIC,	     SECURITYFS_MAGIC,	 BPF_FS_MAGIC};
	struct statfs fs;
	if (statfs(dir, &fs) != 0)
		return false;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if ((long)fs.f_type == types[i])
			return true;
	return false;
}

/* The file gets no name.  Some file systems, such as NFS, cannot make such a
 * file; there, only the permissions are checked, and *fd is -1. */
static bool try_dir(const char *dir, int *fd, struct err *e)
{
	*fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd >= 0)
		return true;
	int error = errno;
	if ((error == EOPNOTSUPP || error == EISDIR) && !is_kernels(dir)) {
		if (access(dir, W_OK | X_OK) == 0)
			return true;
		error = errno;
	}
	return err_set(e, "the journal cannot be created in %s: %s; %s", dir,
		       strerror(error),
		       error == ENOENT
			       ? "create this directory, or choose another one"
			       : "choose a directory in which sluiced can "
				 "create files");
}

static bool try_size(int fd, size_t bytes)
{
	if (fd >= 0 && ftruncate(fd, (off_t)bytes) != 0)
		return false;
	struct err unused;
	void *map = journal_file_map(fd, bytes, &unused);
	if (map == NULL)
		return false;
	munmap(map, bytes);
	return true;
}

/* Whether the file system has room for what a new journal needs at first. */
static bool try_room(const char *dir, int fd, size_t bytes)
{
	struct statvfs fs;
	if (fd >= 0)
		return journal_file_reserve(fd, 0, bytes);
	errno = ENOSPC;
	return statvfs(dir, &fs) != 0 || fs.f_bavail * fs.f_frsize >= bytes;
}

/* Whether the directory can hold files with the names that sluiced makes from
 * the journal's: .new, .spill, .foreign.1, .damaged.1. */
static bool try_name(const char *path, struct err *e)
{
	struct stat st;
	struct buf name = {0};
	buf_put_text(&name, path);
	buf_put_text(&name, ".damaged.1");
	bool is_good =
		lstat(buf_text(&name), &st) == 0 || errno != ENAMETOOLONG;
	buf_fini(&name);
	return is_good ||
	       err_set(e,
		       "the journal's name is too long; choose a shorter one: "
		       "%s",
		       path);
}

/* A file that cannot be read causes an error later. */
static bool try_content(const char *path, int fd, struct err *e)
{
	char page[JOURNAL_PAGE_BYTES];
	ssize_t n = pread(fd, page, sizeof page, 0);
	return n < 0 || journal_is_ours(page, (size_t)n) ||
	       journal_file_is_not_ours(path, e);
}

/* Whether the file, which is open, can be the journal. */
static bool try_open_file(const char *path, int fd, bool is_free, struct err *e)
{
	if (!try_content(path, fd, e))
		return false;
	if (is_free && flock(fd, LOCK_SH | LOCK_NB) != 0)
		return err_set(
			e,
			"%s is in use by another sluiced, or by sluiced replay",
			path);
	return true;
}

/* own_file_open() renames a file of another user, and one with a second hard
 * link, so those are no obstacle. */
static bool try_file(const char *path, const struct stat *st, bool is_free,
		     struct err *e)
{
	if (!own_file_has_owner(st) ||
	    (S_ISREG(st->st_mode) && st->st_nlink > 1))
		return true;
	if (S_ISLNK(st->st_mode))
		return err_set(e,
			       "%s is a symbolic link, which sluiced does not "
			       "follow; name the file itself",
			       path);
	if (!S_ISREG(st->st_mode))
		return err_set(e,
			       "%s is not a regular file; remove it or choose "
			       "another path",
			       path);
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "open the journal %s", path);
	bool is_good = try_open_file(path, fd, is_free, e);
	close(fd);
	return is_good;
}

static bool try_content_at(const char *path, struct err *e)
{
	struct stat st;
	if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
	    !own_file_has_owner(&st) || st.st_nlink > 1)
		return true;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return true;
	bool is_good = try_content(path, fd, e);
	close(fd);
	return is_good;
}

bool journal_try_content(const char *path, struct err *e)
{
	struct buf new = {0};
	buf_printf(&new, "%s.new", path);
	bool is_good =
		try_content_at(path, e) && try_content_at(buf_text(&new), e);
	buf_fini(&new);
	return is_good;
}

/* There is no file at the path; NULL: the journal will be in memory. */
static enum journal_try try_new(const struct journal_opts *opts, struct err *e)
{
	const struct journal_geometry g = journal_geometry_of(opts);
	size_t bytes = journal_view_make(NULL, &g).at.end;
	size_t first = journal_first_bytes(&g);
	enum journal_try answer = JOURNAL_TRY_GOOD;
	char *dir = opts->path != NULL ? dir_of(opts->path) : NULL;
	int fd = -1;
	if (dir != NULL && !try_dir(dir, &fd, e)) {
		answer = JOURNAL_TRY_BAD_PATH;
	} else if ((dir == NULL || fd >= 0) && !try_size(fd, bytes)) {
		err_set(e,
			"a journal of %zu bytes cannot be created in %s: %s; "
			"choose a smaller size, such as 64M",
			bytes, dir != NULL ? dir : "memory", strerror(errno));
		answer = JOURNAL_TRY_BAD_SIZE;
	} else if (dir != NULL && !try_room(dir, fd, first)) {
		err_set(e,
			"the journal cannot be created in %s: its first %zu "
			"KiB: %s; make room, or choose another directory",
			dir, first >> 10, strerror(errno));
		answer = JOURNAL_TRY_BAD_FILE;
	}
	if (fd >= 0)
		close(fd);
	free(dir);
	return answer;
}

enum journal_try journal_try(const struct journal_opts *opts, bool is_free,
			     struct err *e)
{
	struct stat st;
	if (opts->path != NULL && !try_name(opts->path, e))
		return JOURNAL_TRY_BAD_FILE;
	if (opts->path == NULL || lstat(opts->path, &st) != 0)
		return try_new(opts, e);
	return try_file(opts->path, &st, is_free, e) ? JOURNAL_TRY_GOOD
						     : JOURNAL_TRY_BAD_FILE;
}
