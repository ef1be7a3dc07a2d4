/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

enum { BACKLOG = 128 };

static bool read_address(const char *text, uint16_t port,
			 struct sockaddr_storage *address, struct err *e)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	memset(address, 0, sizeof *address);
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return true;
	}
	return err_set(e,
		       "HTTP_Listen \"%s\" is not an address like 0.0.0.0, "
		       "127.0.0.1 or ::",
		       text);
}

int http_listen(const char *text, uint16_t port, struct err *e)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	if (!read_address(text, port, &address, e))
		return -1;
	int fd = socket(address.ss_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		goto fail;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&address, length) < 0 ||
	    listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		goto fail;
	/* The port stands at the same place in both kinds of address. */
	log_line(LOG_INFO, "http", "listening=%s:%u", text,
		 ntohs(((struct sockaddr_in *)&address)->sin_port));
	return fd;
fail:
	err_sys(e, errno, "HTTP server on %s port %u", text, port);
	if (fd >= 0)
		close(fd);
	return -1;
}
