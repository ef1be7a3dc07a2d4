/* SPDX-License-Identifier: Apache-2.0 */
/* inet - network addresses: reading them, listening on them, writing them. */
#ifndef INTAKE_INET_H
#define INTAKE_INET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/err.h"

struct inet_opts {
	const char *host;     /* "0.0.0.0", "::1", or a name */
	uint16_t port;	      /* 0: the kernel chooses one */
	bool is_stream;	      /* TCP; if not, UDP */
	bool is_numeric;      /* a name is an error */
	bool shares_port;     /* with a socket that inet_share_port allows */
	size_t receive_bytes; /* wanted SO_RCVBUF; 0: 4 MiB for UDP, the
			       * kernel's choice for TCP */
};

struct inet_address {
	struct sockaddr_storage any;
	socklen_t length;
};

/* Find the address of the host and the port.  A host with several addresses
 * gives the first one. */
bool inet_resolve(const struct inet_opts *, struct inet_address *,
		  struct err *) MUST_USE;

/* A non-blocking socket that is bound to the address; a TCP socket listens.  A
 * port in use is an error.  Logs the effective receive buffer if one was
 * wanted.  -1 with errno on failure. */
int inet_open(const struct inet_opts *, const struct inet_address *) MUST_USE;

/* If is_shared, allow another socket with shares_port to be bound to the port
 * of this one; otherwise end that.  If this fails, binding the other socket
 * fails. */
void inet_share_port(int fd, bool is_shared);

/* Set the receive buffer, as inet_open does.  Logs the effective size. */
void inet_set_receive_bytes(int fd, const struct inet_opts *);

/* Whether a socket bound to `has` serves the address and port of the opts.  All
 * wildcard addresses count as equal. */
bool inet_is_at(const struct sockaddr_storage *has, const struct inet_opts *);

/* Whether only one of the two can be open.  Compares only numeric addresses,
 * because a host name is looked up later. */
bool inet_collides(const struct inet_opts *, const struct inet_opts *);

/* Whether it is 0.0.0.0 or ::, which stands for all addresses of the host. */
bool inet_is_wildcard(const struct sockaddr_storage *);

/* The port, in host order. */
uint16_t inet_port(const struct sockaddr_storage *);

/* Write "127.0.0.1" or "::1" into `text`, "unavailable" if that fails. */
void inet_text(const struct sockaddr_storage *, char *text, size_t room);

/* Let the kernel notice within some minutes that a peer is gone. */
void inet_keep_alive(int fd);

#endif
