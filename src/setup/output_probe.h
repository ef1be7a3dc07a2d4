/* SPDX-License-Identifier: Apache-2.0 */
/* output_probe - finds out once whether the outputs can be written.
 *
 * A pod whose output directory is not writable must not become ready: a
 * rolling update then stops by itself.  So until each root of
 * setup/output_roots.h has taken a write, the readiness probe fails
 * (status/status.h).  Later failures of a disk do not matter for it, because
 * a gateway should not go out of service for its log.
 *
 * A thread of its own tries every second, because a disk may hang.  A thread
 * that hangs in the disk when the process ends is left behind. */
#ifndef SETUP_OUTPUT_PROBE_H
#define SETUP_OUTPUT_PROBE_H

#include <stdbool.h>

#include "base/err.h"

struct conf;
struct output_probe;

/* Begin.  on_good(data) is called from the other thread when all roots are
 * good, unless output_probe_stop was called before.  NULL on failure. */
struct output_probe *output_probe_start(const struct conf *,
					void (*on_good)(void *), void *data,
					struct err *);

/* Whether all roots have taken a write.  If not, *e says why. */
bool output_probe_is_good(struct output_probe *, struct err *e) MUST_USE;

/* Waits up to a second for the other thread.  NULL is allowed. */
void output_probe_stop(struct output_probe *);

#endif
