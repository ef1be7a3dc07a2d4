/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/handover.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd_message.h"
#include "base/log.h"

/* The kernel counts 768 bytes for a packet: CONNECTIONS_MAX of them fit into
 * the usual 208 KiB, but only just. */
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

/* A file in memory; -1 when there can be none. */
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

/* False when it cannot be read. */
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
	struct fd_message packet = {.bytes = &copy,
				    .size_bytes = sizeof copy,
				    .fds = fds,
				    .fd_count = 1};
	if (handed->held_bytes > 0) {
		fds[packet.fd_count++] = file_of(held, handed->held_bytes);
		if (fds[1] < 0)
			return false;
	}
	bool is_sent = fd_message_send(h->ends[0], &packet);
	if (fds[1] >= 0)
		close(fds[1]);
	return is_sent;
}

/* With what it holds, or not at all: without that the next message of it would
 * be half a one.  -1 when there are no descriptors for it. */
static int accept_packet(const struct fd_message *packet,
			 const struct handed *handed, struct buf *held)
{
	uint32_t wanted = handed->held_bytes > 0 ? 2 : 1;
	bool is_good = packet->fd_count == wanted;
	if (is_good && wanted == 2)
		is_good = read_file(packet->fds[1], handed->held_bytes, held);
	for (uint32_t i = is_good ? 1 : 0; i < packet->fd_count; i++)
		close(packet->fds[i]);
	return is_good ? packet->fds[0] : -1;
}

int handover_take(const struct handover *h, struct handed *handed,
		  struct buf *held)
{
	for (;;) {
		int fds[2];
		struct fd_message packet = {.bytes = handed,
					    .size_bytes = sizeof *handed,
					    .fds = fds,
					    .fd_count = 2};
		buf_clear(held);
		if (!fd_message_receive(h->ends[1], &packet))
			return -1;
		int fd = accept_packet(&packet, handed, held);
		if (fd >= 0)
			return fd;
		log_line(LOG_ERROR, "handover",
			 "err=\"a connection could not be taken over\" "
			 "lost_bytes=%zu",
			 handed->held_bytes);
	}
}
