/* SPDX-License-Identifier: Apache-2.0 */
/* queue_length - how many datagrams may wait in a Unix socket.
 *
 * The kernel's limit is net.unix.max_dgram_qlen.  It belongs to the network
 * namespace, is 10 in every new one, and is copied when a socket is created.
 * The queue holds one datagram more than that (af_unix.c: unix_recvq_full),
 * from all senders together. */
#ifndef INTAKE_QUEUE_LENGTH_H
#define INTAKE_QUEUE_LENGTH_H

/* The limit as of now; 0 when it cannot be read. */
unsigned queue_length_now(void);

/* Raise the limit to `wanted` if it is lower and this process may.  Returns the
 * limit as it is then, 0 if unknown, and logs it for the socket's path: as a
 * warning, with advice, if it is lower than wanted or at most 16. */
unsigned queue_length_raise(const char *path, unsigned wanted);

#endif
