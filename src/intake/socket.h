/* SPDX-License-Identifier: Apache-2.0 */
/* socket - the Unix datagram socket that nginx sends to.
 *
 * The kernel's queue of a datagram socket holds net.unix.max_dgram_qlen + 1
 * datagrams of all senders together (af_unix.c: unix_recvq_full); the limit is
 * taken from the network namespace when the socket is created, 10 in every
 * new one, and SO_RCVBUF has no say in it.  So it is raised before, where we
 * may.
 *
 * The socket appears under its path at once with its final mode: it is bound
 * under a temporary name beside it and renamed.  A socket there that nobody
 * listens on is replaced; one in use, or a file, is an error. */
#ifndef INTAKE_SOCKET_H
#define INTAKE_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/err.h"

struct dgram_socket;

struct socket_opts {
	const char *path;
	mode_t mode;
	unsigned queue_length; /* wanted; 0 leaves the namespace alone */
};

/* X(name, type, help): the struct below and the metrics come from here. */
#define SOCKET_STATS(X)                                                    \
	X(datagrams_total, counter, "datagrams received")                  \
	X(bytes_total, counter, "bytes received")                          \
	X(receives_total, counter, "system calls that received something") \
	X(errors_total, counter, "receive errors")

struct socket_stats {
#define X(name, type, help) uint64_t name;
	SOCKET_STATS(X)
#undef X
};

/* Whether an address of the kernel has room for the path. */
bool socket_path_fits(const char *path, struct err *) MUST_USE;

enum socket_try {
	SOCKET_TRY_GOOD,
	SOCKET_TRY_NO_DIRECTORY, /* it could be opened if there were one */
	SOCKET_TRY_BAD,
};

/* Whether a socket could be opened there, as far as can be told without
 * touching anything: a process that holds the path is not noticed.  *e tells
 * why not. */
enum socket_try socket_try(const char *path, struct err *) MUST_USE;

/* Non-blocking, with SO_TIMESTAMPNS.  Says the effective queue length: at
 * level info, at warn when it is 16 or less or less than wanted, with what
 * that means and how to raise it. */
struct dgram_socket *socket_open(const struct socket_opts *, struct err *);

/* A socket that somebody else has bound, which stays theirs: closing it leaves
 * its path alone.  `queue_length` as they know it, 0 for what it is now.
 * `is_kept`: it is used on after us, by systemd; socket_refuse spares it. */
struct dgram_socket *socket_adopt(int fd, unsigned queue_length, bool is_kept,
				  struct err *);

/* See socket_adopt. */
bool socket_is_kept(const struct dgram_socket *);

/* In a forked child: the path is the parent's to unlink. */
void socket_disown(struct dgram_socket *);

/* Close, and unlink the path when it is still this socket's. */
void socket_close(struct dgram_socket *);

int socket_fd(const struct dgram_socket *);

/* What max_dgram_qlen was when the socket was created. */
unsigned socket_queue_length(const struct dgram_socket *);

/* One recvmmsg.  The number received, 0 when the queue is empty. */
unsigned socket_receive(struct dgram_socket *, struct mmsghdr *,
			unsigned count);

/* From now on every send() fails with EPIPE (af_unix.c: the receiver is shut
 * down); what the kernel holds can still be received.  So nothing is accepted
 * that nobody will read. */
void socket_refuse(struct dgram_socket *);

const struct socket_stats *socket_stats(const struct dgram_socket *);

#endif
