/* SPDX-License-Identifier: Apache-2.0 */
/* socket - what an input listens on, in each of Fluent Bit's four modes.
 *
 *              datagrams                 streams (intake/stream.h)
 *     Unix     unix_udp: nginx           unix_tcp
 *     network  udp                       tcp
 *
 * The kernel's queue of a Unix datagram socket holds net.unix.max_dgram_qlen
 * + 1 datagrams of all senders together (af_unix.c: unix_recvq_full); the
 * limit is taken from the network namespace when the socket is created, 10 in
 * every new one, and SO_RCVBUF has no say in it.  So it is raised before,
 * where we may.  That of a UDP socket is its receive buffer.
 *
 * A Unix socket appears under its path at once with its final mode: it is
 * bound under a temporary name beside it and renamed.  A socket there that
 * nobody listens on is replaced; one in use, or a file, is an error. */
#ifndef INTAKE_SOCKET_H
#define INTAKE_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/err.h"

enum socket_kind { /* as in Mode */
		   SOCKET_UNIX_UDP,
		   SOCKET_UNIX_TCP,
		   SOCKET_UDP,
		   SOCKET_TCP,
};

static inline bool socket_kind_is_unix(enum socket_kind kind)
{
	return kind == SOCKET_UNIX_UDP || kind == SOCKET_UNIX_TCP;
}

static inline bool socket_kind_is_stream(enum socket_kind kind)
{
	return kind == SOCKET_UNIX_TCP || kind == SOCKET_TCP;
}

struct socket;

struct socket_opts {
	enum socket_kind kind;
	const char *path; /* of a Unix socket; else the address to listen on */
	uint16_t port;	  /* of a network socket */
	mode_t mode;	  /* of a Unix socket */
	unsigned queue_length; /* unix_udp: wanted; 0 leaves it alone */
	size_t receive_bytes;  /* SO_RCVBUF of a network socket; 0: UDP gets
				* what we may, TCP what the kernel finds good */
};

/* X(name, type, help): the struct below and the metrics come from here. */
#define SOCKET_STATS(X)                                                    \
	X(datagrams_total, counter, "datagrams received")                  \
	X(bytes_total, counter, "bytes received")                          \
	X(receives_total, counter, "system calls that received something") \
	X(errors_total, counter, "receive errors")                         \
	X(kernel_dropped_total, counter,                                   \
	  "UDP datagrams that found the receive buffer full")              \
	X(connections_total, counter, "connections accepted")              \
	X(connections, gauge, "connections open")                          \
	X(stream_messages_total, counter, "messages out of streams")       \
	X(truncated_total, counter,                                        \
	  "messages out of streams that were too long, cut")               \
	X(unended_total, counter,                                          \
	  "messages whose connection ended before they did")               \
	X(no_length_total, counter,                                        \
	  "messages of octet counting without a length, taken as a line")

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
 * touching anything: a process that holds its place is not noticed.  *e tells
 * why not. */
enum socket_try socket_try(const struct socket_opts *, struct err *) MUST_USE;

/* Non-blocking, datagrams with SO_TIMESTAMPNS, streams listening.  Says the
 * effective queue length or receive buffer: at level info, at warn when it is
 * less than wanted, or a queue length of 16 or less, with what that means and
 * how to raise it. */
struct socket *socket_open(const struct socket_opts *, struct err *);

/* A socket that somebody else has bound, which stays theirs: closing it leaves
 * its path alone.  `queue_length` as they know it, 0 for what it is now.
 * `is_kept`: it is used on after us, by systemd; socket_refuse spares it. */
struct socket *socket_adopt(int fd, unsigned queue_length, bool is_kept,
			    struct err *);

enum socket_kind socket_kind(const struct socket *);

/* Whether it is what these options ask for: its kind, and its path or its
 * address and port. */
bool socket_is_at(const struct socket *, const struct socket_opts *);

/* See socket_adopt. */
bool socket_is_kept(const struct socket *);

/* In a forked child: the path is the parent's to unlink. */
void socket_disown(struct socket *);

/* Close, and unlink the path when it is still this socket's. */
void socket_close(struct socket *);

int socket_fd(const struct socket *);

/* Of the socket itself, the same in every process that has it open; as long as
 * one has, no other socket's. */
ino_t socket_inode(const struct socket *);

/* unix_udp: what max_dgram_qlen was when the socket was created; else 0. */
unsigned socket_queue_length(const struct socket *);

/* One recvmmsg.  The number received, 0 when the queue is empty. */
unsigned socket_receive(struct socket *, struct mmsghdr *, unsigned count);

/* The next connection, non-blocking; -1 with errno when there is none. */
int socket_accept(struct socket *, struct sockaddr_storage *peer);

/* Look how many datagrams the kernel had to drop, for the stats. */
void socket_see_drops(struct socket *);

/* Unix datagrams: from now on every send() fails with EPIPE (af_unix.c: the receiver is shut
 * down); what the kernel holds can still be received.  So nothing is accepted
 * that nobody will read.  Streams: nobody can connect any more.  UDP has
 * nothing like it. */
void socket_refuse(struct socket *);

struct socket_stats *socket_stats(struct socket *);

#endif
