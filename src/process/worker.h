/* SPDX-License-Identifier: Apache-2.0 */
/* worker - the process that collects: receiver, journal, pipeline, HTTP and
 * signals around one libuv loop, the intake thread.
 *
 *     running --SIGTERM, SIGINT--> draining --idle 1 s, or Grace--> finishing
 *        |                            |                               |
 *        |                            |        all written, or Grace is over
 *        +--- LEAVE, link closed -----+---> leaving                   |
 *                                              | the batch is done    |
 *                                              v                      v
 *                                                     stopped
 *
 * Draining goes on receiving, since a gateway logs until its last request.
 * Finishing refuses senders first (they see EPIPE) and then takes what the
 * kernel still holds, so that no datagram is accepted and thrown away.
 * Leaving makes room for the next worker, which finds the rest in the kernel's
 * queue and in the journal, and the connections in the handover.  What the next
 * one does not listen on is finished as above. */
#ifndef PROCESS_WORKER_H
#define PROCESS_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "process/channel.h"

struct assembly;
struct endpoints;
struct handover;

struct worker_opts { /* all borrowed */
	struct assembly *assembly;
	struct endpoints *endpoints; /* open; http_fd is taken over */
	int channel;		     /* to the supervisor; -1: there is none */
	const struct handover *handover; /* NULL without a supervisor */
	struct worker_counts worker_counts;
	bool is_draining; /* a signal has come already */
	int64_t grace_left_ms;
};

/* Run until it is stopped.  False when it could not start. */
bool worker_run(const struct worker_opts *, struct err *) MUST_USE;

#endif
