/* SPDX-License-Identifier: Apache-2.0 */
/* http_listen - the listening socket of the HTTP server. */
#ifndef INTAKE_HTTP_LISTEN_H
#define INTAKE_HTTP_LISTEN_H

#include <stdint.h>

#include "base/err.h"

/* Listen at an address (not a name), port 0 for one that the kernel chooses,
 * and say where.  The descriptor, -1 on failure.  A port in use is an error:
 * SO_REUSEPORT would hide it. */
int http_listen(const char *address, uint16_t port, struct err *);

#endif
