/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "intake/inet.h"
#include "intake/queue_length.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* include/uapi/asm-generic/socket.h */
#endif

enum { DISCARDED_MAX = 100000 }; /* UDP senders may never pause */

struct socket {
	enum socket_kind kind;
	int fd;
	char *path; /* the address of a network socket */
	uint16_t port;
	bool is_kept; /* systemd keeps it when this process is gone */
	struct socket_path bound;
	unsigned queue_length;
	/* As configured; 0 for a socket that another process has bound. */
	mode_t mode;
	unsigned wanted_length;
	size_t receive_bytes;
	struct socket_stats stats;
	struct log_rate error_rate;
};

const char *const socket_kind_names[] = {
	[SOCKET_UNIX_UDP] = "unix_udp",
	[SOCKET_UNIX_TCP] = "unix_tcp",
	[SOCKET_UDP] = "udp",
	[SOCKET_TCP] = "tcp",
	NULL,
};

static struct inet_opts inet_of(const struct socket_opts *opts)
{
	return (struct inet_opts){
		.host = opts->path,
		.port = opts->port,
		.is_stream = socket_kind_is_stream(opts->kind),
		.receive_bytes = opts->receive_bytes,
		.shares_port = opts->takes_over,
	};
}

/* A sender may attach descriptors to a message.  The kernel closes them inside
 * recvmmsg, and closing a TCP socket with SO_LINGER can take hours.  So ask the
 * kernel to refuse such messages.  Linux before 6.16 has no such option. */
static void refuse_descriptors(const struct socket *s)
{
	if (socket_kind_is_unix(s->kind))
		(void)!setsockopt(s->fd, SOL_SOCKET, SO_PASSRIGHTS, &(int){0},
				  sizeof(int));
}

static bool ask_timestamps(const struct socket *s, struct err *e)
{
	if (socket_kind_is_stream(s->kind))
		return true;
	if (setsockopt(s->fd, SOL_SOCKET, SO_TIMESTAMPNS, &(int){1},
		       sizeof(int)) == 0)
		return true;
	return err_sys(e, errno, "socket %s: SO_TIMESTAMPNS", s->path);
}

void socket_address(const struct socket_opts *opts,
		    char text[static SOCKET_ADDRESS_BYTES])
{
	if (socket_kind_is_unix(opts->kind))
		snprintf(text, SOCKET_ADDRESS_BYTES, "%s:%s",
			 socket_kind_names[opts->kind], opts->path);
	else
		snprintf(text, SOCKET_ADDRESS_BYTES, "%s:%s:%u",
			 socket_kind_names[opts->kind], opts->path, opts->port);
}

enum socket_try socket_try(const struct socket_opts *opts, struct err *e)
{
	struct inet_opts inet = inet_of(opts);
	struct inet_address address;
	if (!socket_kind_is_unix(opts->kind))
		return inet_resolve(&inet, &address, e) ? SOCKET_TRY_GOOD
							: SOCKET_TRY_BAD;
	return socket_path_try(opts->path, e);
}

static struct socket *new_socket(const struct socket_opts *opts)
{
	struct socket *s = mem_new(1, sizeof *s);
	s->fd = -1;
	s->kind = opts->kind;
	s->path = mem_text(opts->path);
	s->port = opts->port;
	s->mode = opts->mode;
	s->wanted_length = opts->queue_length;
	s->receive_bytes = opts->receive_bytes;
	return s;
}

static bool open_unix(struct socket *s, const struct socket_opts *opts,
		      struct err *e)
{
	bool is_stream = socket_kind_is_stream(opts->kind);
	int type = is_stream ? SOCK_STREAM : SOCK_DGRAM;
	if (socket_try(opts, e) != SOCKET_TRY_GOOD ||
	    (!opts->takes_over && !socket_path_is_free(opts->path, e)))
		return false;
	/* The kernel copies the limit when the socket is created. */
	if (!is_stream)
		s->queue_length =
			queue_length_raise(opts->path, opts->queue_length);
	s->fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return err_sys(e, errno, "socket %s", s->path);
	if (!socket_path_bind(&s->bound, s->path, s->fd, opts->mode, e))
		return false;
	if (!opts->takes_over)
		socket_path_link(&s->bound, s->path);
	return true;
}

static bool open_inet(struct socket *s, const struct socket_opts *opts,
		      struct err *e)
{
	struct inet_opts inet = inet_of(opts);
	struct inet_address address;
	if (!inet_resolve(&inet, &address, e))
		return false;
	s->fd = inet_open(&inet, &address);
	if (s->fd < 0)
		return err_sys(e, errno, "%s port %u of %s",
			       inet.is_stream ? "TCP" : "UDP", opts->port,
			       opts->path);
	log_line(LOG_INFO, "socket", "listening=%s://%s:%u",
		 inet.is_stream ? "tcp" : "udp", opts->path, opts->port);
	return true;
}

struct socket *socket_open(const struct socket_opts *opts, struct err *e)
{
	struct socket *s = new_socket(opts);
	bool is_open = socket_kind_is_unix(opts->kind) ? open_unix(s, opts, e)
						       : open_inet(s, opts, e);
	refuse_descriptors(s);
	if (is_open && ask_timestamps(s, e))
		return s;
	socket_close(s);
	return NULL;
}

/* Describe a socket that another process has bound; `path` has room for any
 * address. */
static bool describe(int fd, struct socket_opts *opts, char *path, size_t room,
		     struct err *e)
{
	union {
		struct sockaddr_storage any;
		struct sockaddr_un un;
	} address = {0};
	socklen_t length = sizeof address;
	int type = 0;
	socklen_t type_length = sizeof type;
	if (getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) != 0)
		return err_sys(e, errno, "descriptor %d", fd);
	sa_family_t family = address.any.ss_family;
	bool is_inet = family == AF_INET || family == AF_INET6;
	if ((family != AF_UNIX && !is_inet) ||
	    (type != SOCK_DGRAM && type != SOCK_STREAM))
		return err_set(e,
			       "descriptor %d is not a datagram or stream "
			       "socket of Unix, IPv4 or IPv6",
			       fd);
	if (is_inet)
		inet_text(&address.any, path, room);
	else
		snprintf(path, room, "%.*s", (int)sizeof address.un.sun_path,
			 address.un.sun_path);
	opts->path = path;
	if (is_inet)
		opts->port = inet_port(&address.any);
	if (type == SOCK_STREAM)
		opts->kind = is_inet ? SOCKET_TCP : SOCKET_UNIX_TCP;
	else
		opts->kind = is_inet ? SOCKET_UDP : SOCKET_UNIX_UDP;
	return true;
}

struct socket *socket_adopt(int fd, unsigned queue_length, bool is_kept,
			    struct err *e)
{
	char path[sizeof((struct sockaddr_un *)NULL)->sun_path + 1];
	struct socket_opts opts = {0};
	if (!describe(fd, &opts, path, sizeof path, e))
		return NULL;
	struct socket *s = new_socket(&opts);
	s->is_kept = is_kept;
	s->queue_length = queue_length;
	if (opts.kind == SOCKET_UNIX_UDP && queue_length == 0)
		s->queue_length = queue_length_now();
	int flags = fcntl(fd, F_GETFL);
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		err_sys(e, errno, "socket %s", s->path);
		goto fail;
	}
	s->fd = fd;
	refuse_descriptors(s);
	if (ask_timestamps(s, e))
		return s;
	s->fd = -1; /* it still belongs to the caller */
fail:
	socket_close(s);
	return NULL;
}

enum socket_kind socket_kind(const struct socket *s)
{
	return s->kind;
}

bool socket_is_at(const struct socket *s, const struct socket_opts *opts)
{
	if (s->kind != opts->kind)
		return false;
	if (!s->bound.is_lost && strcmp(s->path, opts->path) == 0 &&
	    s->port == opts->port)
		return true;
	/* The same place can be written in several ways. */
	if (socket_kind_is_unix(s->kind))
		return socket_path_is_at(&s->bound, opts->path);
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof address;
	struct inet_opts inet = inet_of(opts);
	return s->port == opts->port &&
	       getsockname(s->fd, (struct sockaddr *)&address, &length) == 0 &&
	       inet_is_at(&address, &inet);
}

bool socket_is_in_way(const struct socket *s, const struct socket_opts *opts)
{
	if (socket_kind_is_unix(s->kind) != socket_kind_is_unix(opts->kind))
		return false;
	if (socket_kind_is_unix(s->kind))
		return socket_path_is_at(&s->bound, opts->path);
	return s->kind == opts->kind && s->port == opts->port;
}

void socket_share_port(struct socket *s, bool is_shared)
{
	if (!socket_kind_is_unix(s->kind))
		inet_share_port(s->fd, is_shared);
}

static void keep_path(struct socket *s, const struct socket_opts *opts)
{
	if (strcmp(s->path, opts->path) != 0) {
		free(s->path);
		s->path = mem_text(opts->path);
	}
	socket_path_link(&s->bound, s->path);
	if (s->mode == opts->mode)
		return;
	if (socket_path_chmod(&s->bound, s->path, opts->mode))
		log_line(LOG_INFO, "socket", "path=%s unix_perm=%04o", s->path,
			 (unsigned)opts->mode);
	else
		log_line(LOG_WARN, "socket",
			 "path=%s unix_perm=%04o err=\"chmod: %s\" "
			 "action=\"leaving the mode unchanged; restart sluiced "
			 "to apply Unix_Perm\"",
			 s->path, (unsigned)opts->mode, strerror(errno));
	s->mode = opts->mode;
}

static void keep_length(struct socket *s, const struct socket_opts *opts)
{
	if (s->wanted_length == opts->queue_length)
		return;
	s->wanted_length = opts->queue_length;
	if (s->queue_length > 0 && s->queue_length < opts->queue_length)
		log_line(
			LOG_WARN, "socket",
			"path=%s queue_length=%u wanted=%u err=\"the length is "
			"fixed when the socket is created\" action=\"restart "
			"sluiced to apply Queue_Length\"",
			s->path, s->queue_length, opts->queue_length);
}

static void keep_receive_bytes(struct socket *s, const struct socket_opts *opts)
{
	struct inet_opts inet = inet_of(opts);
	if (s->receive_bytes == opts->receive_bytes)
		return;
	s->receive_bytes = opts->receive_bytes;
	if (inet.is_stream && inet.receive_bytes == 0)
		log_line(
			LOG_WARN, "socket",
			"listen=%s port=%u err=\"Receive_Buffer_Size was "
			"removed, but the kernel chooses a size only for a new "
			"socket\" action=\"keeping the old size; restart "
			"sluiced to apply the change\"",
			s->path, s->port);
	else
		inet_set_receive_bytes(s->fd, &inet);
}

void socket_keep(struct socket *s, const struct socket_opts *opts)
{
	if (s->is_kept) /* systemd has set it up */
		return;
	if (!socket_kind_is_unix(s->kind))
		keep_receive_bytes(s, opts);
	else if (s->bound.is_bound)
		keep_path(s, opts);
	if (s->kind == SOCKET_UNIX_UDP)
		keep_length(s, opts);
}

void socket_disown(struct socket *s)
{
	s->bound.is_bound = false;
}

void socket_retire(struct socket *s)
{
	socket_path_remove(&s->bound, s->path);
	socket_disown(s);
}

bool socket_is_empty(const struct socket *s)
{
	char byte;
	return recv(s->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

void socket_discard(struct socket *s, const char *why)
{
	unsigned long long count = 0, bytes = 0;
	char byte;
	if (s->is_kept || socket_kind_is_stream(s->kind))
		return;
	socket_refuse(s);
	while (count < DISCARDED_MAX) {
		ssize_t n = recv(s->fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0)
			break;
		count++;
		bytes += (unsigned long long)n;
	}
	if (count == 0)
		return;
	log_line(LOG_ERROR, "socket",
		 "path=%s datagrams=%llu bytes=%llu err=\"%s\" "
		 "action=\"discarding the datagrams that waited in this "
		 "socket\"",
		 s->path, count, bytes, why);
}

void socket_put_back(struct socket *s)
{
	socket_path_put_back(&s->bound, s->path);
}

bool socket_is_kept(const struct socket *s)
{
	return s->is_kept;
}

void socket_close(struct socket *s)
{
	if (s == NULL)
		return;
	socket_path_remove(&s->bound, s->path);
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s);
}

bool socket_restore(struct socket *s)
{
	return socket_path_restore(&s->bound, s->path);
}

int socket_fd(const struct socket *s)
{
	return s->fd;
}

ino_t socket_inode(const struct socket *s)
{
	struct stat st = {0};
	CHECK(fstat(s->fd, &st) == 0);
	return st.st_ino;
}

unsigned socket_queue_length(const struct socket *s)
{
	return s->queue_length;
}

unsigned socket_receive(struct socket *s, struct mmsghdr *slots, unsigned count)
{
	int n;
	do
		n = recvmmsg(s->fd, slots, count, MSG_DONTWAIT, NULL);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno == EAGAIN)
			return 0;
		s->stats.errors_total++;
		log_rated(&s->error_rate, LOG_WARN, "socket",
			  "path=%s err=\"receive datagrams: %s\" "
			  "action=retrying",
			  s->path, strerror(errno));
		return 0;
	}
	for (int i = 0; i < n; i++)
		s->stats.bytes_total += slots[i].msg_len;
	s->stats.datagrams_total += (unsigned)n;
	s->stats.receives_total++;
	return (unsigned)n;
}

bool socket_is_short(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	       error == ENOMEM;
}

int socket_accept(struct socket *s, struct sockaddr_storage *peer)
{
	socklen_t length = sizeof *peer;
	*peer = (struct sockaddr_storage){0};
	int fd;
	do
		fd = accept4(s->fd, (struct sockaddr *)peer, &length,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0) {
		if (errno != EAGAIN && errno != EINVAL &&
		    !socket_is_short(errno))
			s->stats.errors_total++;
		return -1;
	}
	s->stats.connections_total++;
	if (s->kind == SOCKET_TCP)
		inet_keep_alive(fd);
	return fd;
}

void socket_see_drops(struct socket *s)
{
	uint32_t figures[SK_MEMINFO_VARS] = {0};
	socklen_t length = sizeof figures;
	if (s->kind == SOCKET_UDP &&
	    getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, figures, &length) == 0)
		s->stats.kernel_dropped_total = figures[SK_MEMINFO_DROPS];
}

void socket_refuse(struct socket *s)
{
	if (!s->is_kept && s->kind != SOCKET_UDP)
		shutdown(s->fd, SHUT_RD);
}

bool socket_is_refused(const struct socket *s)
{
	/* TCP stops listening, which the kernel reports as POLLHUP. */
	struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};
	return !s->is_kept && s->kind != SOCKET_UDP && poll(&p, 1, 0) > 0 &&
	       (p.revents & (POLLRDHUP | POLLHUP)) != 0;
}

struct socket_stats *socket_stats(struct socket *s)
{
	return &s->stats;
}
