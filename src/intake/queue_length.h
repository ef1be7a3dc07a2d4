/* SPDX-License-Identifier: Apache-2.0 */
/* queue_length - how many datagrams may wait in a Unix socket.
 *
 * The kernel's limit is net.unix.max_dgram_qlen.  It belongs to the network
 * namespace, is 10 in every new one, and is copied when a socket is created.
 * The queue holds one datagram more than that (af_unix.c: unix_recvq_full),
 * from all senders together.
 *
 * Each sender has a second limit: its datagrams fill its send buffer until they
 * are received (sock.c: sock_alloc_send_pskb).  nginx leaves the buffer at
 * net.core.wmem_default, so a few workers never fill a long queue. */
#ifndef INTAKE_QUEUE_LENGTH_H
#define INTAKE_QUEUE_LENGTH_H

#include <stddef.h>

/* The limit as of now; 0 when it cannot be read. */
unsigned queue_length_now(void);

/* How many datagrams of this size one sender may have in the queue, with the
 * default send buffer. */
unsigned queue_length_per_sender(size_t datagram_bytes);

/* Raise the limit to `wanted` if it is lower and this process may write it.
 * Returns the resulting limit, or 0 if it is unknown.  Logs, with the socket's
 * path, the limit and how many datagrams one sender and all senders together
 * can have in the queue; if the limit is lower than wanted or at most 16, as a
 * warning with advice. */
unsigned queue_length_raise(const char *path, unsigned wanted);

#endif
