/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/healthcheck.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "conf/conf.h"
#include "intake/inet.h"
#include "setup/settings.h"

enum { TIMEOUT_S = 3 };

/* A socket that listens on a wildcard address also listens on the loopback
 * address. */
static bool address_of(const struct settings *s, struct inet_address *out,
		       struct err *e)
{
	struct inet_opts opts = {.host = s->http_listen,
				 .port = s->http_port,
				 .is_stream = true,
				 .is_numeric = true};
	if (!inet_resolve(&opts, out, e))
		return false;
	if (!inet_is_wildcard(&out->any))
		return true;
	opts.host = out->any.ss_family == AF_INET ? "127.0.0.1" : "::1";
	return inet_resolve(&opts, out, e);
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
			return err_set(e, "%s",
				       "the answer ended within its first "
				       "line");
		have += (size_t)n;
	}
	/* The server may answer with its own minor version. */
	if (memcmp(head, good, 7) != 0 || memcmp(head + 8, good + 8, 4) != 0)
		return err_set(e, "the answer is \"%.*s\", not 200", (int)have,
			       head);
	return true;
}

static bool check_health(const struct settings *s, struct err *e)
{
	struct inet_address address;
	if (!address_of(s, &address, e))
		return false;
	int fd = socket(address.any.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, errno, "socket");
	struct timeval timeout = {.tv_sec = TIMEOUT_S};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	bool ok = connect(fd, (struct sockaddr *)&address.any,
			  address.length) == 0
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
