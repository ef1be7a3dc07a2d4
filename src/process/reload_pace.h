/* SPDX-License-Identifier: Apache-2.0 */
/* reload_pace - how soon a client of the HTTP port may reload again.
 *
 * Each reload starts a process, which reads the configuration and compiles its
 * scripts and expressions.  A client that asks for reloads in a loop could use
 * up the CPU limit, and datagrams would be lost.  So these reloads take at most
 * a tenth of the time:
 *
 *     | load | wait for the old worker | start | pause: 9 x (load + start),
 *     |      |                         |       | but at least a second
 *
 * After the pause, the next reload over HTTP is accepted.  Other reloads are
 * not limited and do not count.  Times are those of clock_mono_ns. */
#ifndef PROCESS_RELOAD_PACE_H
#define PROCESS_RELOAD_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* A zero-initialised one accepts a reload. */
struct reload_pace {
	bool is_limited; /* the last reload was requested over HTTP */
	int64_t work_ns; /* since when its worker works; 0: it waits */
	int64_t used_ns; /* by the work so far */
	int64_t from_ns; /* accept no reload over HTTP before this time */
};

/* The new worker of a reload starts to load. */
void reload_pace_begin(struct reload_pace *, bool is_limited, int64_t now_ns);

/* It has loaded, and waits for the old worker. */
void reload_pace_loaded(struct reload_pace *, int64_t now_ns);

/* The old worker has left, and the new one starts. */
void reload_pace_go(struct reload_pace *, int64_t now_ns);

/* The new worker receives, or the reload has failed.  Only the first call
 * counts. */
void reload_pace_end(struct reload_pace *, int64_t now_ns);

#endif
