/* SPDX-License-Identifier: Apache-2.0 */
/* shares - which connection makes way when all places are taken.
 *
 *     user 7  process A  a1 a2 a3    most connections of all users; of its
 *             process B  b1          processes, A has the most: one of these
 *     user 8  process C  c1 c2       makes way, the one silent for longest
 *
 * So a user with many connections takes places from itself only, and a new user
 * always finds one.  Starting more processes gains nothing: the kernel reports
 * the user, and a process cannot choose it.  Processes of one user can take
 * places from each other, since one of them can start any number of others.
 * Without pidfs, which Linux has since 6.9, all processes of one user in other
 * PID namespaces, such as the other containers of a pod, count as one process.
 *
 * Over a network there are hosts instead of users, and no processes.  An IPv6
 * host is its /64 network.  All addresses of this machine are one host, since
 * each of its processes can connect from any of them.  If several hosts have
 * the most connections, this machine is picked last.
 *
 * The owner embeds a struct share in each connection.  The list is in the order
 * of silence: the connection that was silent for longest is the first. */
#ifndef INTAKE_SHARES_H
#define INTAKE_SHARES_H

#include <stddef.h>
#include <stdint.h>

struct share_host;

struct share { /* zero-initialised: in no list */
	void *owner;
	int64_t active_ns; /* clock_mono_ns when it was added or touched */
	struct share_host *host;
	struct share *previous;
	struct share *next;
};

struct shares { /* zero-initialised: empty */
	struct share *first;
	struct share *last;
	size_t count;
	struct share_host *hosts;
};

/* Add a connection; the peer of its socket `fd` is its host. */
void shares_add(struct shares *, struct share *, int fd, int64_t now_ns);

/* Remove the connection.  No effect if it is in no list. */
void shares_remove(struct shares *, struct share *);

/* The connection was active: move it to the end of the list. */
void shares_touch(struct shares *, struct share *, int64_t now_ns);

/* The connection that makes way; NULL if there is none. */
struct share *shares_pick(const struct shares *);

#endif
