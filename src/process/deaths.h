/* SPDX-License-Identifier: Apache-2.0 */
/* deaths - what workers die of, and how long to wait before the next one
 * starts.
 *
 * A message that kills its worker kills the next one, too.  So each death
 * doubles the delay: 100 ms to 10 s, until a minute has passed without a death.
 * A worker that was killed from outside is replaced at once, unless several in
 * a row live only for an instant.  The kernel's OOM killer sends SIGKILL, too,
 * so the supervisor compares the kernel's count of OOM kills at the worker's
 * start with the count after its death.
 *
 * While the supervisor stops, the delays are shorter, so that waiting messages
 * are written within Grace. */
#ifndef PROCESS_DEATHS_H
#define PROCESS_DEATHS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"

struct deaths {
	struct backoff backoff;
	int64_t last_ns;	 /* of clock_mono_ns; 0: no worker has died */
	unsigned quick;		 /* quick deaths in a row */
	struct backoff stopping; /* of deaths while the supervisor stops */
	bool died_stopping;
	int64_t oom_kills; /* on this machine, at deaths_begin; -1: unknown */
};

enum { QUICK_DEATHS_MAX = 10 };

/* Begin without deaths. */
void deaths_init(struct deaths *);

/* Call this before a worker starts. */
void deaths_begin(struct deaths *);

/* Whether the worker with this status of waitpid was killed from outside: by
 * SIGKILL, while the count of OOM kills did not change.  False if the count is
 * unknown. */
bool deaths_came_from_outside(const struct deaths *, int status);

/* A worker has died: returns how many milliseconds to wait before the next one
 * starts.  `was_quick`: it died just after its start.  -1 after
 * QUICK_DEATHS_MAX quick deaths in a row: start no other worker. */
int64_t deaths_wait_ms(struct deaths *, int64_t now_ns, bool from_outside,
		       bool was_quick);

/* A worker has left as it should: it interrupts a row of quick deaths. */
void deaths_interrupt(struct deaths *);

/* The same as deaths_wait_ms, while the supervisor stops: at once, then after
 * 100 ms to 1 s.  Never -1: the supervisor's deadline ends the row. */
int64_t deaths_stopping_wait_ms(struct deaths *);

#endif
