/* SPDX-License-Identifier: Apache-2.0 */
/* worker - the process that collects: sockets, journal, pipeline, HTTP and
 * signals around one libuv loop, the intake thread.
 *
 *     running --SIGTERM, SIGINT--> draining --idle 1 s, or Grace--> finishing
 *        | SIGHUP: files are opened anew                              |
 *        |                                          all written, or given up
 *        v                                                            v
 *     (datagrams are received while running and draining)          stopped
 *
 * Draining goes on receiving, since a gateway logs until its last request.
 * Finishing refuses senders first (they see EPIPE) and then takes what the
 * kernel still holds, so that no datagram is accepted and thrown away. */
#ifndef RUN_WORKER_H
#define RUN_WORKER_H

#include <stdbool.h>

#include "base/check.h"
#include "base/err.h"

struct assembly;

/* Run until a signal has stopped it and all is written.  False when it could
 * not start. */
bool worker_run(const struct assembly *, struct err *) MUST_USE;

#endif
