/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/own_file.h"

enum {
	DIR_MODE = 0700,
	FILE_MODE = 0600,
	OTHERS_MODE = 0077,
	OTHERS_WRITE_MODE = 0022,
	OPEN_TRIES = 2,
	LOCK_PAUSES = 20,
	FLUSH_PAUSES = 50,
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
	unsigned pauses_left; /* of this flush */
	int64_t owner_uid;    /* of what was found last; -1: unknown */
	bool is_modeless;     /* a new lock file could not be used, either */
	struct log_rate rate;
};

struct file_lock *file_lock_new(void)
{
	struct file_lock *l = mem_new(1, sizeof *l);
	l->fd = -1;
	l->pauses_left = FLUSH_PAUSES;
	return l;
}

static void close_file(struct file_lock *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/* --- which lock file can be trusted */

/* Returns why others may have the lock file open, or NULL. */
static const char *why_exposed(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "it is not a regular file";
	if ((st->st_mode & OTHERS_MODE) != 0)
		return "other users can open it";
	return st->st_nlink > 1 ? "it has a second hard link" : NULL;
}

/* Returns why the file cannot be used, or NULL.  A file that was found is never
 * changed: it may be a log file that somebody moved here.  Neither the hidden
 * directory nor the lock file may be a symbolic link. */
static const char *open_in(struct file_lock *l, int dir)
{
	struct stat st;
	if (fstat(dir, &st) < 0)
		return strerror(errno);
	l->owner_uid = st.st_uid;
	if (!own_file_has_owner(&st))
		return "another user owns its directory";
	if ((st.st_mode & OTHERS_WRITE_MODE) != 0)
		return "other users can write in its directory";
	l->fd = openat(dir, "lock",
		       O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		       FILE_MODE);
	if (l->fd < 0 || fstat(l->fd, &st) < 0)
		return strerror(errno);
	l->owner_uid = st.st_uid;
	l->device = st.st_dev;
	l->inode = st.st_ino;
	return own_file_has_owner(&st) ? why_exposed(&st)
				       : "another user owns it";
}

/* If a killed pod has left the lock file on a volume with fsGroup, Kubernetes
 * has given the group access to it.  Remove such a file, and its directory, so
 * that new ones are created.  A file that is not empty may be a log file and
 * stays.  Returns whether something was removed. */
static bool remove_exposed(struct file_lock *l, int dir)
{
	struct stat at, st;
	if (l->is_modeless || fstat(dir, &at) < 0 || !own_file_has_owner(&at))
		return false;
	bool is_exposed = (at.st_mode & OTHERS_WRITE_MODE) != 0;
	bool is_removed = fstatat(dir, "lock", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			  S_ISREG(st.st_mode) && own_file_has_owner(&st) &&
			  st.st_size == 0 &&
			  (is_exposed || why_exposed(&st) != NULL) &&
			  unlinkat(dir, "lock", 0) == 0;
	if (is_exposed || is_removed)
		is_removed |= rmdir(buf_text(&l->path)) == 0;
	return is_removed;
}

/* --- opening */

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

static int make_hidden(struct file_lock *l)
{
	int fd = open_hidden(l);
	if (fd < 0 && errno == ENOENT &&
	    (mkdir(buf_text(&l->path), DIR_MODE) == 0 || errno == EEXIST))
		fd = open_hidden(l);
	return fd;
}

/* Returns why the lock file cannot be used, or NULL. */
static const char *open_file(struct file_lock *l, struct span dir)
{
	const char *wrong = NULL;
	bool is_removed = false;
	close_file(l);
	buf_clear(&l->dir);
	buf_put_span(&l->dir, dir);
	l->owner_uid = -1;
	for (int i = 0; i < OPEN_TRIES; i++) {
		int fd = make_hidden(l);
		if (fd < 0)
			return strerror(errno);
		wrong = open_in(l, fd);
		bool is_last = wrong == NULL || i == OPEN_TRIES - 1 ||
			       !remove_exposed(l, fd);
		close(fd);
		if (is_last)
			break;
		is_removed = true;
		close_file(l);
	}
	buf_put_text(&l->path, "/lock");
	buf_text(&l->path);
	if (wrong == NULL)
		return NULL;
	close_file(l);
	l->is_modeless |= is_removed;
	return wrong;
}

static bool is_open(const struct file_lock *l, struct span dir)
{
	struct stat st;
	return l->fd >= 0 && span_equals(buf_span(&l->dir), dir) &&
	       stat(l->path.ptr, &st) == 0 && st.st_dev == l->device &&
	       st.st_ino == l->inode && why_exposed(&st) == NULL;
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
	for (int pauses = 0;; pauses++) {
		if (fcntl(l->fd, F_SETLK, &want) == 0) {
			l->held = want;
			return 0;
		}
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return errno;
		if (pauses == LOCK_PAUSES || l->pauses_left == 0)
			break;
		l->pauses_left--;
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * NS_PER_MS},
			  NULL);
	}
	l->holder = fcntl(l->fd, F_GETLK, &want) == 0 && want.l_type != F_UNLCK
			    ? want.l_pid
			    : 0;
	return EBUSY;
}

static void log_missing(struct file_lock *l, const char *wrong)
{
	char room[LOG_QUOTED_BYTES];
	char owner[40] = "";
	if (l->owner_uid >= 0)
		snprintf(owner, sizeof owner, "owner_uid=%lld ",
			 (long long)l->owner_uid);
	log_rated(
		&l->rate, LOG_WARN, "file_sink",
		"path=%s %serr=\"cannot lock: %s\" action=\"writing without a "
		"lock; if a second process writes the same files and is "
		"killed, lines may be written twice\"",
		log_quoted(buf_span(&l->path), room), owner, wrong);
}

void file_lock_begin_flush(struct file_lock *l)
{
	l->pauses_left = FLUSH_PAUSES;
}

/* On a file system without locks, no other process can hold one, so the result
 * is 0. */
int file_lock_take(struct file_lock *l, struct span dir, ino_t inode)
{
	for (int i = 0; i < 2; i++) {
		const char *wrong = is_open(l, dir) ? NULL : open_file(l, dir);
		if (wrong != NULL) {
			log_missing(l, wrong);
			return 0;
		}
		int error = lock_byte(l, inode);
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
