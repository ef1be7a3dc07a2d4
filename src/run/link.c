/* SPDX-License-Identifier: Apache-2.0 */
#include "run/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { FDS_MAX = ENDPOINTS_MAX + 1 };

union fd_room {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
};

bool link_pair(int ends[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(e, errno, "socketpair");
	return true;
}

bool link_send(int fd, const struct link_message *message)
{
	union fd_room room;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)message,
			    .iov_len = sizeof *message};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	if (message->fd_count > 0) {
		size_t bytes = message->fd_count * sizeof(int);
		memset(&room, 0, sizeof room);
		header.msg_control = room.bytes;
		header.msg_controllen = CMSG_SPACE(bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(c), message->fds, bytes);
	}
	ssize_t n;
	do
		n = sendmsg(fd, &header, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof *message;
}

bool link_receive(int fd, struct link_message *message)
{
	union fd_room room;
	struct iovec iov = {.iov_base = message, .iov_len = sizeof *message};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof room.bytes,
	};
	ssize_t n;
	do
		n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof *message)
		return false;
	/* The numbers in the packet are the sender's; ours are beside it. */
	message->fd_count = 0;
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);
		memcpy(message->fds, CMSG_DATA(c), bytes);
		message->fd_count = (uint32_t)(bytes / sizeof(int));
	}
	return true;
}
