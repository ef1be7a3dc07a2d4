/* SPDX-License-Identifier: Apache-2.0 */
/* shares - which connection makes way when all places are taken.
 *
 *     host A  a1 a2 a3 a4     most connections: one of these makes way,
 *     host B  b1              the one that was silent for longest
 *     host C  c1 c2
 *
 * So a host with many connections takes places from itself only, and a new host
 * always finds one.  If several hosts have the most connections, a host that is
 * this machine is picked last.  An IPv6 host is its /64 network; a Unix peer is
 * its process.
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
