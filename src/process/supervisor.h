/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor - the process that stays when a worker dies.
 *
 *     starting --worker READY--> running --SIGTERM, SIGINT--> stopping
 *                                 ^   |
 *                    new worker --+   | worker died: another, after a back-off
 *                                     | SIGHUP: another beside it; when that
 *                                     | one is ready, the old one leaves
 *
 * It owns the sockets and the HTTP listener; with the worker dead, datagrams
 * wait in the kernel's queue and the journal waits in its file.  It keeps open
 * the way by which a worker that leaves gives its connections to the next one.
 * It reads no configuration, receives no datagram, has one thread and no loop
 * library: what does nothing cannot fail.  As PID 1 it reaps whoever is left to
 * it. */
#ifndef PROCESS_SUPERVISOR_H
#define PROCESS_SUPERVISOR_H

#include "setup/assemble.h"

/* Run until a signal has stopped it.  The exit code: 0, or the worker's when
 * the first one could not start, or EXIT_CODE_SYSTEM when it gave up.  Errors
 * have been said. */
int supervisor_run(const struct assemble_opts *);

#endif
