/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

enum {
	FILE_MODE = 0600,
	OTHERS_MODE = 0077,
	OTHERS_WRITE_MODE = 0022,
	SET_ASIDE_MAX = 10000,
	CREATE_TRIES = 10,
};

static const char another_owns_it[] = "another user owns it";

struct place {
	int dir;
	const char *path;
	const char *name; /* from `dir` */
	struct stat found;
};

bool own_file_has_owner(const struct stat *st)
{
	return st->st_uid == geteuid() || st->st_uid == 0;
}

/* Does the user own a file that this process creates here? */
static bool owns_new_files(const struct place *p, uid_t uid)
{
	struct stat st;
	struct buf room = {0};
	buf_printf(&room, "%s.owner.%d", p->name, (int)getpid());
	const char *name = buf_text(&room);
	unlinkat(p->dir, name, 0);
	int fd = openat(p->dir, name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			FILE_MODE);
	bool is_owner = fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == uid;
	if (fd >= 0) {
		unlinkat(p->dir, name, 0);
		close(fd);
	}
	buf_fini(&room);
	return is_owner;
}

/* Returns why what was found cannot be used, or NULL. */
static const char *why_foreign(const struct place *p)
{
	const struct stat *st = &p->found;
	bool is_dir = S_ISDIR(st->st_mode);
	if (!own_file_has_owner(st) && !owns_new_files(p, st->st_uid))
		return another_owns_it;
	if (S_ISREG(st->st_mode) && st->st_nlink > 1)
		return "it has a second hard link";
	if (is_dir && st->st_uid != geteuid() &&
	    (st->st_mode & OTHERS_WRITE_MODE) != 0)
		return "other users can write in it";
	return NULL;
}

/* Returns the descriptor, or -1 with errno set; *wrong is set if the reason is
 * that it cannot be trusted. */
static int open_here(struct place *p, int flags, const char **wrong)
{
	struct stat *st = &p->found;
	int fd = openat(p->dir, p->name,
			flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
	int error = fd < 0 ? errno : 0;
	bool is_found = fd >= 0 ? fstat(fd, st) == 0
				: fstatat(p->dir, p->name, st,
					  AT_SYMLINK_NOFOLLOW) == 0;
	if (fd >= 0 && !is_found)
		error = errno;
	*wrong = is_found ? why_foreign(p) : NULL;
	if (is_found && error == EACCES && st->st_uid != geteuid())
		*wrong = another_owns_it;
	if (is_found && error == ENOTDIR && S_ISLNK(st->st_mode))
		error = ELOOP;
	if (error == 0 && *wrong == NULL) {
		if (st->st_uid == geteuid() && (st->st_mode & OTHERS_MODE) != 0)
			(void)!fchmod(fd, st->st_mode & S_IRWXU);
		return fd;
	}
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

/* Returns 0 or an errno.  `to` becomes the new path. */
static int rename_to_free(const struct place *p, struct buf *to)
{
	struct stat st;
	size_t dir_bytes = (size_t)(p->name - p->path);
	for (unsigned n = 1; n <= SET_ASIDE_MAX; n++) {
		buf_clear(to);
		buf_printf(to, "%s.foreign.%u", p->path, n);
		const char *name = buf_text(to) + dir_bytes;
		if (fstatat(p->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		return renameat(p->dir, p->name, p->dir, name) < 0 ? errno : 0;
	}
	return EEXIST;
}

static bool set_aside(const struct place *p, const char *wrong,
		      struct log_rate *rate)
{
	char room[LOG_QUOTED_BYTES], to_room[LOG_QUOTED_BYTES];
	const char *path = log_quoted(span_of(p->path), room);
	struct buf to = {0};
	int error = rename_to_free(p, &to);
	/* Each thing is renamed once, so these lines need no limit. */
	if (error == 0)
		log_line(LOG_ERROR, "own_file",
			 "path=%s owner_uid=%u err=\"%s\" kept_in=%s "
			 "action=\"not using it; if an earlier sluiced ran as "
			 "owner_uid, run sluiced replay as that user on "
			 "kept_in or, if that is a directory, on each file in "
			 "it\"",
			 path, (unsigned)p->found.st_uid, wrong,
			 log_quoted(buf_span(&to), to_room));
	else
		log_rated(rate, LOG_ERROR, "own_file",
			  "path=%s owner_uid=%u err=\"%s, and it cannot be "
			  "renamed: %s\" action=\"not using it; remove it, or "
			  "choose another storage.path\"",
			  path, (unsigned)p->found.st_uid, wrong,
			  strerror(error));
	buf_fini(&to);
	return error == 0;
}

int own_file_open(int dir, const char *path, int flags, struct log_rate *rate)
{
	const char *slash = dir == AT_FDCWD ? NULL : strrchr(path, '/');
	struct place p = {
		.dir = dir,
		.path = path,
		.name = slash == NULL ? path : slash + 1,
	};
	for (int tries = 0; tries < CREATE_TRIES; tries++) {
		const char *wrong;
		int fd = open_here(&p, flags, &wrong);
		if (fd >= 0 || wrong == NULL)
			return fd;
		if (!set_aside(&p, wrong, rate))
			break;
		errno = ENOENT;
		if ((flags & O_CREAT) == 0)
			return -1;
	}
	errno = EPERM;
	return -1;
}
