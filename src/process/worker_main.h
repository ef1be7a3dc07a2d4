/* SPDX-License-Identifier: Apache-2.0 */
/* worker_main - starts a worker: under a supervisor, alone, or for a dry run.
 */
#ifndef PROCESS_WORKER_MAIN_H
#define PROCESS_WORKER_MAIN_H

#include "setup/assemble.h"

struct handover;

/* Ignore SIGUSR1 until the worker handles it.  Before that, there are no open
 * files, and the signal would end the process. */
void worker_main_ignore_reopen(void);

/* In the child process: read the configuration, send READY over the channel,
 * wait for GO, and work.  Returns the exit code; errors have been printed. */
int worker_main_supervised(const struct assemble_opts *, int channel,
			   const struct handover *);

/* --no-supervisor: open the endpoints and work.  Returns the exit code. */
int worker_main_alone(const struct assemble_opts *);

/* --dry-run: read the configuration and report the result.  Returns the exit
 * code. */
int worker_main_dry_run(const struct assemble_opts *);

#endif
