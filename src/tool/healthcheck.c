/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/healthcheck.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "conf/conf.h"
#include "setup/settings.h"

enum { TIMEOUT_S = 3 };

/* The address to ask.  A server on a wildcard address answers on loopback, too.
 */
static void address_of(const struct settings *s, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, s->http_listen, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(s->http_port);
		if (v4->sin_addr.s_addr == htonl(INADDR_ANY))
			v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return;
	}
	CHECK(inet_pton(AF_INET6, s->http_listen, &v6->sin6_addr) == 1);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(s->http_port);
	if (memcmp(&v6->sin6_addr, &in6addr_any, 16) == 0)
		v6->sin6_addr = in6addr_loopback;
}

static bool ask(int fd, struct err *e)
{
	static const char request[] = "GET /api/v1/health HTTP/1.0\r\n\r\n";
	static const char good[] = "HTTP/1.0 200";
	char head[sizeof good - 1];
	size_t have = 0;
	if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
		return err_sys(e, errno, "send");
	while (have < sizeof head) {
		ssize_t n = recv(fd, head + have, sizeof head - have, 0);
		if (n < 0)
			return err_sys(e, errno, "receive");
		if (n == 0)
			return err_set(e, "%s", "the answer ended early");
		have += (size_t)n;
	}
	/* The server may answer with its own minor version. */
	if (memcmp(head, good, 7) != 0 || memcmp(head + 8, good + 8, 4) != 0)
		return err_set(e, "the answer is \"%.*s\"", (int)have, head);
	return true;
}

static bool check_health(const struct settings *s, struct err *e)
{
	struct sockaddr_storage address;
	address_of(s, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, errno, "socket");
	struct timeval timeout = {.tv_sec = TIMEOUT_S};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	bool ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0
			  ? ask(fd, e)
			  : err_sys(e, errno, "connect to %s port %u",
				    s->http_listen, s->http_port);
	close(fd);
	return ok;
}

static bool read_settings(const struct conf *conf, const struct conf *options,
			  struct settings *s, struct err *e)
{
	struct conf_section *c = conf_section_named(conf, "SERVICE", 0);
	settings_init(s);
	if ((options != NULL &&
	     !settings_read(s, conf_section(options, 0), e)) ||
	    (c != NULL && !settings_read(s, c, e)))
		return false;
	if (s->http_server)
		return true;
	if (c == NULL)
		return err_set(e,
			       "HTTP_Server must be On for a healthcheck, but "
			       "there is no [SERVICE]");
	return conf_err_key(c, "HTTP_Server", e,
			    "HTTP_Server must be On for a healthcheck");
}

int healthcheck(const struct command_args *args)
{
	const struct assemble_opts *opts = args->assemble;
	struct err e = {0};
	struct settings settings;
	bool ok = false;
	if (!log_open(NULL, LOG_OFF, &e))
		return EXIT_CODE_SYSTEM;
	struct conf *conf = conf_read(opts->conf_path, &e);
	if (conf != NULL)
		ok = read_settings(conf, opts->options, &settings, &e) &&
		     check_health(&settings, &e);
	conf_free(conf);
	if (ok)
		return 0;
	fprintf(stderr, "sluiced healthcheck: %s\n", e.text);
	return e.exit_code;
}
