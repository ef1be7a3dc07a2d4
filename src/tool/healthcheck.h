/* SPDX-License-Identifier: Apache-2.0 */
/* healthcheck - `sluiced healthcheck -c FILE`: is the running sluiced healthy?
 *
 * For a container's HEALTHCHECK, because the image has no curl.  The command
 * reads HTTP_Listen and HTTP_Port from the configuration and sends
 * GET /api/v1/health there. */
#ifndef TOOL_HEALTHCHECK_H
#define TOOL_HEALTHCHECK_H

#include "tool/commands.h"

/* Returns 0 if the answer was 200.  Otherwise prints the reason on standard
 * error and returns an exit code.  Waits at most 3 seconds for each step. */
int healthcheck(const struct command_args *);

#endif
