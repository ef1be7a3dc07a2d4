/* SPDX-License-Identifier: Apache-2.0 */
#include "run/endpoints.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/say.h"
#include "run/http_listen.h"

enum { LISTEN_FDS_START = 3 }; /* SD_LISTEN_FDS_START */

void endpoints_init(struct endpoints *e)
{
	*e = (struct endpoints){.http_fd = -1};
}

static struct dgram_socket *find(const struct endpoints *e, const char *path)
{
	for (uint32_t i = 0; i < e->specs.socket_count; i++)
		if (strcmp(e->specs.sockets[i].path, path) == 0)
			return e->sockets[i];
	return NULL;
}

static bool same_http(const struct endpoint_specs *a,
		      const struct endpoint_specs *b)
{
	return a->has_http && b->has_http && a->http_port == b->http_port &&
	       strcmp(a->http_listen, b->http_listen) == 0;
}

static bool open_sockets(const struct endpoints *had, struct endpoints *next,
			 struct err *e)
{
	for (uint32_t i = 0; i < next->specs.socket_count; i++) {
		const struct socket_spec *spec = &next->specs.sockets[i];
		next->sockets[i] = find(had, spec->path);
		if (next->sockets[i] != NULL)
			continue;
		struct socket_opts opts = {
			.path = spec->path,
			.mode = (mode_t)spec->mode,
			.queue_length = spec->queue_length,
		};
		next->sockets[i] = socket_open(&opts, e);
		if (next->sockets[i] == NULL)
			return false;
	}
	return true;
}

static bool open_http(const struct endpoints *had, struct endpoints *next,
		      struct err *e)
{
	if (!next->specs.has_http)
		return true;
	if (same_http(&had->specs, &next->specs)) {
		next->http_fd = had->http_fd;
		return true;
	}
	next->http_fd =
		http_listen(next->specs.http_listen, next->specs.http_port, e);
	return next->http_fd >= 0;
}

/* Close what `of` has and `but` has not. */
static void close_others(const struct endpoints *of,
			 const struct endpoints *but)
{
	for (uint32_t i = 0; i < of->specs.socket_count; i++)
		if (of->sockets[i] != NULL &&
		    find(but, of->specs.sockets[i].path) != of->sockets[i])
			socket_close(of->sockets[i]);
	if (of->http_fd >= 0 && of->http_fd != but->http_fd)
		close(of->http_fd);
}

bool endpoints_set(struct endpoints *had, const struct endpoint_specs *specs,
		   struct err *e)
{
	struct endpoints next;
	endpoints_init(&next);
	next.specs = *specs;
	if (!open_sockets(had, &next, e) || !open_http(had, &next, e)) {
		close_others(&next, had);
		return false;
	}
	close_others(had, &next);
	*had = next;
	return true;
}

void endpoints_close(struct endpoints *e)
{
	struct endpoints none;
	endpoints_init(&none);
	close_others(e, &none);
	*e = none;
}

/* The path or the port of a descriptor becomes the spec that it serves. */
static bool adopt(struct endpoints *to, int fd, struct err *e)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
	} address = {0};
	socklen_t length = sizeof address;
	if (getsockname(fd, &address.any, &length) != 0)
		return err_sys(e, errno, "LISTEN_FDS: descriptor %d", fd);
	if (address.any.sa_family == AF_UNIX &&
	    to->specs.socket_count < ENDPOINTS_MAX) {
		uint32_t n = to->specs.socket_count;
		to->sockets[n] = socket_adopt(fd, 0, true, e);
		if (to->sockets[n] == NULL)
			return err_in(e, "LISTEN_FDS");
		strncpy(to->specs.sockets[n].path, address.un.sun_path,
			ENDPOINT_PATH_BYTES - 1);
		to->specs.socket_count++;
		return true;
	}
	if (address.any.sa_family == AF_INET && to->http_fd < 0) {
		to->http_fd = fd;
		to->specs.has_http = true;
		to->specs.http_port = ntohs(address.in.sin_port);
		inet_ntop(AF_INET, &address.in.sin_addr, to->specs.http_listen,
			  sizeof to->specs.http_listen);
		return true;
	}
	return err_set(e,
		       "LISTEN_FDS: descriptor %d is neither a Unix datagram "
		       "socket nor the HTTP listener",
		       fd);
}

bool endpoints_adopt_systemd(struct endpoints *to, struct err *e)
{
	const char *pid = getenv("LISTEN_PID");
	const char *count = getenv("LISTEN_FDS");
	if (pid == NULL || count == NULL ||
	    strtol(pid, NULL, 10) != (long)getpid())
		return true;
	long fds = strtol(count, NULL, 10);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (long i = 0; i < fds; i++)
		if (!adopt(to, LISTEN_FDS_START + (int)i, e))
			return false;
	say(SAY_INFO, "endpoints", "listen_fds=%ld from=systemd", fds);
	return true;
}
