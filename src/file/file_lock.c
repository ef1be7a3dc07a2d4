/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	DIR_MODE = 0700,
	FILE_MODE = 0600,
	OTHERS_MODE = 0077,
	TRIES = 20,
	PAUSE_MS = 1,
};

struct file_lock {
	struct buf dir;	 /* of the lock file that is open */
	struct buf path; /* of its hidden directory, then of the file itself */
	int fd;		 /* -1: closed */
	dev_t device;
	ino_t inode;
	struct flock held; /* l_len 0: nothing is locked */
	pid_t holder;
	struct log_rate rate;
};

struct file_lock *file_lock_new(void)
{
	struct file_lock *l = mem_new(1, sizeof *l);
	l->fd = -1;
	return l;
}

static void close_file(struct file_lock *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/* Neither the hidden directory nor the lock file may be a symbolic link. */
static int open_in(struct file_lock *l, int dir)
{
	struct stat st;
	l->fd = openat(dir, "lock",
		       O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		       FILE_MODE);
	if (l->fd < 0 || fstat(l->fd, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	if ((st.st_mode & OTHERS_MODE) != 0 && fchmod(l->fd, FILE_MODE) < 0)
		return errno;
	l->device = st.st_dev;
	l->inode = st.st_ino;
	return 0;
}

/* Open the hidden directory.  l->path becomes its path.  Returns -1 with errno
 * set if that fails. */
static int open_hidden(struct file_lock *l)
{
	buf_clear(&l->path);
	buf_put_span(&l->path, buf_span(&l->dir));
	buf_put_text(&l->path, "/" FILE_LOCK_DIR);
	return open(buf_text(&l->path),
		    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int open_file(struct file_lock *l, struct span dir)
{
	close_file(l);
	buf_clear(&l->dir);
	buf_put_span(&l->dir, dir);
	int fd = open_hidden(l);
	if (fd < 0 && errno == ENOENT &&
	    (mkdir(buf_text(&l->path), DIR_MODE) == 0 || errno == EEXIST))
		fd = open_hidden(l);
	if (fd < 0)
		return errno;
	int error = open_in(l, fd);
	close(fd);
	if (error != 0)
		close_file(l);
	buf_put_text(&l->path, "/lock");
	buf_text(&l->path);
	return error;
}

static bool is_open(const struct file_lock *l, struct span dir)
{
	struct stat st;
	return l->fd >= 0 && span_equals(buf_span(&l->dir), dir) &&
	       stat(l->path.ptr, &st) == 0 && st.st_dev == l->device &&
	       st.st_ino == l->inode;
}

/* Remove the lock file and its directory unless another process holds a lock or
 * has replaced the file.  A process that has the file open notices this when it
 * takes its next lock. */
static void remove_file(struct file_lock *l)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (l->fd < 0 || !is_open(l, buf_span(&l->dir)) ||
	    fcntl(l->fd, F_SETLK, &all) < 0)
		return;
	int dir = open_hidden(l);
	if (dir < 0)
		return;
	bool is_removed = unlinkat(dir, "lock", 0) == 0;
	close(dir);
	if (is_removed)
		(void)!rmdir(buf_text(&l->path));
}

void file_lock_free(struct file_lock *l)
{
	if (l == NULL)
		return;
	remove_file(l);
	close_file(l);
	buf_fini(&l->dir);
	buf_fini(&l->path);
	free(l);
}

/* Returns 0, EBUSY, or another errno. */
static int lock_byte(struct file_lock *l, ino_t inode)
{
	struct flock want = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(inode & (INT64_MAX / 2)),
		.l_len = 1,
	};
	for (int i = 0; i < TRIES; i++) {
		if (fcntl(l->fd, F_SETLK, &want) == 0) {
			l->held = want;
			return 0;
		}
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return errno;
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * NS_PER_MS},
			  NULL);
	}
	l->holder = fcntl(l->fd, F_GETLK, &want) == 0 && want.l_type != F_UNLCK
			    ? want.l_pid
			    : 0;
	return EBUSY;
}

static void log_missing(struct file_lock *l, int error)
{
	char room[LOG_QUOTED_BYTES];
	log_rated(
		&l->rate, LOG_WARN, "file_sink",
		"path=%s err=\"cannot lock: %s\" action=\"writing without a "
		"lock; a second process that writes the same files may double "
		"lines when it is killed\"",
		log_quoted(buf_span(&l->path), room), strerror(error));
}

/* On a file system without locks, no other process can hold one, so the result
 * is 0. */
int file_lock_take(struct file_lock *l, struct span dir, ino_t inode)
{
	for (int i = 0; i < 2; i++) {
		int error = is_open(l, dir) ? 0 : open_file(l, dir);
		if (error != 0) {
			log_missing(l, error);
			return 0;
		}
		error = lock_byte(l, inode);
		if (error != 0)
			return error == EBUSY ? EBUSY : 0;
		if (is_open(l, dir))
			return 0;
		file_lock_release(l); /* the lock file was removed meanwhile */
	}
	return EBUSY;
}

void file_lock_release(struct file_lock *l)
{
	if (l->fd < 0 || l->held.l_len == 0)
		return;
	l->held.l_type = F_UNLCK;
	(void)!fcntl(l->fd, F_SETLK, &l->held);
	l->held.l_len = 0;
}

pid_t file_lock_holder(const struct file_lock *l)
{
	return l->holder;
}
