/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/queue_length.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

#define QUEUE_LENGTH_FILE "/proc/sys/net/unix/max_dgram_qlen"
#define SEND_BUFFER_FILE "/proc/sys/net/core/wmem_default"

enum {
	QUEUE_LENGTH_LOW = 16,
	SEND_BUFFER_BYTES = 212992, /* if it cannot be read */
	/* A datagram takes more of the send buffer than its bytes.  On 64-bit
	 * machines the rest is skb_shared_info, in the same allocation, which
	 * is a power of two, and sk_buff (skbuff.h: SKB_TRUESIZE). */
	SHARED_INFO_BYTES = 320,
	SK_BUFF_BYTES = 256,
	TYPICAL_LINE_BYTES = 1000,
};

/* False when it cannot be read. */
static bool read_number(const char *path, unsigned *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	char text[32];
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	*length = (unsigned)strtoul(text, NULL, 10); /* at most INT_MAX */
	return true;
}

/* This is often refused: without root, or with /proc/sys mounted read-only, as
 * in most containers.  The caller reads the value back. */
static void write_length(unsigned length)
{
	int fd = open(QUEUE_LENGTH_FILE, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	char text[32];
	int n = snprintf(text, sizeof text, "%u\n", length);
	ssize_t ignored = write(fd, text, (size_t)n);
	(void)ignored;
	close(fd);
}

static void advise(const char *path, unsigned length)
{
	log_line(
		LOG_WARN, "socket",
		"path=%s err=\"only %llu datagrams of all senders together can "
		"wait; the kernel refuses more, and nginx drops them\" "
		"action=\"raise sysctl net.unix.max_dgram_qlen before the "
		"start: in the pod's securityContext.sysctls, if the kubelet "
		"runs with --allowed-unsafe-sysctls=net.unix.max_dgram_qlen, "
		"or in a privileged init container\"",
		path, length + 1ULL);
}

unsigned queue_length_now(void)
{
	unsigned length;
	return read_number(QUEUE_LENGTH_FILE, &length) ? length : 0;
}

unsigned queue_length_per_sender(size_t datagram_bytes)
{
	unsigned buffer_bytes = SEND_BUFFER_BYTES;
	(void)read_number(SEND_BUFFER_FILE, &buffer_bytes);
	size_t allocated = 512;
	while (allocated < datagram_bytes + SHARED_INFO_BYTES)
		allocated *= 2;
	/* The kernel accepts a datagram while anything of the buffer is free.
	 */
	size_t each = allocated + SK_BUFF_BYTES;
	return (unsigned)((buffer_bytes + each - 1) / each);
}

unsigned queue_length_raise(const char *path, unsigned wanted)
{
	unsigned length;
	if (!read_number(QUEUE_LENGTH_FILE, &length)) {
		log_line(LOG_WARN, "socket",
			 "path=%s queue_length=unknown wanted=%u "
			 "err=\"cannot read " QUEUE_LENGTH_FILE "\" "
			 "action=\"leaving the limit unchanged\"",
			 path, wanted);
		return 0;
	}
	if (length < wanted) {
		write_length(wanted);
		if (!read_number(QUEUE_LENGTH_FILE, &length))
			return length;
	}
	bool is_low = length <= QUEUE_LENGTH_LOW || length < wanted;
	log_line(is_low ? LOG_WARN : LOG_INFO, "socket",
		 "path=%s queue_length=%u wanted=%u datagrams_max=%llu "
		 "datagrams_max_per_sender=%u assumed_line_bytes=%d",
		 path, length, wanted, length + 1ULL,
		 queue_length_per_sender(TYPICAL_LINE_BYTES),
		 TYPICAL_LINE_BYTES);
	if (is_low)
		advise(path, length);
	return length;
}
