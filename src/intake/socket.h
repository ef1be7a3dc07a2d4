/* SPDX-License-Identifier: Apache-2.0 */
/* socket - an input's socket, in each of Fluent Bit's four modes.
 *
 *              datagrams                 streams (intake/stream.h)
 *     Unix     unix_udp: nginx           unix_tcp
 *     network  udp                       tcp
 *
 * A short queue of a Unix datagram socket loses datagrams, so its limit is
 * raised before the socket is created (intake/queue_length.h); SO_RCVBUF has no
 * influence on it.  The queue of a UDP socket is its receive buffer. */
#ifndef INTAKE_SOCKET_H
#define INTAKE_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/err.h"
#include "intake/socket_path.h"

/* The values of Mode. */
enum socket_kind {
	SOCKET_UNIX_UDP,
	SOCKET_UNIX_TCP,
	SOCKET_UDP,
	SOCKET_TCP,
};

/* Their names in a configuration, in that order; NULL after the last. */
extern const char *const socket_kind_names[];

/* Whether it has a path, not an address and a port. */
static inline bool socket_kind_is_unix(enum socket_kind kind)
{
	return kind == SOCKET_UNIX_UDP || kind == SOCKET_UNIX_TCP;
}

/* Whether it accepts connections, not datagrams. */
static inline bool socket_kind_is_stream(enum socket_kind kind)
{
	return kind == SOCKET_UNIX_TCP || kind == SOCKET_TCP;
}

struct socket;

struct socket_opts {
	enum socket_kind kind;
	const char *path;      /* or the address of a network socket */
	uint16_t port;	       /* of a network socket */
	mode_t mode;	       /* of a Unix socket */
	unsigned queue_length; /* unix_udp: wanted; 0: unchanged */
	size_t receive_bytes;  /* SO_RCVBUF of a network socket; 0: see
				* intake/inet.h */
	bool takes_over; /* another socket of this process has the path, or
			  * the port (socket_share_port) */
};

enum { SOCKET_ADDRESS_BYTES = 160 };

/* "unix_udp:/run/access.sock" or "tcp:0.0.0.0:5140": the mode and the place as
 * configured, truncated if they are longer. */
void socket_address(const struct socket_opts *,
		    char text[static SOCKET_ADDRESS_BYTES]);

/* X(name, type, help): the struct below and the metrics come from here. */
#define SOCKET_STATS(X)                                                     \
	X(datagrams_total, counter, "Datagrams received")                   \
	X(bytes_total, counter, "Bytes received")                           \
	X(receives_total, counter, "System calls that received data")       \
	X(errors_total, counter, "Receive errors")                          \
	X(kernel_dropped_total, counter,                                    \
	  "UDP datagrams that the kernel dropped because the receive "      \
	  "buffer was full; for Unix sockets, the kernel drops nothing "    \
	  "and returns an error to the sender")                             \
	X(connections_total, counter, "Connections accepted")               \
	X(connections, gauge, "Connections open")                           \
	X(connections_ended_total, counter,                                 \
	  "Connections that sluiced ended because they were idle or to "    \
	  "make way for a new one; data already sent was received")         \
	X(stream_messages_total, counter, "Messages received from streams") \
	X(truncated_total, counter,                                         \
	  "Messages from streams that were too long and were truncated")    \
	X(unended_total, counter,                                           \
	  "Messages cut short by the end of their connection")              \
	X(no_length_total, counter,                                         \
	  "Messages without a length (Format octet_counting)")

struct socket_stats {
#define X(name, type, help) uint64_t name;
	SOCKET_STATS(X)
#undef X
};

/* Whether a socket could be opened, as far as this can be found out without
 * changing anything; *e says why not.  Does not notice that another process
 * uses the address. */
enum socket_try socket_try(const struct socket_opts *, struct err *) MUST_USE;

/* Open a non-blocking socket: datagrams with SO_TIMESTAMPNS, streams listening.
 * A Unix socket that takes a path over has no hidden link before socket_keep.
 * NULL on failure.  Logs the effective queue length or receive buffer, as a
 * warning with advice if it is lower than wanted, or if the queue length is at
 * most 16. */
struct socket *socket_open(const struct socket_opts *, struct err *);

/* Use a socket that another process has bound: closing it does not unlink its
 * path.  `queue_length` is the limit when that process created the socket; 0
 * means the current limit.  `is_kept`: systemd uses the socket after this
 * process, so socket_refuse does not shut it down.  NULL on failure: the
 * descriptor still belongs to the caller. */
struct socket *socket_adopt(int fd, unsigned queue_length, bool is_kept,
			    struct err *);

/* Its mode. */
enum socket_kind socket_kind(const struct socket *);

/* Whether the socket has the kind and the path, or the address and port, of
 * these options, in any spelling.  A lost socket (socket_restore) has only the
 * path that leads to it now. */
bool socket_is_at(const struct socket *, const struct socket_opts *);

/* Whether the socket, which must be a different one, has the path or the port
 * of these options. */
bool socket_is_in_way(const struct socket *, const struct socket_opts *);

/* If is_shared, allow a network socket with takes_over to be bound to the port
 * of this one; otherwise end that.  Unix sockets: no effect. */
void socket_share_port(struct socket *, bool is_shared);

/* The socket of another worker is now used with these options, for which
 * socket_is_at is true: take the new spelling of its path, and apply what has
 * changed.  Logs that, and what needs a restart. */
void socket_keep(struct socket *, const struct socket_opts *);

/* The input of this socket was removed: unlink its path if it is still this
 * socket's.  Datagrams that were sent can still be received. */
void socket_retire(struct socket *);

/* Whether no datagram waits in it. */
bool socket_is_empty(const struct socket *) MUST_USE;

/* No worker will read this socket, which is about to be closed, for the reason
 * in `why`: refuse senders, and log how many datagrams are lost.  Leaves a
 * socket of systemd and a stream socket alone. */
void socket_discard(struct socket *, const char *why);

/* A socket that took over the path is closed: get the path back. */
void socket_put_back(struct socket *);

/* The `is_kept` that socket_adopt was given. */
bool socket_is_kept(const struct socket *);

/* In a forked child: leave it to the parent to unlink the path. */
void socket_disown(struct socket *);

/* Close the socket, and unlink the path if it is still this socket's. */
void socket_close(struct socket *);

/* Look whether the path of a Unix socket that this process has bound still
 * leads to it, and restore it if not.  Logs a change.  False: the path is lost
 * until a later call finds the socket there again.  Meanwhile only connected
 * senders reach it, and another socket should be opened. */
bool socket_restore(struct socket *);

/* Its descriptor, which it still owns. */
int socket_fd(const struct socket *);

/* The inode number of the socket: the same in every process that has it open.
 * No other socket has this number while a process has the socket open. */
ino_t socket_inode(const struct socket *);

/* unix_udp: max_dgram_qlen when the socket was created.  Other kinds: 0. */
unsigned socket_queue_length(const struct socket *);

/* Call recvmmsg once.  Returns how many datagrams were received: 0 if none
 * waits, or on an error, which is counted and logged. */
unsigned socket_receive(struct socket *, struct mmsghdr *, unsigned count);

/* Accept the next connection, non-blocking.  -1 with errno: EAGAIN if there is
 * none, EINVAL if the socket is shut down.  Errors that concern only that
 * connection are counted. */
int socket_accept(struct socket *, struct sockaddr_storage *peer);

/* Whether that errno means that the process or the kernel is out of descriptors
 * or memory. */
bool socket_is_short(int error);

/* Read into the stats how many datagrams the kernel has dropped.  UDP only. */
void socket_see_drops(struct socket *);

/* Refuse senders.  Unix datagrams: every further send() fails with EPIPE
 * (af_unix.c: the receiver is shut down), and datagrams in the kernel can still
 * be received, so no datagram that the kernel has accepted stays unread.
 * Streams: no sender can connect any more.  UDP: no effect. */
void socket_refuse(struct socket *);

/* Whether somebody, in this process or another one, has called socket_refuse.
 * Always false for UDP and for sockets of systemd. */
bool socket_is_refused(const struct socket *) MUST_USE;

/* The counters, which the caller may change. */
struct socket_stats *socket_stats(struct socket *);

#endif
