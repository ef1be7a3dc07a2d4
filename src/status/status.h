/* SPDX-License-Identifier: Apache-2.0 */
/* status - what a worker tells about itself: HTTP answers and last words. */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "status/metrics.h"
#include "status/worker_counts.h"

struct http_answer;
struct http_request;
struct settings;

/* What the answers are made of; all borrowed. */
struct status_opts {
	const struct settings *settings;
	struct journal *journal;
	struct pipeline *pipeline;
	const struct metrics_input *inputs;
	size_t input_count;
	const struct worker_counts *worker_counts;
	bool (*on_reload)(void *); /* asked for over HTTP; false: it cannot */
	void *data;
};

struct status;

struct status *status_new(const struct status_opts *);
void status_free(struct status *);

/* Health_Check: HC_Period goes on by a step, one of STATUS_STEPS.  To be called
 * once in so many milliseconds. */
enum { STATUS_STEPS = 60 };
void status_tick(struct status *);
uint64_t status_tick_ms(const struct status *);

void status_answer(struct status *, const struct http_request *,
		   struct http_answer *);

/* "stopped received=... written=..." */
void status_log_final_counts(struct status *);

#endif
