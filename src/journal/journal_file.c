/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/own_file.h"
#include "journal/journal_format.h"

enum { RETRY_MS = 5, SET_ASIDE_MAX = 10000, COPY_BYTES = 64 << 10 };

bool journal_file_is_not_ours(const char *path, struct err *e)
{
	return err_set(e,
		       "%s exists and is not a journal of sluiced; move it "
		       "away, or choose another path",
		       path);
}

static char *with_suffix(const char *path, const char *suffix)
{
	size_t length = strlen(path);
	char *name = mem_new(length + strlen(suffix) + 1, 1);
	memcpy(name, path, length);
	memcpy(name + length, suffix, strlen(suffix));
	return name;
}

enum attempt { LOCKED, MOVED, HELD, FAILED };

static enum attempt try_lock(const char *path, int fd, size_t *bytes,
			     struct err *e)
{
	struct stat ours, named;
	if (fstat(fd, &ours) != 0)
		return (void)err_sys(e, errno, "journal %s", path), FAILED;
	if (!S_ISREG(ours.st_mode))
		return (void)err_set(e,
				     "journal %s: not a regular file; remove "
				     "it or choose another path",
				     path),
		       FAILED;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			return HELD;
		return (void)err_sys(e, errno, "lock %s", path), FAILED;
	}
	if (stat(path, &named) != 0 || named.st_ino != ours.st_ino ||
	    named.st_dev != ours.st_dev)
		return MOVED;
	/* Its size may have changed before it was locked. */
	if (fstat(fd, &ours) != 0)
		return (void)err_sys(e, errno, "journal %s", path), FAILED;
	*bytes = (size_t)ours.st_size;
	return LOCKED;
}

struct lock_opts {
	const char *path;
	int flags; /* of open(); without O_CREAT, *fd is -1 if there is no file
		    */
	int64_t until_ns;
};

static bool lock(const struct lock_opts *opts, int *fd, size_t *bytes,
		 struct err *e)
{
	const char *path = opts->path;
	int flags = opts->flags;
	struct log_rate rate = {0};
	bool is_waiting = false;
	for (;;) {
		*fd = own_file_open(AT_FDCWD, path, O_RDWR | flags, &rate);
		if (*fd < 0 && errno == ENOENT && (flags & O_CREAT) == 0)
			return true;
		if (*fd < 0)
			return err_sys(e, errno, "open journal %s", path);
		enum attempt attempt = try_lock(path, *fd, bytes, e);
		if (attempt == LOCKED)
			return true;
		close(*fd);
		*fd = -1;
		if (attempt == FAILED)
			return false;
		if (attempt == MOVED)
			continue;
		int64_t left_ns = opts->until_ns - clock_mono_ns();
		if (left_ns <= 0) {
			err_set(e,
				"journal %s: in use by another sluiced, or by "
				"sluiced replay; stop that process or choose "
				"another path",
				path);
			e->exit_code = EXIT_CODE_SYSTEM;
			return false;
		}
		if (!is_waiting)
			log_line(
				LOG_WARN, "journal",
				"path=%s err=\"in use by another sluiced or by "
				"sluiced replay\" "
				"action=\"waiting up to %.0f s for its end\"",
				path, (double)left_ns / NS_PER_S);
		is_waiting = true;
		nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * NS_PER_MS},
			  NULL);
	}
}

bool journal_file_lock(const char *path, int64_t until_ns, int *fd,
		       size_t *bytes, struct err *e)
{
	return lock(&(struct lock_opts){path, 0, until_ns}, fd, bytes, e);
}

/* Whether the file was removed, and there is none at the path. */
static bool is_nameless(const char *path, int fd, size_t *bytes)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink > 0)
		return false;
	*bytes = (size_t)st.st_size;
	return !journal_file_exists(path);
}

bool journal_file_lock_again(const char *path, int64_t until_ns, int *fd,
			     size_t *bytes, struct err *e)
{
	if (*fd >= 0 && (try_lock(path, *fd, bytes, e) == LOCKED ||
			 is_nameless(path, *fd, bytes)))
		return true;
	if (*fd >= 0)
		close(*fd);
	return journal_file_lock(path, until_ns, fd, bytes, e);
}

void journal_file_discard(const char *path, int fd)
{
	char *name = with_suffix(path, ".new");
	unlink(name);
	free(name);
	close(fd);
}

/* An empty file is ours, too. */
static bool is_ours(int fd)
{
	char page[JOURNAL_PAGE_BYTES];
	ssize_t n = pread(fd, page, sizeof page, 0);
	return n >= 0 && journal_is_ours(page, (size_t)n);
}

void journal_file_sweep(const char *path)
{
	char *name = with_suffix(path, ".new");
	struct err e;
	size_t bytes;
	int fd;
	if (lock(&(struct lock_opts){name, 0, 0}, &fd, &bytes, &e) && fd >= 0) {
		if (is_ours(fd))
			journal_file_discard(path, fd);
		else
			close(fd);
	}
	free(name);
}

/* Whether the locked file may be emptied; otherwise closes it. */
static bool may_empty(const char *name, int *fd, struct err *e)
{
	if (is_ours(*fd))
		return true;
	close(*fd);
	*fd = -1;
	return journal_file_is_not_ours(name, e);
}

bool journal_file_make(const char *path, int64_t until_ns, size_t bytes,
		       int *fd, struct err *e)
{
	char *name = with_suffix(path, ".new");
	size_t was_bytes;
	bool ok = lock(&(struct lock_opts){name, O_CREAT, until_ns}, fd,
		       &was_bytes, e) &&
		  may_empty(name, fd, e);
	free(name);
	if (!ok)
		return false;
	/* A process may have died while it made the file. */
	if (fchmod(*fd, 0600) == 0 && ftruncate(*fd, 0) == 0 &&
	    ftruncate(*fd, (off_t)bytes) == 0)
		return true;
	err_sys(e, errno, "journal %s: make a file of %zu bytes", path, bytes);
	journal_file_discard(path, *fd);
	*fd = -1;
	return false;
}

bool journal_file_place(const char *path, struct err *e)
{
	char *name = with_suffix(path, ".new");
	bool ok = rename(name, path) == 0;
	if (!ok)
		err_sys(e, errno, "rename %s to %s", name, path);
	free(name);
	return ok;
}

static bool copy_bytes(int to, int from, off_t at, off_t end)
{
	char bytes[COPY_BYTES];
	while (at < end) {
		size_t most =
			end - at < COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;
		ssize_t n = pread(from, bytes, most, at);
		if (n > 0)
			n = pwrite(to, bytes, (size_t)n, at);
		if (n == 0)
			errno = EIO;
		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		if (n > 0)
			at += n;
	}
	return true;
}

off_t journal_file_data_bytes(int fd)
{
	off_t at, end = 0, bytes = 0;
	while ((at = lseek(fd, end, SEEK_DATA)) >= 0) {
		end = lseek(fd, at, SEEK_HOLE);
		if (end < 0)
			break;
		bytes += end - at;
	}
	return bytes;
}

/* The file is sparse: copy only its data. */
static bool copy_data(int to, int from)
{
	off_t at = 0, end = 0;
	while ((at = lseek(from, end, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0 || !copy_bytes(to, from, at, end))
			return false;
	}
	return errno == ENXIO; /* no more data */
}

int journal_file_copy(const char *path, int from, struct err *e)
{
	struct stat st;
	int fd;
	if (fstat(from, &st) != 0)
		return (void)err_sys(e, errno, "journal %s", path), -1;
	if (!journal_file_make(path, 0, (size_t)st.st_size, &fd, e))
		return -1;
	/* Whoever makes a file there has the lock that is now held. */
	if (journal_file_exists(path))
		err_set(e, "there is another file in its place");
	else if (!copy_data(fd, from))
		err_sys(e, errno, "copy the journal %s", path);
	else if (journal_file_place(path, e))
		return fd;
	journal_file_discard(path, fd);
	return -1;
}

/* A worker opens no journal that is itself a symbolic link or has a second name
 * (base/own_file.h). */
bool journal_file_is_same(const char *a, const char *b)
{
	struct stat at_a, at_b;
	if (strcmp(a, b) == 0)
		return true;
	return lstat(a, &at_a) == 0 && lstat(b, &at_b) == 0 &&
	       S_ISREG(at_a.st_mode) && at_a.st_nlink == 1 &&
	       at_a.st_dev == at_b.st_dev && at_a.st_ino == at_b.st_ino;
}

bool journal_file_exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

bool journal_file_set_aside(const char *path, char *out, size_t out_bytes,
			    struct err *e)
{
	for (int n = 1; n <= SET_ASIDE_MAX; n++) {
		char suffix[32];
		snprintf(suffix, sizeof suffix, ".damaged.%d", n);
		char *name = with_suffix(path, suffix);
		bool is_free = !journal_file_exists(name);
		bool ok = is_free && rename(path, name) == 0;
		int rename_errno = errno;
		snprintf(out, out_bytes, "%s", name);
		free(name);
		if (ok)
			return true;
		if (is_free)
			return err_sys(e, rename_errno, "rename %s to %s", path,
				       out);
	}
	return err_set(
		e,
		"journal %s: there are %d damaged journals beside it already; "
		"remove those that you do not need",
		path, SET_ASIDE_MAX);
}

void *journal_file_map(int fd, size_t bytes, struct err *e)
{
	int flags = fd >= 0 ? MAP_SHARED
			    : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (map == MAP_FAILED) {
		err_sys(e, errno, "journal: map %zu bytes", bytes);
		return NULL;
	}
	/* With huge pages, each touched page would take 2 MiB.  On a kernel
	 * without them this fails, and no harm is done. */
	(void)madvise(map, bytes, MADV_NOHUGEPAGE);
	return map;
}

bool journal_file_is_written_back(int fd)
{
	struct statfs fs;
	return fd >= 0 && (fstatfs(fd, &fs) != 0 || (fs.f_type != TMPFS_MAGIC &&
						     fs.f_type != RAMFS_MAGIC));
}

bool journal_file_reserve(int fd, size_t at, size_t bytes)
{
	if (fd < 0)
		return true;
	int result;
	do
		result = posix_fallocate(fd, (off_t)at, (off_t)bytes);
	while (result == EINTR);
	errno = result;
	return result == 0;
}

void journal_file_free(int fd, size_t at, size_t bytes)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	while (fallocate(fd, mode, (off_t)at, (off_t)bytes) != 0 &&
	       errno == EINTR)
		;
}
