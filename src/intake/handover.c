/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/handover.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd_message.h"
#include "base/log.h"

/* The kernel accounts 768 bytes for each packet.  CONNECTIONS_MAX packets only
 * just fit into the default of 208 KiB. */
enum { QUEUE_BYTES = 1024 * 1024 };

bool handover_open(struct handover *h, struct err *e)
{
	int type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
	if (socketpair(AF_UNIX, type, 0, h->ends) < 0)
		return err_sys(e, errno, "socketpair");
	int bytes = QUEUE_BYTES;
	setsockopt(h->ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	return true;
}

void handover_close(struct handover *h)
{
	close(h->ends[0]);
	close(h->ends[1]);
}

/* A file in memory with these bytes; -1 on failure. */
static int file_of(const char *bytes, size_t count)
{
	int fd = memfd_create("sluiced-held", MFD_CLOEXEC);
	size_t done = 0;
	while (fd >= 0 && done < count) {
		ssize_t n = write(fd, bytes + done, count - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	return fd;
}

/* Append `count` bytes of the file.  False when it cannot be read. */
static bool read_file(int fd, size_t count, struct buf *to)
{
	buf_reserve(to, count);
	while (to->len < count) {
		ssize_t n = pread(fd, to->ptr + to->len, count - to->len,
				  (off_t)to->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to->len += (size_t)n;
	}
	return true;
}

bool handover_give(const struct handover *h, int fd,
		   const struct handed *handed, const char *held)
{
	struct handed copy = *handed;
	int fds[2] = {fd, -1};
	struct fd_message message = {.bytes = &copy,
				     .size_bytes = sizeof copy,
				     .fds = fds,
				     .fd_count = 1};
	if (handed->held_bytes > 0) {
		fds[message.fd_count++] = file_of(held, handed->held_bytes);
		if (fds[1] < 0)
			return false;
	}
	bool is_sent = fd_message_send(h->ends[0], &message);
	if (fds[1] >= 0)
		close(fds[1]);
	return is_sent;
}

/* The connection's descriptor, with the bytes of its unfinished message in
 * `held`.  -1 if either is missing: without those bytes, the connection's next
 * message would be only a part. */
static int accept_handed(const struct fd_message *message,
			 const struct handed *handed, struct buf *held)
{
	uint32_t wanted = handed->held_bytes > 0 ? 2 : 1;
	bool is_good = message->fd_count == wanted;
	if (is_good && wanted == 2)
		is_good = read_file(message->fds[1], handed->held_bytes, held);
	for (uint32_t i = is_good ? 1 : 0; i < message->fd_count; i++)
		close(message->fds[i]);
	return is_good ? message->fds[0] : -1;
}

int handover_take(const struct handover *h, struct handed *handed,
		  struct buf *held)
{
	for (;;) {
		int fds[2];
		struct fd_message message = {.bytes = handed,
					     .size_bytes = sizeof *handed,
					     .fds = fds,
					     .fd_count = 2};
		buf_clear(held);
		if (!fd_message_receive(h->ends[1], &message))
			return -1;
		int fd = accept_handed(&message, handed, held);
		if (fd >= 0)
			return fd;
		log_line(LOG_ERROR, "handover",
			 "err=\"a connection could not be taken over\" "
			 "lost_bytes=%zu action=\"closing it\"",
			 handed->held_bytes);
	}
}
