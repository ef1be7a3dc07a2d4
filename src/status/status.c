/* SPDX-License-Identifier: Apache-2.0 */
#include "status/status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/journal.h"
#include "pipeline/pipeline.h"
#include "setup/output_probe.h"
#include "setup/settings.h"
#include "status/fluentbit_api.h"
#include "status/http.h"

struct failures { /* of all outputs, since the start */
	uint64_t errors;
	uint64_t dropped;
};

struct status {
	struct status_opts opts;
	struct failures before[STATUS_STEPS]; /* a ring, one per step */
	size_t oldest;	    /* index of the failures when the period began */
	int64_t started_ns; /* monotonic */
	int64_t started_real_ns;
	bool is_stuck;
	enum reload_outcome outcome; /* of the last reload over HTTP */
};

static struct metrics begin(const struct status *s)
{
	const struct status_opts *o = &s->opts;
	return (struct metrics){
		.view = pipeline_view_begin(o->pipeline),
		.journal = journal_stats(o->journal),
		.journal_pending_bytes = journal_pending_bytes(o->journal),
		.journal_ring_bytes = journal_ring_bytes(o->journal),
		.inputs = o->inputs,
		.input_count = o->input_count,
		.worker_counts = o->worker_counts,
		.has_storage_metrics = o->settings->storage_metrics,
		.uptime_s = (clock_mono_ns() - s->started_ns) / NS_PER_S,
		.started_s = s->started_real_ns / NS_PER_S,
		.now_ms = clock_real_ns() / NS_PER_MS,
	};
}

static struct failures failures_in(const struct pipeline_view *v)
{
	struct failures now = {0};
	for (size_t i = 0; i < v->sink_count; i++) {
		const struct sink_stats *s = &v->sinks[i].stats;
		now.errors += s->errors_total;
		now.dropped += s->lines_dropped_total[DROP_write_failed];
	}
	return now;
}

/* As in Fluent Bit, health is bad if the failures grew by more than the limit
 * within the last HC_Period.  An output that hangs reports no failures. */
static struct metrics_health health_of(const struct status *s,
				       const struct pipeline_view *v)
{
	const struct settings *set = s->opts.settings;
	const struct failures *before = &s->before[s->oldest];
	struct failures now = failures_in(v);
	struct metrics_health health = {
		.is_checked = set->health_check,
		.errors = now.errors - before->errors,
		.dropped = now.dropped - before->dropped,
		.errors_max = set->health_errors_max,
		.dropped_max = set->health_retries_max,
		.period_s = (int64_t)set->health_period_s,
	};
	health.is_stuck = s->is_stuck || v->has_suspects;
	bool is_failing = health.errors > (uint64_t)health.errors_max ||
			  health.dropped > (uint64_t)health.dropped_max ||
			  v->is_hanging;
	health.is_good = !health.is_stuck && !(set->health_check && is_failing);
	return health;
}

struct status *status_new(const struct status_opts *opts)
{
	struct status *s = mem_new(1, sizeof *s);
	s->opts = *opts;
	s->started_ns = clock_mono_ns();
	s->started_real_ns = clock_real_ns();
	for (size_t i = 0; i < STATUS_STEPS; i++)
		status_tick(s);
	return s;
}

void status_free(struct status *s)
{
	free(s);
}

void status_set_stuck(struct status *s, bool is_stuck)
{
	s->is_stuck = is_stuck;
}

void status_tick(struct status *s)
{
	const struct pipeline_view *v = pipeline_view_begin(s->opts.pipeline);
	s->before[s->oldest] = failures_in(v);
	pipeline_view_end(s->opts.pipeline);
	s->oldest = (s->oldest + 1) % STATUS_STEPS;
}

uint64_t status_tick_ms(const struct status *s)
{
	double ms = s->opts.settings->health_period_s * 1000 / STATUS_STEPS;
	return ms < 1 ? 1 : (uint64_t)ms;
}

void status_reload_ended(struct status *s, enum reload_outcome outcome)
{
	s->outcome = outcome;
}

static void put_reload(struct http_answer *answer, const char *word, int status)
{
	buf_printf(&answer->body, "{\"reload\":\"%s\",\"status\":%d}", word,
		   status);
}

static int64_t retry_after_s(const struct status *s)
{
	int64_t left_ns = *s->opts.reload_from_ns - clock_mono_ns();
	return left_ns > 0 ? (left_ns + NS_PER_S - 1) / NS_PER_S : 1;
}

static void put_outcome(const struct status *s, struct http_answer *answer,
			enum reload_outcome outcome)
{
	if (outcome == RELOAD_DONE) {
		put_reload(answer, "done", 0);
	} else if (outcome == RELOAD_IMPOSSIBLE) {
		put_reload(answer, "not enabled", -1);
	} else if (outcome == RELOAD_FAILED) {
		answer->status = 500;
		put_reload(answer, "failed", -3);
	} else if (outcome == RELOAD_TOO_SOON) {
		answer->status = 429;
		answer->retry_after_s = retry_after_s(s);
		put_reload(answer, "too soon", -4);
	} else {
		answer->status = 400;
		put_reload(answer, "in progress", -2);
	}
}

static void request_reload(struct status *s, struct http_answer *answer)
{
	enum reload_outcome outcome = RELOAD_IMPOSSIBLE;
	if (s->opts.settings->hot_reload)
		outcome = s->opts.on_reload(s->opts.data);
	if (outcome != RELOAD_PENDING) {
		put_outcome(s, answer, outcome);
		return;
	}
	s->outcome = RELOAD_PENDING;
	answer->is_pending = true;
}

/* The answers are those of Fluent Bit 5.1, except that Fluent Bit does not wait
 * for the outcome and never answers "failed" or "too soon". */
static void answer_reload(struct status *s, const struct http_request *request,
			  struct http_answer *answer)
{
	bool is_request = strcmp(request->method, "POST") == 0 ||
			  strcmp(request->method, "PUT") == 0;
	answer->content_type = "application/json";
	if (strcmp(request->method, "GET") == 0) {
		buf_printf(&answer->body, "{\"hot_reload_count\":%" PRIu64 "}",
			   s->opts.worker_counts->reloads_done);
	} else if (!is_request) {
		answer->status = 405;
		answer->content_type = NULL;
		answer->allow = "GET, POST, PUT";
	} else if (request->is_resumed) {
		put_outcome(s, answer, s->outcome);
	} else if (s->outcome == RELOAD_PENDING || request->must_not_wait) {
		put_outcome(s, answer, RELOAD_PENDING);
	} else {
		request_reload(s, answer);
	}
}

static bool are_outputs_good(const struct status *s, struct err *why)
{
	return s->opts.output_probe == NULL ||
	       s->opts.worker_counts->are_outputs_good ||
	       output_probe_is_good(s->opts.output_probe, why);
}

void status_answer(struct status *s, const struct http_request *request,
		   struct http_answer *answer)
{
	if (strcmp(request->path, "/api/v2/reload") == 0) {
		answer_reload(s, request, answer);
		return;
	}
	struct metrics m = begin(s);
	struct err why;
	m.health = health_of(s, m.view);
	struct output_work at;
	(void)!pipeline_output_work(s->opts.pipeline, &at);
	if (m.view->is_hanging && at.path[0] != '\0')
		m.hanging = at.path;
	if (!are_outputs_good(s, &why))
		m.not_ready = why.text;
	if (strcmp(request->path, "/metrics") == 0) {
		answer->content_type = "text/plain; version=0.0.4";
		metrics_put(&answer->body, &m);
	} else {
		fluentbit_api_answer(&m, request, answer);
	}
	pipeline_view_end(s->opts.pipeline);
}

static uint64_t lines_queued_in(const struct pipeline_view *v)
{
	uint64_t lines = 0;
	for (size_t i = 0; i < v->sink_count; i++)
		lines += v->sinks[i].stats.lines_queued;
	return lines;
}

void status_log_final_counts(struct status *s)
{
	struct metrics m = begin(s);
	struct metrics_balance sum = metrics_balance(&m);
	uint64_t lines_queued = lines_queued_in(m.view);
	pipeline_view_end(s->opts.pipeline);
	uint64_t dropped = 0;
	for (size_t i = 0; i < DROP_REASON_COUNT; i++)
		dropped += sum.dropped[i];
	bool is_loss = sum.dropped[DROP_write_failed] > 0;
	bool is_rest = sum.queued > 0 || lines_queued > 0;
	bool is_in_memory = s->opts.settings->storage_in_memory;
	log_line(is_loss || (is_rest && is_in_memory) ? LOG_ERROR
		 : is_rest			      ? LOG_WARN
						      : LOG_INFO,
		 "worker",
		 "state=stopped received=%" PRIu64 " written=%" PRIu64
		 " dropped=%" PRIu64 " dead_lettered=%" PRIu64
		 " queued=%" PRIu64 " lines_queued=%" PRIu64 "%s",
		 sum.received, sum.written, dropped, sum.dead_lettered,
		 sum.queued, lines_queued,
		 !is_rest ? ""
		 : is_in_memory
			 ? " action=\"the queued messages and lines are "
			   "lost, because the journal is in memory\""
			 : " action=\"the journal keeps the messages that are "
			   "not yet processed, and spills keep the lines that "
			   "wait for their files; sluiced writes both after a "
			   "restart with the same storage.path\"");
}
