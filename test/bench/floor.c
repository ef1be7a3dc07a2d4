/* SPDX-License-Identifier: Apache-2.0 */
/* floor - measures the cost of receiving and writing alone.  It receives up to
 * 64 datagrams with one recvmmsg and writes them with one write, each followed
 * by a newline.  It does not parse them and has no journal.
 *
 *     floor SOCKET FILE
 *
 * Ends on SIGTERM. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM_BYTES = 8192 };

static int bind_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	static char text[BATCH][DATAGRAM_BYTES];
	struct iovec into[BATCH], from[BATCH];
	struct mmsghdr messages[BATCH];
	if (argc != 3)
		return 64;
	int in = bind_socket(argv[1]);
	int out = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (in < 0 || out < 0) {
		perror("floor");
		return 71;
	}
	memset(messages, 0, sizeof messages);
	for (int i = 0; i < BATCH; i++) {
		into[i] = (struct iovec){text[i], DATAGRAM_BYTES - 1};
		messages[i].msg_hdr.msg_iov = &into[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (;;) {
		int n = recvmmsg(in, messages, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0)
			return 71;
		for (int i = 0; i < n; i++) {
			text[i][messages[i].msg_len] = '\n';
			from[i] = (struct iovec){text[i],
						 messages[i].msg_len + 1};
		}
		if (writev(out, from, n) < 0)
			return 71;
	}
}
