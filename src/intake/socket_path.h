/* SPDX-License-Identifier: Apache-2.0 */
/* socket_path - the path of a Unix socket.
 *
 * A socket appears under its path with its final mode: it is bound under a
 * temporary name beside the path and renamed.  A socket at the path on which
 * nobody listens is replaced.  A socket in use, or a file, is an error.
 *
 * Somebody may remove the path later, and then no new sender can connect.  A
 * second, hidden hard link (".s.NAME") brings back the same socket, so that
 * connected senders notice nothing. */
#ifndef INTAKE_SOCKET_PATH_H
#define INTAKE_SOCKET_PATH_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"

enum socket_try {
	SOCKET_TRY_GOOD,
	SOCKET_TRY_NO_DIRECTORY, /* only the path's directory is missing */
	SOCKET_TRY_BAD,
};

/* Whether the path is short enough for the kernel. */
bool socket_path_fits(const char *path, struct err *) MUST_USE;

/* Whether a socket could be bound, as far as this can be found out without
 * changing anything; *e says why not. */
enum socket_try socket_path_try(const char *path, struct err *) MUST_USE;

/* Whether no process receives at the path. */
bool socket_path_is_free(const char *path, struct err *) MUST_USE;

struct socket_path { /* zero-initialised: not bound by this process */
	bool is_bound;
	/* At the last look, the path led to another file, or nowhere. */
	bool is_lost;
	dev_t dev;
	ino_t ino;
	struct log_rate look_rate;
};

/* Bind the socket to the path, and listen if it is a stream socket.  A socket
 * that has the path loses it, but keeps its hidden link. */
bool socket_path_bind(struct socket_path *, const char *path, int fd,
		      mode_t mode, struct err *) MUST_USE;

/* Make the hidden link if it is missing, which takes it from another socket
 * that had the path.  Without hard links, a removed path is lost. */
void socket_path_link(const struct socket_path *, const char *path);

/* Whether the file with this name is the socket, under any spelling. */
bool socket_path_is_at(const struct socket_path *, const char *name);

/* Set the mode.  False with errno on failure. */
bool socket_path_chmod(const struct socket_path *, const char *path,
		       mode_t mode) MUST_USE;

/* The socket that took the path is closed: get it back from the hidden link,
 * without a log line. */
void socket_path_put_back(const struct socket_path *, const char *path);

/* Look whether the path leads to the socket, and restore it if not.  Logs a
 * change.  False: the path is lost, until a later look finds the socket there
 * again.  An error of the file system changes nothing: look again later. */
bool socket_path_restore(struct socket_path *, const char *path);

/* Unlink the path and the hidden link if they still lead to the socket, whose
 * descriptor must be open. */
void socket_path_remove(const struct socket_path *, const char *path);

#endif
