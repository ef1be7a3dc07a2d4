/* SPDX-License-Identifier: Apache-2.0 */
#include "process/channel.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/fd_message.h"

static_assert((int)CHANNEL_FDS_MAX <= (int)FD_MESSAGE_FDS_MAX,
	      "GO carries a descriptor for each endpoint");
/* The kernel takes twice as much memory for a longer packet, and then fewer
 * packets can wait for a process that does not react. */
static_assert(sizeof(struct channel_message) <= 16000,
	      "a message takes 16 KiB of the kernel's queue");

/* The kernel's default is 208 KiB, and its usual limit doubles that. */
enum { QUEUE_BYTES = 1024 * 1024 };

bool channel_pair(int ends[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(e, errno, "socketpair");
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &(int){QUEUE_BYTES},
			   sizeof(int));
	return true;
}

bool channel_send(int fd, const struct channel_message *message)
{
	struct channel_message m = *message;
	struct fd_message packed = {.bytes = &m,
				    .size_bytes = sizeof m,
				    .fds = m.fds,
				    .fd_count = m.fd_count};
	return fd_message_send(fd, &packed);
}

bool channel_receive(int fd, struct channel_message *message)
{
	/* The descriptor numbers inside are the sender's; the kernel gives this
	 * process its own. */
	int fds[CHANNEL_FDS_MAX];
	struct fd_message packed = {.bytes = message,
				    .size_bytes = sizeof *message,
				    .fds = fds,
				    .fd_count = CHANNEL_FDS_MAX};
	if (!fd_message_receive(fd, &packed))
		return false;
	message->fd_count = packed.fd_count;
	for (uint32_t i = 0; i < packed.fd_count; i++)
		message->fds[i] = fds[i];
	return true;
}

bool channel_is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, 0) > 0;
}
