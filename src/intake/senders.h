/* SPDX-License-Identifier: Apache-2.0 */
/* senders - who may still send to the inputs.
 *
 * A receiver cannot see which senders are connected to its Unix datagram
 * socket, but the kernel reports it without privileges:
 *  - netlink (sock_diag(7), UNIX_DIAG_PEER) lists the sockets of this network
 *    namespace, which the containers of a pod share, each with its peer;
 *  - /proc/net/unix has a reference count for each socket.  It is two for a
 *    bound socket, and one more for each sender, of any namespace (af_unix.c:
 *    unix_dgram_connect holds its peer).  Datagrams in the queue do not count.
 * A sender that uses sendto() without connect() is not seen by either.  The
 * senders of streams are the open connections; those of UDP cannot be seen. */
#ifndef INTAKE_SENDERS_H
#define INTAKE_SENDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct endpoints;

/* How many sockets are connected to a Unix datagram socket; -1 if that source
 * has no count. */
struct senders_of_socket {
	int by_netlink;
	int by_proc;
};

/* Ask both sources about the bound socket with this inode. */
struct senders_of_socket senders_of_socket(ino_t inode);

struct senders {
	size_t connected;
	/* There may be senders that cannot be seen: an input uses UDP, or
	 * has_no_source. */
	bool has_unseen;
	bool has_no_source; /* no source has a count for a Unix socket */
	/* The sources that have a count for a Unix datagram socket. */
	bool has_netlink;
	bool has_proc;
};

/* Where `connected` comes from, in words, for the log: these sources, "none"
 * if has_no_source, or "connections" without a Unix datagram socket. */
const char *senders_source(const struct senders *);

/* The senders of all inputs.  A socket that systemd keeps counts as a socket
 * without senders: their later datagrams wait for the next process. */
struct senders senders_of(const struct endpoints *);

#endif
