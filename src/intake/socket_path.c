/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/socket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

static bool address_of(const char *path, struct sockaddr_un *address,
		       struct err *e)
{
	size_t room = sizeof address->sun_path - 1;
	if (strlen(path) > room)
		return err_set(e,
			       "socket %s: the path has %zu bytes; the kernel "
			       "allows %zu",
			       path, strlen(path), room);
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, path, strlen(path));
	return true;
}

bool socket_path_fits(const char *path, struct err *e)
{
	struct sockaddr_un address;
	return address_of(path, &address, e);
}

static int dir_length(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? 0 : (int)(slash - path + 1);
}

/* "DIR/.s123" beside the path.  It is short, because the kernel limits the
 * length of this name, too. */
static void name_beside(const char *path, char *name, size_t room)
{
	snprintf(name, room, "%.*s.s%d", dir_length(path), path, (int)getpid());
}

/* "DIR/.s.NAME": the second hard link. */
static void name_of_link(const char *path, char name[static PATH_MAX])
{
	int length = dir_length(path);
	snprintf(name, PATH_MAX, "%.*s.s.%s", length, path, path + length);
}

static enum socket_try try_directory(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? mem_text(".")
				  : mem_copy(path, (size_t)(slash - path) + 1);
	struct stat st;
	int error = 0;
	if (stat(dir, &st) != 0)
		error = errno;
	else if (!S_ISDIR(st.st_mode))
		error = ENOTDIR;
	else if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) != 0)
		error = errno;
	if (error != 0)
		err_sys(e, error, "socket %s: its directory %s", path, dir);
	free(dir);
	if (error == 0)
		return SOCKET_TRY_GOOD;
	return error == ENOENT ? SOCKET_TRY_NO_DIRECTORY : SOCKET_TRY_BAD;
}

/* False when something other than a socket is at the path. */
static bool check_path_may_be_ours(const char *path, struct err *e)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return errno == ENOENT || err_sys(e, errno, "socket %s", path);
	return S_ISSOCK(st.st_mode) ||
	       err_set(e,
		       "socket %s: the path exists and is not a socket; "
		       "remove it or choose another path",
		       path);
}

enum socket_try socket_path_try(const char *path, struct err *e)
{
	if (!socket_path_fits(path, e))
		return SOCKET_TRY_BAD;
	enum socket_try verdict = try_directory(path, e);
	if (verdict == SOCKET_TRY_GOOD && !check_path_may_be_ours(path, e))
		return SOCKET_TRY_BAD;
	return verdict;
}

bool socket_path_is_free(const char *path, struct err *e)
{
	struct sockaddr_un address;
	if (!address_of(path, &address, e))
		return false;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, errno, "socket %s", path);
	int why = 0;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		why = errno;
	close(fd);
	switch (why) {
	case ECONNREFUSED: /* a dead process left the socket */
	case ENOENT:	   /* gone meanwhile */
		return true;
	case 0:
	case EAGAIN:	 /* a full queue */
	case EPROTOTYPE: /* a socket of another type */
		return err_sys(e, EADDRINUSE,
			       "socket %s: a running process uses it; stop "
			       "that process or choose another path",
			       path);
	default:
		return err_sys(e, why,
			       "socket %s: cannot tell whether it is "
			       "in use",
			       path);
	}
}

/* Bind under the temporary name, and rename it when it is complete. */
bool socket_path_bind(struct socket_path *s, const char *path, int fd,
		      mode_t mode, struct err *e)
{
	char temporary[PATH_MAX];
	name_beside(path, temporary, sizeof temporary);
	struct sockaddr_un address;
	if (!address_of(temporary, &address, e))
		return err_in(e, "socket %s: temporary name", path);
	struct stat st;
	if (lstat(temporary, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(temporary); /* left by a process that died here */

	/* bind() uses the descriptor's mode without the umask's bits, so the
	 * socket is never open to more processes than it should be.  chmod()
	 * then sets the exact mode. */
	if (fchmod(fd, mode) != 0)
		return err_sys(e, errno, "socket %s: fchmod", path);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
		return err_sys(e, errno, "socket %s: bind %s", path, temporary);
	/* A datagram socket refuses to listen. */
	if (listen(fd, SOMAXCONN) != 0 && errno != EOPNOTSUPP)
		return err_sys(e, errno, "socket %s: listen", path);
	if (chmod(temporary, mode) != 0 || lstat(temporary, &st) != 0 ||
	    rename(temporary, path) != 0) {
		err_sys(e, errno, "socket %s: chmod or rename %s", path,
			temporary);
		unlink(temporary);
		return false;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->is_bound = true;
	return true;
}

/* What is at a path.  UNKNOWN: the file system does not say; errno is set. */
enum found { OURS, ANOTHER, NOTHING, UNKNOWN };

/* No other file has this inode number while the descriptor is open. */
static enum found look_at(const struct socket_path *s, const char *path)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ? NOTHING : UNKNOWN;
	return st.st_dev == s->dev && st.st_ino == s->ino ? OURS : ANOTHER;
}

static bool leads_to(const struct socket_path *s, const char *path)
{
	return look_at(s, path) == OURS;
}

void socket_path_link(const struct socket_path *s, const char *path)
{
	char second[PATH_MAX];
	name_of_link(path, second);
	if (!s->is_bound || !leads_to(s, path) || leads_to(s, second))
		return;
	(void)unlink(second);
	(void)link(path, second);
}

bool socket_path_is_at(const struct socket_path *s, const char *name)
{
	return s->is_bound && leads_to(s, name);
}

bool socket_path_chmod(const struct socket_path *s, const char *path,
		       mode_t mode)
{
	if (leads_to(s, path))
		return chmod(path, mode) == 0;
	errno = ENOENT;
	return false;
}

void socket_path_put_back(const struct socket_path *s, const char *path)
{
	char second[PATH_MAX];
	name_of_link(path, second);
	if (s->is_bound && leads_to(s, second))
		(void)!link(second, path);
}

/* The path cannot be looked at.  Nothing is known, so nothing changes. */
static bool look_later(struct socket_path *s, const char *path)
{
	log_rated(&s->look_rate, LOG_WARN, "socket",
		  "path=%s err=\"cannot look whether the socket is there: %s\" "
		  "action=\"looking again every second\"",
		  path, strerror(errno));
	return true;
}

static bool found_again(struct socket_path *s, const char *path)
{
	if (s->is_lost) {
		log_line(LOG_WARN, "socket",
			 "path=%s msg=\"the socket is at its path again\" "
			 "action=\"new senders can connect\"",
			 path);
		socket_path_link(s, path);
	}
	s->is_lost = false;
	return true;
}

static bool link_again(struct socket_path *s, const char *path,
		       const char *second)
{
	if (link(second, path) != 0)
		return false;
	log_line(LOG_WARN, "socket",
		 "path=%s err=\"somebody removed the socket\" "
		 "action=\"restored; senders notice nothing\"",
		 path);
	s->is_lost = false;
	return true;
}

bool socket_path_restore(struct socket_path *s, const char *path)
{
	char second[PATH_MAX];
	enum found found = s->is_bound ? look_at(s, path) : OURS;
	enum found hidden = ANOTHER;
	if (found == UNKNOWN)
		return look_later(s, path);
	if (found == OURS)
		return found_again(s, path);
	name_of_link(path, second);
	if (found == NOTHING)
		hidden = look_at(s, second);
	if (hidden == UNKNOWN)
		return look_later(s, second);
	if (hidden == OURS && link_again(s, path, second))
		return true;
	if (!s->is_lost)
		log_line(LOG_WARN, "socket",
			 "path=%s err=\"somebody %s the socket\" "
			 "action=\"opening a new socket if possible; each "
			 "nginx worker then connects to it after one failed "
			 "line\"",
			 path, found == NOTHING ? "removed" : "replaced");
	s->is_lost = true;
	return false;
}

void socket_path_remove(const struct socket_path *s, const char *path)
{
	char second[PATH_MAX];
	name_of_link(path, second);
	if (s->is_bound && leads_to(s, second))
		unlink(second);
	if (s->is_bound && leads_to(s, path))
		unlink(path);
}
