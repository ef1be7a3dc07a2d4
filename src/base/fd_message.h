/* SPDX-License-Identifier: Apache-2.0 */
/* fd_message - sends bytes and descriptors in one message over a Unix socket
 * that preserves message boundaries.  The socket's O_NONBLOCK decides whether
 * calls wait. */
#ifndef BASE_FD_MESSAGE_H
#define BASE_FD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

enum { FD_MESSAGE_FDS_MAX = 48 };

struct fd_message {
	void *bytes;
	size_t size_bytes;
	int *fds;
	uint32_t fd_count; /* at most FD_MESSAGE_FDS_MAX */
};

/* Send a message.  False if the other end is gone or the call would wait. */
bool fd_message_send(int fd, const struct fd_message *) MUST_USE;

/* Receive a message of exactly size_bytes.  fd_count is the room for
 * descriptors and becomes the number received; the caller must close them, and
 * they are close-on-exec.  If the process may have no more descriptors, fewer
 * arrive than were sent.  False if the call would wait, the message is shorter,
 * or the other end is gone and all its messages were received. */
bool fd_message_receive(int fd, struct fd_message *) MUST_USE;

#endif
