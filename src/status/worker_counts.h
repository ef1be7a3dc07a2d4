/* SPDX-License-Identifier: Apache-2.0 */
/* worker_counts - the supervisor's counters of its workers, for the metrics.
 * Plain data: it travels from process to process. */
#ifndef STATUS_WORKER_COUNTS_H
#define STATUS_WORKER_COUNTS_H

#include <stdint.h>

struct worker_counts {
	uint64_t reloads_done;
	uint64_t reloads_failed;
	uint64_t deaths; /* of workers */
};

#endif
