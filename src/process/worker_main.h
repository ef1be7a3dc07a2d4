/* SPDX-License-Identifier: Apache-2.0 */
/* launch - how a worker comes to work: under a supervisor, or alone. */
#ifndef PROCESS_WORKER_MAIN_H
#define PROCESS_WORKER_MAIN_H

#include "setup/assemble.h"

struct handover;

/* In the child: assemble, say READY over the link, wait for GO, work.  The
 * process's exit code; errors have been printed. */
int worker_main_supervised(const struct assemble_opts *, int channel,
			   const struct handover *);

/* --no-supervisor: open the endpoints and work. */
int worker_main_alone(const struct assemble_opts *);

/* --dry-run: assemble, say so. */
int worker_main_dry_run(const struct assemble_opts *);

#endif
