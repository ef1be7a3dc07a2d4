/* SPDX-License-Identifier: Apache-2.0 */
/* launch - how a worker comes to work: under a supervisor, or alone. */
#ifndef PROCESS_WORKER_MAIN_H
#define PROCESS_WORKER_MAIN_H

#include "setup/assemble.h"

struct handover;

/* In the child: assemble, say READY over the link, wait for GO, work.  The
 * process's exit code; errors have been printed. */
int launch_worker(const struct assemble_opts *, int link,
		  const struct handover *);

/* --no-supervisor: open the endpoints and work. */
int launch_alone(const struct assemble_opts *);

/* --dry-run: assemble, say so. */
int launch_dry(const struct assemble_opts *);

#endif
