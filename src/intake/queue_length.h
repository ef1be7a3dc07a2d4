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

/* Raise the limit to `wanted` if it is lower and this process may write it.
 * Returns the resulting limit, or 0 if it is unknown.  Logs the limit with the
 * socket's path; if it is lower than wanted or at most 16, as a warning with
 * advice. */
unsigned queue_length_raise(const char *path, unsigned wanted);

#endif
