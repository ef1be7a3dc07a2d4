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

enum {
	UDP_RECEIVE_BYTES =
		4 * 1024 * 1024, /* the kernel's memory, on demand */
	KEEP_ALIVE_IDLE_S = 120,
	KEEP_ALIVE_EVERY_S = 30,
	KEEP_ALIVE_TIMES = 4,
};

bool inet_resolve(const struct inet_opts *opts, struct inet_address *address,
		  struct err *e)
{
	struct addrinfo *found;
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = opts->is_stream ? SOCK_STREAM : SOCK_DGRAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV |
			    (opts->is_numeric ? AI_NUMERICHOST : 0),
	};
	char port[8];
	snprintf(port, sizeof port, "%u", opts->port);
	int why = getaddrinfo(opts->host, port, &hints, &found);
	if (why != 0)
		return err_set(e,
			       "\"%s\" is not an address like 0.0.0.0, "
			       "127.0.0.1 or :: (%s)",
			       opts->host, gai_strerror(why));
	*address = (struct inet_address){.length = found->ai_addrlen};
	memcpy(&address->any, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return true;
}

bool inet_is_wildcard(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	if (a->ss_family == AF_INET)
		return v4->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

/* Only root may use SO_RCVBUFFORCE; SO_RCVBUF is limited by net.core.rmem_max.
 * The kernel doubles the value for its own needs. */
void inet_set_receive_bytes(int fd, const struct inet_opts *opts)
{
	size_t wanted = opts->receive_bytes;
	if (wanted == 0 && !opts->is_stream)
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
		 opts->host, opts->port, bytes / 2, wanted,
		 is_low ? " action=\"raise sysctl net.core.rmem_max\"" : "");
}

void inet_share_port(int fd, bool is_shared)
{
	int value = is_shared;
	(void)!setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof value);
}

int inet_open(const struct inet_opts *opts, const struct inet_address *address)
{
	int type = opts->is_stream ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(address->any.ss_family,
			type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (opts->is_stream)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1},
			   sizeof(int));
	inet_set_receive_bytes(fd, opts);
	if (opts->shares_port)
		inet_share_port(fd, true);
	if (bind(fd, (const struct sockaddr *)&address->any, address->length) ==
		    0 &&
	    (!opts->is_stream || listen(fd, SOMAXCONN) == 0)) {
		/* No other process may share the port from now on. */
		if (opts->shares_port)
			inet_share_port(fd, false);
		return fd;
	}
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

/* The port is at the same place in both kinds of address. */
uint16_t inet_port(const struct sockaddr_storage *address)
{
	return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static bool is_same_host(const struct sockaddr_storage *a,
			 const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
		      &((const struct sockaddr_in6 *)b)->sin6_addr,
		      sizeof(struct in6_addr)) == 0;
}

bool inet_is_at(const struct sockaddr_storage *has,
		const struct inet_opts *opts)
{
	struct inet_address address;
	const struct sockaddr_storage *wanted = &address.any;
	struct err ignored;
	if (!inet_resolve(opts, &address, &ignored) ||
	    inet_port(has) != inet_port(wanted))
		return false;
	if (inet_is_wildcard(has) && inet_is_wildcard(wanted))
		return true;
	return is_same_host(has, wanted);
}

static bool resolve_numeric(const struct inet_opts *opts,
			    struct inet_address *address)
{
	struct inet_opts numeric = *opts;
	struct err ignored;
	numeric.is_numeric = true;
	return inet_resolve(&numeric, address, &ignored);
}

bool inet_collides(const struct inet_opts *a, const struct inet_opts *b)
{
	struct inet_address at_a, at_b;
	if (a->is_stream != b->is_stream || a->port != b->port || a->port == 0)
		return false;
	if (strcmp(a->host, b->host) == 0)
		return true;
	if (!resolve_numeric(a, &at_a) || !resolve_numeric(b, &at_b))
		return false;
	return is_same_host(&at_a.any, &at_b.any) ||
	       (at_a.any.ss_family == at_b.any.ss_family &&
		(inet_is_wildcard(&at_a.any) || inet_is_wildcard(&at_b.any)));
}

void inet_text(const struct sockaddr_storage *address, char *text, size_t room)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	const void *host = address->ss_family == AF_INET
				   ? (const void *)&v4->sin_addr
				   : (const void *)&v6->sin6_addr;
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
