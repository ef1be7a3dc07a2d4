/* SPDX-License-Identifier: Apache-2.0 */
/* http_listen - the listening socket of the HTTP server. */
#ifndef INTAKE_HTTP_LISTEN_H
#define INTAKE_HTTP_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Listen on a numeric address; with port 0 the kernel chooses a port.  Logs the
 * address and the port.  Returns the descriptor, or -1 on failure.  A port in
 * use is an error; SO_REUSEPORT would hide it.  shares_port: as in struct
 * inet_opts. */
int http_listen(const char *address, uint16_t port, bool shares_port,
		struct err *);

#endif
