/* SPDX-License-Identifier: Apache-2.0 */
/* healthcheck - `sluiced healthcheck -c FILE`: does the running sluiced answer?
 *
 * For a container's HEALTHCHECK, where there is neither shell nor curl.  It
 * asks the HTTP server of the configuration for /api/v1/health. */
#ifndef TOOL_HEALTHCHECK_H
#define TOOL_HEALTHCHECK_H

#include "tool/commands.h"

/* 0 if the answer was 200.  Otherwise an exit code; the reason is printed on
 * standard error. */
int healthcheck(const struct command_args *);

#endif
