/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/udp_receive.h"

#include <stdatomic.h>

#include "intake/socket.h"
#include "journal/peer_address.h"

/* Ask the kernel for the sender of each datagram. */
static void ask_names(struct sockaddr_storage *names, struct mmsghdr *slots,
		      unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		slots[i].msg_hdr.msg_name = &names[i];
		slots[i].msg_hdr.msg_namelen = sizeof names[i];
	}
}

/* The length is stored last.  A process that is killed before leaves a message
 * without its peer address. */
static void add_peer_addresses(const struct sockaddr_storage *names,
			       struct mmsghdr *slots, unsigned received)
{
	char text[PEER_ADDRESS_TEXT_BYTES];
	for (unsigned i = 0; i < received; i++) {
		char *bytes = slots[i].msg_hdr.msg_iov->iov_base;
		peer_address_of_address(text, "udp", &names[i]);
		size_t added = peer_address_put(bytes + slots[i].msg_len, text);
		atomic_signal_fence(memory_order_seq_cst);
		slots[i].msg_len += (unsigned)added;
	}
}

static void forget_names(struct mmsghdr *slots, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		slots[i].msg_hdr.msg_name = NULL;
		slots[i].msg_hdr.msg_namelen = 0;
	}
}

unsigned udp_receive(struct socket *socket, struct sockaddr_storage *names,
		     struct mmsghdr *slots, unsigned count)
{
	ask_names(names, slots, count);
	unsigned received = socket_receive(socket, slots, count);
	add_peer_addresses(names, slots, received);
	forget_names(slots, count);
	return received;
}
