/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/shares.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

enum { V6_NETWORK_BYTES = 8, V4_MAPPED_PREFIX_BYTES = 12 };

struct host_name {
	sa_family_t family;
	unsigned char bytes[sizeof(struct in6_addr)]; /* or a process id */
};

struct share_host {
	struct host_name name;
	bool is_local; /* this machine: a loopback address, or one of ours */
	size_t count;  /* of its connections; never 0 */
	struct share_host *next;
};

union address {
	struct sockaddr_storage any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* An IPv6 socket reports an IPv4 peer by a mapped address (::ffff:a.b.c.d),
 * which gets the same name as the IPv4 address. */
static void name_address(struct host_name *name, const union address *a)
{
	*name = (struct host_name){.family = a->any.ss_family};
	if (name->family == AF_INET) {
		memcpy(name->bytes, &a->v4.sin_addr, sizeof a->v4.sin_addr);
	} else if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) {
		name->family = AF_INET;
		memcpy(name->bytes,
		       a->v6.sin6_addr.s6_addr + V4_MAPPED_PREFIX_BYTES,
		       sizeof a->v4.sin_addr);
	} else {
		memcpy(name->bytes, &a->v6.sin6_addr, sizeof a->v6.sin6_addr);
	}
}

static bool is_same(const struct host_name *a, const struct host_name *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static bool is_loopback(const struct host_name *name)
{
	if (name->family == AF_INET)
		return name->bytes[0] == IN_LOOPBACKNET;
	return memcmp(name->bytes, &in6addr_loopback, sizeof name->bytes) == 0;
}

/* Name the peer of the connection.  Returns whether it is on this machine. */
static bool name_peer(struct host_name *name, int fd)
{
	union address peer = {0}, own = {0};
	socklen_t length = sizeof peer, own_length = sizeof own;
	struct host_name own_name;
	*name = (struct host_name){0};
	if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0 ||
	    getsockname(fd, (struct sockaddr *)&own, &own_length) != 0)
		return false;
	if (peer.any.ss_family == AF_UNIX) {
		struct ucred process = {0};
		length = sizeof process;
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &process, &length);
		name->family = AF_UNIX;
		memcpy(name->bytes, &process.pid, sizeof process.pid);
		return true;
	}
	name_address(name, &peer);
	name_address(&own_name, &own);
	if (is_loopback(name) || is_same(name, &own_name))
		return true;
	if (name->family == AF_INET6)
		memset(name->bytes + V6_NETWORK_BYTES, 0,
		       sizeof name->bytes - V6_NETWORK_BYTES);
	return false;
}

static struct share_host *host_of(struct shares *all, int fd)
{
	struct host_name name;
	bool is_local = name_peer(&name, fd);
	for (struct share_host *h = all->hosts; h != NULL; h = h->next)
		if (h->is_local == is_local && is_same(&h->name, &name))
			return h;
	struct share_host *h = mem_new(1, sizeof *h);
	h->name = name;
	h->is_local = is_local;
	h->next = all->hosts;
	all->hosts = h;
	return h;
}

static void forget_host(struct shares *all, struct share_host *host)
{
	struct share_host **at = &all->hosts;
	while (*at != host)
		at = &(*at)->next;
	*at = host->next;
	free(host);
}

static void append(struct shares *all, struct share *s)
{
	s->next = NULL;
	s->previous = all->last;
	*(all->last != NULL ? &all->last->next : &all->first) = s;
	all->last = s;
}

static void take_out(struct shares *all, struct share *s)
{
	*(s->previous != NULL ? &s->previous->next : &all->first) = s->next;
	*(s->next != NULL ? &s->next->previous : &all->last) = s->previous;
}

void shares_add(struct shares *all, struct share *s, int fd, int64_t now_ns)
{
	s->host = host_of(all, fd);
	s->host->count++;
	s->active_ns = now_ns;
	append(all, s);
	all->count++;
}

void shares_remove(struct shares *all, struct share *s)
{
	if (s->host == NULL)
		return;
	take_out(all, s);
	all->count--;
	if (--s->host->count == 0)
		forget_host(all, s->host);
	s->host = NULL;
}

void shares_touch(struct shares *all, struct share *s, int64_t now_ns)
{
	s->active_ns = now_ns;
	if (s->host == NULL || s == all->last)
		return;
	take_out(all, s);
	append(all, s);
}

static bool is_before(const struct share_host *a, const struct share_host *b)
{
	if (a->count != b->count)
		return a->count > b->count;
	return !a->is_local && b->is_local;
}

struct share *shares_pick(const struct shares *all)
{
	struct share *picked = all->first;
	for (struct share *s = picked; s != NULL; s = s->next)
		if (is_before(s->host, picked->host))
			picked = s;
	return picked;
}
