/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/http_listen.h"

#include <errno.h>

#include "base/check.h"
#include "base/log.h"
#include "intake/inet.h"

int http_listen(const char *host, uint16_t port, bool shares_port,
		struct err *e)
{
	struct inet_opts opts = {.host = host,
				 .port = port,
				 .is_stream = true,
				 .is_numeric = true,
				 .shares_port = shares_port};
	struct inet_address address;
	if (!inet_resolve(&opts, &address, e)) {
		err_in(e, "HTTP_Listen");
		return -1;
	}
	int fd = inet_open(&opts, &address);
	if (fd < 0) {
		err_sys(e, errno, "HTTP server on %s port %u", host, port);
		return -1;
	}
	CHECK(getsockname(fd, (struct sockaddr *)&address.any,
			  &address.length) == 0);
	log_line(LOG_INFO, "http", "listening=%s:%u", host,
		 inet_port(&address.any));
	return fd;
}
