/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd_message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union fd_room {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * FD_MESSAGE_FDS_MAX)];
};

bool fd_message_send(int fd, const struct fd_message *message)
{
	union fd_room room;
	struct iovec iov = {.iov_base = message->bytes,
			    .iov_len = message->size_bytes};
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
	return n == (ssize_t)message->size_bytes;
}

bool fd_message_receive(int fd, struct fd_message *message)
{
	union fd_room room;
	struct iovec iov = {.iov_base = message->bytes,
			    .iov_len = message->size_bytes};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		/* CMSG_SPACE adds padding, in which the kernel could store one
		 * more descriptor. */
		.msg_controllen = CMSG_LEN(sizeof(int) * message->fd_count),
	};
	ssize_t n;
	/* The kernel reports ECONNRESET once if the other end was closed and
	 * had not received everything.  Messages from it may still wait. */
	do
		n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	message->fd_count = 0;
	if (n != (ssize_t)message->size_bytes)
		return false;
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);
		memcpy(message->fds, CMSG_DATA(c), bytes);
		message->fd_count = (uint32_t)(bytes / sizeof(int));
	}
	return true;
}
