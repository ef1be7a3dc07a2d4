/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor - the process that stays when a worker dies.
 *
 *     starting --worker works--> running --a signal to stop--> stopping
 *                                 ^   |     (SIGTERM, SIGINT, SIGQUIT)
 *                    new worker --+   | a worker died: another one starts, with
 *                                     | exponential back-off
 *                                     | SIGHUP: a new worker starts; when it is
 *                                     | ready, the old one leaves
 *
 * The supervisor owns the sockets and the HTTP listener.  While no worker runs,
 * datagrams wait in the kernel's queue and messages in the journal's file.  It
 * also keeps open the handover, through which a leaving worker gives its
 * connections to the next one.
 *
 * It reads no configuration and receives no datagram.  It has one thread, apart
 * from the one that writes Log_File, and no event loop library: little can
 * fail.  As PID 1 it reaps orphans. */
#ifndef PROCESS_SUPERVISOR_H
#define PROCESS_SUPERVISOR_H

#include "setup/assemble.h"

/* Run until a signal has stopped it, or until it cannot continue.  Returns the
 * exit code: usually that of the last worker; EXIT_CODE_CONFIG if the first
 * worker did not load its configuration in time; EXIT_CODE_SYSTEM if a worker
 * had to be killed at the deadline of a stop, if messages or spilled lines stay
 * with a journal that the configuration no longer names, if messages were lost
 * with a removed journal or stay in a renamed one, if QUICK_DEATHS_MAX workers
 * in a row died while they started, or after another failure.  Errors have
 * been logged. */
int supervisor_run(const struct assemble_opts *);

#endif
