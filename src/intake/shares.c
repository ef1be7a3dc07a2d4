/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/shares.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"

#ifndef SO_PEERPIDFD /* Linux 6.5; the headers of Debian 12 are older */
#define SO_PEERPIDFD 77
#endif

enum {
	V6_NETWORK_BYTES = 8,
	V4_MAPPED_PREFIX_BYTES = 12,
	PIDFS_MAGIC = 0x50494446, /* PID_FS_MAGIC of newer kernel headers */
};

struct host_name {
	sa_family_t family;
	unsigned char bytes[sizeof(struct in6_addr)]; /* or a process */
};

/* Fills host_name.bytes, without padding. */
struct process_name {
	uint64_t inode; /* of its pidfd, or 0 */
	uint64_t id;	/* if the inode is unknown */
};
static_assert(sizeof(struct process_name) == sizeof(struct in6_addr), "name");

/* Where a connection comes from.  The user's name has the family AF_UNIX and
 * the user id as its first bytes. */
struct peer {
	struct host_name group; /* the host, or the user of a process */
	struct host_name host;
	bool is_local; /* on this machine */
};

struct share_host {
	struct host_name name;
	bool is_local;
	size_t count;		  /* of its connections; never 0 */
	struct share_host *group; /* NULL: this is a group */
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

/* Returns the inode of the peer's pidfd, or 0.  Without pidfs, which Linux has
 * since 6.9, all pidfds have one inode. */
static uint64_t pidfd_inode(int fd)
{
	int pidfd = -1;
	socklen_t length = sizeof pidfd;
	struct statfs system;
	struct stat st;
	uint64_t inode = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) != 0)
		return 0;
	if (fstatfs(pidfd, &system) == 0 && system.f_type == PIDFS_MAGIC &&
	    fstat(pidfd, &st) == 0)
		inode = st.st_ino;
	close(pidfd);
	return inode;
}

/* All processes of another PID namespace, such as those of the other containers
 * of a pod, have the process id 0. */
static void name_process(struct peer *p, int fd)
{
	struct ucred peer = {0};
	socklen_t length = sizeof peer;
	struct process_name process = {.inode = pidfd_inode(fd)};
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
	if (process.inode == 0)
		process.id = (uint64_t)peer.pid;
	p->is_local = true;
	p->host.family = p->group.family = AF_UNIX;
	memcpy(p->host.bytes, &process, sizeof process);
	memcpy(p->group.bytes, &peer.uid, sizeof peer.uid);
}

/* All addresses of this machine have one name, since each of its processes can
 * connect from any of them. */
static void name_host(struct peer *p, const union address *peer,
		      const union address *own)
{
	struct host_name *name = &p->host, own_name;
	name_address(name, peer);
	name_address(&own_name, own);
	p->is_local = is_loopback(name) || is_same(name, &own_name);
	if (p->is_local)
		*name = (struct host_name){0};
	else if (name->family == AF_INET6)
		memset(name->bytes + V6_NETWORK_BYTES, 0,
		       sizeof name->bytes - V6_NETWORK_BYTES);
	p->group = *name;
}

/* An unknown peer counts as one of another machine. */
static struct peer peer_of(int fd)
{
	struct peer p = {0};
	union address peer = {0}, own = {0};
	socklen_t length = sizeof peer, own_length = sizeof own;
	if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0 ||
	    getsockname(fd, (struct sockaddr *)&own, &own_length) != 0)
		return p;
	if (peer.any.ss_family == AF_UNIX)
		name_process(&p, fd);
	else
		name_host(&p, &peer, &own);
	return p;
}

static struct share_host *host_in(struct shares *all, struct share_host *group,
				  const struct host_name *name, bool is_local)
{
	for (struct share_host *h = all->hosts; h != NULL; h = h->next)
		if (h->group == group && h->is_local == is_local &&
		    is_same(&h->name, name))
			return h;
	struct share_host *h = mem_new(1, sizeof *h);
	h->name = *name;
	h->is_local = is_local;
	h->group = group;
	h->next = all->hosts;
	all->hosts = h;
	return h;
}

static struct share_host *host_of(struct shares *all, int fd)
{
	struct peer p = peer_of(fd);
	struct share_host *group = host_in(all, NULL, &p.group, p.is_local);
	return host_in(all, group, &p.host, p.is_local);
}

static void count_out(struct shares *all, struct share_host *host)
{
	struct share_host **at = &all->hosts;
	if (--host->count > 0)
		return;
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
	s->host->group->count++;
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
	struct share_host *group = s->host->group;
	count_out(all, s->host);
	count_out(all, group);
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
	if (a->group == b->group)
		return a->count > b->count;
	if (a->group->count != b->group->count)
		return a->group->count > b->group->count;
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
