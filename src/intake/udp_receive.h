/* SPDX-License-Identifier: Apache-2.0 */
/* udp_receive - receives UDP datagrams together with their peer addresses. */
#ifndef INTAKE_UDP_RECEIVE_H
#define INTAKE_UDP_RECEIVE_H

#include <sys/socket.h>

struct socket;

/* Like socket_receive, but each datagram is followed by its peer address
 * (journal/peer_address.h).  `names` has room for `count` addresses.  Slots
 * must have PEER_ADDRESS_BYTES_MAX bytes more than the longest datagram. */
unsigned udp_receive(struct socket *, struct sockaddr_storage *names,
		     struct mmsghdr *slots, unsigned count);

#endif
