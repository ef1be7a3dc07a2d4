/* SPDX-License-Identifier: Apache-2.0 */
/* worker - the process that collects: receiver, journal, pipeline, HTTP and
 * signals around one libuv loop, which runs in the intake thread.
 *
 *     running --------STOP-------> draining --no senders, Grace---> finishing
 *        |                            |                               |
 *        |                            |      all is written, or Grace is over
 *        +--- LEAVE, channel closed --+---> leaving                   |
 *                                              | the batch is done    |
 *                                              v                      v
 *                                                     stopped
 *
 * Without a supervisor, SIGTERM, SIGINT and SIGQUIT take the place of STOP.
 * With one, the worker passes them and SIGHUP on to it.
 *
 * A draining worker still receives, because a gateway logs until its last
 * request.  A finishing worker first refuses senders (they get EPIPE) and then
 * reads the data that the kernel still holds, so no datagram is accepted and
 * lost.  A leaving worker makes way for the next worker, which finds the rest
 * in the kernel's queue and in the journal, and the connections in the
 * handover.  Inputs that the next worker does not keep are finished as above.
 * If the next worker cannot read the journal, the worker runs until its journal
 * is almost empty, and then leaves (process/leaving.c). */
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
	struct endpoints *endpoints; /* open; http_fd becomes the worker's */
	int channel;		     /* to the supervisor; -1: none */
	int journal_fd; /* of the previous worker; becomes the worker's; or -1
			 */
	const struct handover *handover; /* NULL without a supervisor */
	struct worker_counts worker_counts;
	bool is_draining;   /* a signal to stop has come already */
	bool died_of_other; /* as in journal_opts */
	bool is_held;	    /* a dead worker may still write */
	int64_t grace_left_ms;
	const char *left_journal; /* see spills_left_take; empty: none */
};

/* Run until stopped.  False with *e set if the worker could not start. */
bool worker_run(const struct worker_opts *, struct err *) MUST_USE;

#endif
