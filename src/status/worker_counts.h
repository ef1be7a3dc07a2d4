/* SPDX-License-Identifier: Apache-2.0 */
/* worker_counts - the supervisor's counters of its workers, for the metrics.
 * Plain data: it travels from process to process. */
#ifndef STATUS_WORKER_COUNTS_H
#define STATUS_WORKER_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct worker_counts {
	uint64_t reloads_done;
	uint64_t reloads_failed;
	uint64_t deaths; /* of workers */
	/* The outputs have taken a write once, from this worker or an earlier
	 * one: see setup/output_probe.h. */
	bool are_outputs_good;
};

#endif
