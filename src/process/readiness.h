/* SPDX-License-Identifier: Apache-2.0 */
/* readiness - a worker's part in setup/output_probe.h: the first worker finds
 * out whether the outputs can be written, and the supervisor passes this on to
 * the later workers, so that a pod that was ready stays ready. */
#ifndef PROCESS_READINESS_H
#define PROCESS_READINESS_H

#include <uv.h>

#include "base/check.h"
#include "base/err.h"

struct conf;
struct output_probe;
struct worker_counts;

struct readiness {
	struct output_probe *probe; /* NULL: the outputs were good before */
	uv_async_t good;
	int channel;
	struct worker_counts *counts; /* are_outputs_good is set in it */
};

/* Begin, unless counts->are_outputs_good.  The caller has set `counts` and
 * `channel` (to the supervisor, or -1).  False on failure. */
bool readiness_start(struct readiness *, uv_loop_t *, const struct conf *,
		     struct err *) MUST_USE;

/* Call this after the last HTTP answer, before the handles are closed. */
void readiness_stop(struct readiness *);

#endif
