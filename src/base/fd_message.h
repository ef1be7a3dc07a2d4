/* SPDX-License-Identifier: Apache-2.0 */
/* packet - bytes and descriptors in one message over a Unix socket that keeps
 * the bounds of messages.  Whether to wait is the socket's O_NONBLOCK. */
#ifndef BASE_FD_MESSAGE_H
#define BASE_FD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

enum { FD_MESSAGE_FDS_MAX = 32 };

struct fd_message {
	void *bytes;
	size_t size_bytes;
	int *fds;
	uint32_t fd_count; /* at most FD_MESSAGE_FDS_MAX */
};

/* False when the other end is gone, or would have to be waited for. */
bool fd_message_send(int fd, const struct fd_message *) MUST_USE;

/* The same; of exactly size_bytes.  fd_count is how many descriptors there is
 * room for, and becomes how many came; they are the caller's to close, and
 * close-on-exec.  There are fewer than were sent when the process may have no
 * more. */
bool fd_message_receive(int fd, struct fd_message *) MUST_USE;

#endif
