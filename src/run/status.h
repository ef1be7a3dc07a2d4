/* SPDX-License-Identifier: Apache-2.0 */
/* status - what a worker tells about itself: HTTP answers and last words. */
#ifndef RUN_STATUS_H
#define RUN_STATUS_H

#include <stdint.h>

#include "run/link.h"
#include "run/metrics.h"

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
	const struct link_tally *tally;
	void (*on_reload)(void *); /* asked for over HTTP */
	void *data;
};

struct status;

struct status *status_new(const struct status_opts *);
void status_free(struct status *);

/* Health_Check: the period begins anew. */
void status_tick(struct status *);

void status_answer(struct status *, const struct http_request *,
		   struct http_answer *);

/* "stopped received=... written=..." */
void status_say_last_word(struct status *);

#endif
