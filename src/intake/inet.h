/* SPDX-License-Identifier: Apache-2.0 */
/* inet - the network side of socket.c: addresses, ports, receive buffers. */
#ifndef INTAKE_INET_H
#define INTAKE_INET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/err.h"

struct socket_opts;

/* Bound to the opts' address and port, of UDP or TCP, non-blocking; TCP
 * listens.  -1 on failure. */
int inet_open(const struct socket_opts *, struct err *) MUST_USE;

/* Whether there is such an address, as far as can be told. */
bool inet_try(const struct socket_opts *, struct err *) MUST_USE;

/* Whether a socket bound to `has` serves the opts' address and port: every
 * wildcard is the same. */
bool inet_is_at(const struct sockaddr_storage *has, const struct socket_opts *);

/* "127.0.0.1" and its port. */
void inet_text(const struct sockaddr_storage *, char *text, size_t room,
	       uint16_t *port);

/* A peer that is gone without a word is noticed after some minutes. */
void inet_keep_alive(int fd);

#endif
