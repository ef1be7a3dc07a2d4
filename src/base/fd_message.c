/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd_message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union fd_room {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX)];
};

bool packet_send(int fd, const struct packet *packet)
{
	union fd_room room;
	struct iovec iov = {.iov_base = packet->bytes,
			    .iov_len = packet->size_bytes};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	if (packet->fd_count > 0) {
		size_t bytes = packet->fd_count * sizeof(int);
		memset(&room, 0, sizeof room);
		header.msg_control = room.bytes;
		header.msg_controllen = CMSG_SPACE(bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(c), packet->fds, bytes);
	}
	ssize_t n;
	do
		n = sendmsg(fd, &header, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)packet->size_bytes;
}

bool packet_receive(int fd, struct packet *packet)
{
	union fd_room room;
	struct iovec iov = {.iov_base = packet->bytes,
			    .iov_len = packet->size_bytes};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		/* CMSG_SPACE would have room for one more: its padding. */
		.msg_controllen = CMSG_LEN(sizeof(int) * packet->fd_count),
	};
	ssize_t n;
	do
		n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	packet->fd_count = 0;
	if (n != (ssize_t)packet->size_bytes)
		return false;
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);
		memcpy(packet->fds, CMSG_DATA(c), bytes);
		packet->fd_count = (uint32_t)(bytes / sizeof(int));
	}
	return true;
}
