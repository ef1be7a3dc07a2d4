/* SPDX-License-Identifier: Apache-2.0 */
/* output_probe - finds out once whether the outputs can be written.
 *
 * A pod whose output directory is not writable must not become ready: a
 * rolling update then stops by itself.  So the readiness probe fails until a
 * write to each root of setup/output_roots.h has succeeded (status/status.h).
 * Later failures of a disk do not affect readiness, because a gateway should
 * not go out of service for its log.
 *
 * A separate thread tries every second, because a write may hang.  If the
 * thread hangs when the process ends, the process waits at most a second for
 * it. */
#ifndef SETUP_OUTPUT_PROBE_H
#define SETUP_OUTPUT_PROBE_H

#include <stdbool.h>

#include "base/err.h"

struct conf;
struct output_probe;

/* Start the thread.  It calls on_good(data) when a write to each root has
 * succeeded, unless output_probe_stop was called before.  NULL on failure. */
struct output_probe *output_probe_start(const struct conf *,
					void (*on_good)(void *), void *data,
					struct err *);

/* Whether a write to each root has succeeded.  If not, *e says why. */
bool output_probe_is_good(struct output_probe *, struct err *e) MUST_USE;

/* Waits up to a second for the thread.  NULL is allowed. */
void output_probe_stop(struct output_probe *);

#endif
