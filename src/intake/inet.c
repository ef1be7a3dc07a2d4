/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "intake/socket.h"

enum {
	UDP_RECEIVE_BYTES = 4 * 1024 * 1024, /* of kernel memory, when needed */
	KEEP_ALIVE_IDLE_S = 120,
	KEEP_ALIVE_EVERY_S = 30,
	KEEP_ALIVE_TIMES = 4,
};

static bool resolve(const struct socket_opts *opts,
		    struct sockaddr_storage *address, socklen_t *length,
		    struct err *e)
{
	bool is_stream = socket_kind_is_stream(opts->kind);
	struct addrinfo *found;
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = is_stream ? SOCK_STREAM : SOCK_DGRAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	char port[8];
	snprintf(port, sizeof port, "%u", opts->port);
	int why = getaddrinfo(opts->path, port, &hints, &found);
	if (why != 0)
		return err_set(e,
			       "\"%s\" is not an address of this machine like "
			       "0.0.0.0, 127.0.0.1 or :: (%s)",
			       opts->path, gai_strerror(why));
	memset(address, 0, sizeof *address);
	memcpy(address, found->ai_addr, found->ai_addrlen);
	*length = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static bool is_wildcard(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	if (a->ss_family == AF_INET)
		return v4->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

/* SO_RCVBUFFORCE is root's, SO_RCVBUF ends at net.core.rmem_max.  The kernel
 * doubles what it is given, for its own needs. */
static void set_receive_bytes(int fd, const struct socket_opts *opts)
{
	bool is_udp = opts->kind == SOCKET_UDP;
	size_t wanted = opts->receive_bytes;
	if (wanted == 0 && is_udp)
		wanted = UDP_RECEIVE_BYTES;
	if (wanted == 0)
		return;
	int bytes = (int)wanted;
	socklen_t length = sizeof bytes;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, length) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, length);
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &length) != 0)
		return;
	bool is_low = (size_t)bytes / 2 < wanted;
	log_line(is_low ? LOG_WARN : LOG_INFO, "socket",
		 "listen=%s port=%u receive_buffer_bytes=%d wanted=%zu%s",
		 opts->path, opts->port, bytes / 2, wanted,
		 is_low ? " advice=\"raise sysctl net.core.rmem_max\"" : "");
}

int inet_open(const struct socket_opts *opts, struct err *e)
{
	struct sockaddr_storage address;
	socklen_t length;
	if (!resolve(opts, &address, &length, e))
		return -1;
	bool is_stream = socket_kind_is_stream(opts->kind);
	int type = is_stream ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0);
	if (fd < 0)
		goto fail;
	if (is_stream)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1},
			   sizeof(int));
	set_receive_bytes(fd, opts);
	if (bind(fd, (struct sockaddr *)&address, length) != 0 ||
	    (is_stream && listen(fd, SOMAXCONN) != 0))
		goto fail;
	log_line(LOG_INFO, "socket", "listening=%s://%s:%u",
		 is_stream ? "tcp" : "udp", opts->path, opts->port);
	return fd;
fail:
	err_sys(e, errno, "%s port %u of %s", is_stream ? "TCP" : "UDP",
		opts->port, opts->path);
	if (fd >= 0)
		close(fd);
	return -1;
}

bool inet_try(const struct socket_opts *opts, struct err *e)
{
	struct sockaddr_storage address;
	socklen_t length;
	return resolve(opts, &address, &length, e);
}

bool inet_is_at(const struct sockaddr_storage *has,
		const struct socket_opts *opts)
{
	struct sockaddr_storage wanted;
	socklen_t length;
	struct err ignored;
	if (!resolve(opts, &wanted, &length, &ignored))
		return false;
	/* The port stands at the same place in both kinds of address. */
	if (((const struct sockaddr_in *)has)->sin_port !=
	    ((const struct sockaddr_in *)&wanted)->sin_port)
		return false;
	if (is_wildcard(has) && is_wildcard(&wanted))
		return true;
	if (has->ss_family != wanted.ss_family)
		return false;
	if (has->ss_family == AF_INET)
		return ((const struct sockaddr_in *)has)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)&wanted)->sin_addr.s_addr;
	return memcmp(&((const struct sockaddr_in6 *)has)->sin6_addr,
		      &((const struct sockaddr_in6 *)&wanted)->sin6_addr,
		      sizeof(struct in6_addr)) == 0;
}

void inet_text(const struct sockaddr_storage *address, char *text, size_t room,
	       uint16_t *port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	const void *host = address->ss_family == AF_INET
				   ? (const void *)&v4->sin_addr
				   : (const void *)&v6->sin6_addr;
	*port = ntohs(v4->sin_port);
	if (inet_ntop(address->ss_family, host, text, (socklen_t)room) == NULL)
		snprintf(text, room, "unavailable");
}

void inet_keep_alive(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEP_ALIVE_IDLE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEP_ALIVE_EVERY_S},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEP_ALIVE_TIMES},
	};
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		setsockopt(fd, options[i].level, options[i].name,
			   &options[i].value, sizeof options[i].value);
}
