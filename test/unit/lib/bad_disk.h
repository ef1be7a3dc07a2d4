/* SPDX-License-Identifier: Apache-2.0 */
/* bad_disk - makes write() fail as if a disk rejected it.
 *
 * This header defines write() for the whole test program, so only one source
 * file may include it.  While the disk is bad, write() fails with `error`, an
 * errno, for each file whose path begins with `path`.  It also fails for each
 * unnamed temporary file, because sluiced writes to such a file to find out
 * whether the disk takes writes. */
#ifndef UNIT_BAD_DISK_H
#define UNIT_BAD_DISK_H

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The thread that writes the log calls write(), too. */
static pthread_mutex_t bad_disk_lock = PTHREAD_MUTEX_INITIALIZER;
static char bad_disk_path[PATH_MAX]; /* empty: the disk is good */
static int bad_disk_errno;
static bool bad_disk_is_alone;

static inline void bad_disk_set(const char *path, int error, bool is_alone)
{
	pthread_mutex_lock(&bad_disk_lock);
	snprintf(bad_disk_path, sizeof bad_disk_path, "%s", path);
	bad_disk_errno = error;
	bad_disk_is_alone = is_alone;
	pthread_mutex_unlock(&bad_disk_lock);
}

static inline void bad_disk_begin(const char *path, int error)
{
	bad_disk_set(path, error, false);
}

/* Only the files whose path begins with `path` reject writes; the disk takes
 * the writes of all other files. */
static inline void bad_disk_alone(const char *path, int error)
{
	bad_disk_set(path, error, true);
}

static inline void bad_disk_end(void)
{
	bad_disk_set("", 0, false);
}

static bool bad_disk_has(int fd)
{
	char link[64], path[PATH_MAX];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return strncmp(path, bad_disk_path, strlen(bad_disk_path)) == 0 ||
	       (!bad_disk_is_alone && strstr(path, " (deleted)") != NULL);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
	pthread_mutex_lock(&bad_disk_lock);
	bool is_bad = bad_disk_path[0] != '\0' && bad_disk_has(fd);
	int error = bad_disk_errno;
	pthread_mutex_unlock(&bad_disk_lock);
	if (!is_bad)
		return syscall(SYS_write, fd, bytes, count);
	errno = error;
	return -1;
}

#endif
