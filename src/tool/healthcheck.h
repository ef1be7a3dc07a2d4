/* SPDX-License-Identifier: Apache-2.0 */
/* healthcheck - `sluiced healthcheck`: does the running sluiced answer?
 *
 * For a container's HEALTHCHECK, where there is no shell and no curl: asks
 * the HTTP server of the configuration for /api/v1/health. */
#ifndef TOOL_HEALTHCHECK_H
#define TOOL_HEALTHCHECK_H

#include "setup/assemble.h"

/* 0 when it answered 200, else an exit code, said on standard error. */
int healthcheck(const struct assemble_opts *);

#endif
