/* SPDX-License-Identifier: Apache-2.0 */
/* bad_calls - makes calls that ask the file system fail.
 *
 * This header defines the calls of enum bad_call for the whole test program, so
 * only one source file may include it.  While calls are bad, the next `count`
 * calls of the chosen kinds fail with `error`, an errno, if their path contains
 * `part`.  A failing call does nothing.  Directory entries that are read are
 * counted. */
#ifndef UNIT_BAD_CALLS_H
#define UNIT_BAD_CALLS_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum bad_call {
	BAD_OPEN = 1,
	BAD_PREAD = 2,
	BAD_STAT = 4,
	BAD_ACCESS = 8,
	BAD_UNLINK = 16,
	BAD_OPENDIR = 32,
	BAD_READDIR = 64,
	BAD_PWRITE = 128,
	BAD_READLINK = 256,
};

/* The directory entries that were read so far.  A test may set it to 0. */
static size_t bad_calls_entries;

static struct {
	unsigned calls; /* enum bad_call; 0: no call fails */
	int error;
	unsigned count;
	unsigned skip;	 /* so many calls succeed first */
	unsigned struck; /* calls that have failed */
	char part[PATH_MAX];
} bad_calls;

static inline void bad_calls_begin(unsigned calls, const char *part, int error,
				   unsigned count)
{
	bad_calls.calls = calls;
	bad_calls.error = error;
	bad_calls.count = count;
	bad_calls.skip = bad_calls.struck = 0;
	snprintf(bad_calls.part, sizeof bad_calls.part, "%s", part);
}

/* Returns how many calls have failed. */
static inline unsigned bad_calls_end(void)
{
	bad_calls.calls = 0;
	return bad_calls.struck;
}

static bool bad_calls_fail(enum bad_call call, const char *path)
{
	if ((bad_calls.calls & call) == 0 ||
	    bad_calls.struck == bad_calls.count ||
	    strstr(path, bad_calls.part) == NULL)
		return false;
	if (bad_calls.skip > 0) {
		bad_calls.skip--;
		return false;
	}
	bad_calls.struck++;
	errno = bad_calls.error;
	return true;
}

static void bad_calls_path_of(int fd, char path[static PATH_MAX])
{
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlinkat(AT_FDCWD, link, path, PATH_MAX - 1);
	path[n < 0 ? 0 : n] = '\0';
}

static bool bad_calls_fail_fd(enum bad_call call, int fd)
{
	char path[PATH_MAX];
	if ((bad_calls.calls & call) == 0)
		return false;
	bad_calls_path_of(fd, path);
	return bad_calls_fail(call, path);
}

/* Opening a directory counts as opendir(). */
int openat(int dir, const char *name, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	char dir_path[PATH_MAX], path[2 * PATH_MAX];
	if (dir != AT_FDCWD)
		bad_calls_path_of(dir, dir_path);
	snprintf(path, sizeof path, "%s%s%s", dir == AT_FDCWD ? "" : dir_path,
		 dir == AT_FDCWD ? "" : "/", name);
	bool is_dir = (flags & O_DIRECTORY) != 0;
	if (bad_calls_fail(is_dir ? BAD_OPENDIR : BAD_OPEN, path))
		return -1;
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (bad_calls_fail(BAD_OPEN, path))
		return -1;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t at)
{
	if (bad_calls_fail_fd(BAD_PREAD, fd))
		return -1;
	return syscall(SYS_pread64, fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
	if (bad_calls_fail_fd(BAD_PWRITE, fd))
		return -1;
	return syscall(SYS_pwrite64, fd, bytes, count, at);
}

int stat(const char *restrict path, struct stat *restrict st)
{
	if (bad_calls_fail(BAD_STAT, path))
		return -1;
	return fstatat(AT_FDCWD, path, st, 0);
}

int access(const char *path, int mode)
{
	if (bad_calls_fail(BAD_ACCESS, path))
		return -1;
	return faccessat(AT_FDCWD, path, mode, 0);
}

int unlink(const char *path)
{
	if (bad_calls_fail(BAD_UNLINK, path))
		return -1;
	return unlinkat(AT_FDCWD, path, 0);
}

ssize_t readlink(const char *restrict path, char *restrict to, size_t bytes)
{
	if (bad_calls_fail(BAD_READLINK, path))
		return -1;
	return readlinkat(AT_FDCWD, path, to, bytes);
}

DIR *opendir(const char *path)
{
	if (bad_calls_fail(BAD_OPENDIR, path))
		return NULL;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path,
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	return dir;
}

struct dirent *readdir(DIR *dir)
{
	static struct dirent *(*real)(DIR *);
	if (bad_calls_fail_fd(BAD_READDIR, dirfd(dir)))
		return NULL;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	struct dirent *entry = real(dir);
	bad_calls_entries += entry != NULL;
	return entry;
}

#endif
