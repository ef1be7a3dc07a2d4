/* SPDX-License-Identifier: Apache-2.0 */
/* worker_counts - the supervisor's counters of its workers, for the metrics.
 * Plain data: the processes send it to each other. */
#ifndef STATUS_WORKER_COUNTS_H
#define STATUS_WORKER_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct worker_counts {
	uint64_t reloads_done;
	uint64_t reloads_failed;
	uint64_t reloads_too_soon; /* refused, over HTTP */
	uint64_t deaths;	   /* of workers */
	/* All outputs have accepted a test write of this worker or an earlier
	 * one (setup/output_probe.h). */
	bool are_outputs_good;
};

#endif
