/* SPDX-License-Identifier: Apache-2.0 */
/* metrics - all counters of sluiced as Prometheus text.
 *
 * Modules count in plain structs of their own; this module reads and names
 * them.  At every moment the accounting equation holds, in messages:
 *     received = written + dropped{reason} + dead_lettered + queued */
#ifndef STATUS_METRICS_H
#define STATUS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/message.h"

struct buf;
struct journal_stats;
struct worker_counts;
struct pipeline_view;
struct socket_stats;

struct metrics_input {
	const char *name;
	const struct socket_stats *socket;
	unsigned queue_length;
	bool counts_kernel_drops; /* only for UDP does the kernel count drops */
};

/* The health of the outputs within the last HC_Period. */
struct metrics_health {
	bool is_checked; /* Health_Check */
	bool is_stuck;	 /* a message takes too long, or has killed a worker */
	bool is_good;
	uint64_t errors;
	uint64_t dropped; /* lines */
	int64_t errors_max;
	int64_t dropped_max;
	int64_t period_s;
};

/* All figures at one moment; borrowed. */
struct metrics {
	const struct pipeline_view *view;
	const struct journal_stats *journal;
	size_t journal_pending_bytes;
	size_t journal_ring_bytes;
	const struct metrics_input *inputs;
	size_t input_count;
	const struct worker_counts *worker_counts;
	int64_t uptime_s;
	int64_t started_s; /* since 1970 */
	int64_t now_ms;
	struct metrics_health health;
	const char *hanging;	  /* the file whose write hangs; NULL: none */
	const char *not_ready;	  /* the reason; NULL: the pod is ready */
	bool has_storage_metrics; /* storage.metrics */
};

/* The terms of the accounting equation, in messages. */
struct metrics_balance {
	uint64_t received;
	uint64_t written;
	uint64_t dropped[DROP_REASON_COUNT];
	uint64_t dead_lettered;
	uint64_t queued;
};

/* Add up the terms. */
struct metrics_balance metrics_balance(const struct metrics *);

/* The output of git describe at build time, or "0.1.0". */
const char *metrics_version(void);

/* Append the value of a label with Prometheus' escapes. */
void metrics_put_label(struct buf *, const char *value);

/* Append the text of /metrics. */
void metrics_put(struct buf *, const struct metrics *);

#endif
