/* SPDX-License-Identifier: Apache-2.0 */
#include "status/fluentbit_v2.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "pipeline/pipeline.h"
#include "status/fluentbit_v1.h"
#include "status/metrics.h"
#include "status/worker_counts.h"

/* What a sample is about: an input, a filter or an output, whose pointer is
 * set, or the process, if all three are NULL. */
struct subject {
	const struct metrics *metrics;
	const struct decoder_view *input;
	const struct filter_view *filter;
	bool is_emitter; /* about the hidden input of the filter */
	const struct sink_view *output;
};

typedef uint64_t (*figure_fn)(const struct subject *);

static uint64_t uptime(const struct subject *s)
{
	return (uint64_t)s->metrics->uptime_s;
}

static uint64_t started(const struct subject *s)
{
	return (uint64_t)s->metrics->started_s;
}

static uint64_t reloads(const struct subject *s)
{
	return s->metrics->worker_counts->reloads_done;
}

static uint64_t input_bytes(const struct subject *s)
{
	return s->is_emitter ? 0 : s->input->stats.bytes_total;
}

static uint64_t input_records(const struct subject *s)
{
	return s->is_emitter ? s->filter->stats.restarted_total
			     : s->input->stats.records_total;
}

/* For metrics that are always 0: sluiced never pauses an input and counts no
 * retried records. */
static uint64_t none(const struct subject *s)
{
	(void)s;
	return 0;
}

static uint64_t filter_records(const struct subject *s)
{
	return s->filter->stats.records_total;
}

static uint64_t filter_added(const struct subject *s)
{
	return s->filter->stats.added_total;
}

static uint64_t filter_dropped(const struct subject *s)
{
	return s->filter->stats.dropped_total;
}

static uint64_t filter_emitted(const struct subject *s)
{
	return s->filter->stats.restarted_total;
}

static uint64_t output_records(const struct subject *s)
{
	return s->output->stats.lines_written_total;
}

static uint64_t output_bytes(const struct subject *s)
{
	return s->output->stats.bytes_written_total;
}

static uint64_t output_errors(const struct subject *s)
{
	return s->output->stats.errors_total;
}

static uint64_t output_retries(const struct subject *s)
{
	return s->output->stats.retries_total;
}

static uint64_t output_retries_failed(const struct subject *s)
{
	return s->output->stats.lines_dropped_total[DROP_write_failed];
}

static uint64_t output_dropped(const struct subject *s)
{
	uint64_t dropped = 0;
	for (size_t r = 0; r < DROP_REASON_COUNT; r++)
		dropped += s->output->stats.lines_dropped_total[r];
	return dropped;
}

/* Which subjects a metric has a sample for. */
enum scope {
	SCOPE_PROCESS,
	SCOPE_BUILD,
	SCOPE_INPUT,
	SCOPE_FILTER,
	SCOPE_EMITTING, /* filters with an emitter, like rewrite_tag */
	SCOPE_OUTPUT,
};

/* In Fluent Bit's order. */
static const struct metric {
	const char *name;
	const char *type;
	enum scope scope;
	figure_fn figure;
	const char *help;
} list[] = {
	{"uptime", "counter", SCOPE_PROCESS, uptime,
	 "Number of seconds that Fluent Bit has been running."},
	{"hot_reloaded_times", "counter", SCOPE_PROCESS, reloads,
	 "Collect the count of hot reloaded times."},
	{"input_bytes_total", "counter", SCOPE_INPUT, input_bytes,
	 "Number of input bytes."},
	{"input_records_total", "counter", SCOPE_INPUT, input_records,
	 "Number of input records."},
	{"filter_records_total", "counter", SCOPE_FILTER, filter_records,
	 "Total number of new records processed."},
	{"filter_add_records_total", "counter", SCOPE_FILTER, filter_added,
	 "Total number of new added records."},
	{"filter_drop_records_total", "counter", SCOPE_FILTER, filter_dropped,
	 "Total number of dropped records."},
	{"filter_emit_records_total", "counter", SCOPE_EMITTING, filter_emitted,
	 "Total number of emitted records"},
	{"output_proc_records_total", "counter", SCOPE_OUTPUT, output_records,
	 "Number of processed output records."},
	{"output_proc_bytes_total", "counter", SCOPE_OUTPUT, output_bytes,
	 "Number of processed output bytes."},
	{"output_errors_total", "counter", SCOPE_OUTPUT, output_errors,
	 "Number of output errors."},
	{"output_retries_total", "counter", SCOPE_OUTPUT, output_retries,
	 "Number of output retries."},
	{"output_retries_failed_total", "counter", SCOPE_OUTPUT,
	 output_retries_failed,
	 "Number of abandoned batches because the maximum number of re-tries "
	 "was reached."},
	{"output_dropped_records_total", "counter", SCOPE_OUTPUT,
	 output_dropped, "Number of dropped records."},
	{"output_retried_records_total", "counter", SCOPE_OUTPUT, none,
	 "Number of retried records."},
	{"process_start_time_seconds", "gauge", SCOPE_PROCESS, started,
	 "Start time of the process since unix epoch in seconds."},
	{"build_info", "gauge", SCOPE_BUILD, started,
	 "Build version information."},
	{"input_ingestion_paused", "gauge", SCOPE_INPUT, none,
	 "Is the input paused or not?"},
};

struct writer {
	struct buf *out;
	const struct metric *metric;
	char stamp[48]; /* begins each line of the text format; empty for
	                 * Prometheus */
	char hostname[HOST_NAME_MAX + 1];
};

static void put_name(const struct writer *w, const char *prefix,
		     const char *name)
{
	buf_put_text(w->out, "name=\"");
	metrics_put_label(w->out, prefix);
	metrics_put_label(w->out, name);
}

static void put_labels(const struct writer *w, const struct subject *s)
{
	if (s->is_emitter) {
		const char *prefix;
		const char *name = fluentbit_v1_emitter(s->filter, &prefix);
		put_name(w, prefix, name);
	} else if (s->filter != NULL) {
		put_name(w, "", s->filter->name);
	} else if (s->input != NULL) {
		put_name(w, "", s->input->name);
	} else if (s->output != NULL) {
		put_name(w, "", s->output->name);
	} else {
		buf_put_text(w->out, "hostname=\"");
		metrics_put_label(w->out, w->hostname);
	}
	if (w->metric->scope == SCOPE_BUILD)
		buf_put_text(w->out, "\",version=\"" FLUENTBIT_V2_VERSION
				     "\",os=\"linux");
}

static void put_sample(const struct writer *w, const struct subject *s)
{
	buf_printf(w->out, "%sfluentbit_%s{", w->stamp, w->metric->name);
	put_labels(w, s);
	buf_printf(w->out, "\"}%s %" PRIu64 "\n",
		   w->stamp[0] != '\0' ? " =" : "", w->metric->figure(s));
}

static void put_inputs(const struct writer *w, struct subject s)
{
	const struct pipeline_view *v = s.metrics->view;
	for (size_t i = 0; i < v->decoder_count; i++) {
		s.input = &v->decoders[i];
		put_sample(w, &s);
	}
	s.input = NULL;
	s.is_emitter = true;
	for (size_t i = 0; i < v->filter_count; i++) {
		s.filter = &v->filters[i];
		if (fluentbit_v1_has_emitter(s.filter))
			put_sample(w, &s);
	}
}

static void put_metric(const struct writer *w, struct subject s)
{
	const struct pipeline_view *v = s.metrics->view;
	enum scope scope = w->metric->scope;
	if (scope == SCOPE_PROCESS || scope == SCOPE_BUILD)
		put_sample(w, &s);
	if (scope == SCOPE_INPUT)
		put_inputs(w, s);
	for (size_t i = 0; scope == SCOPE_OUTPUT && i < v->sink_count; i++) {
		s.output = &v->sinks[i];
		if (!s.output->is_dead_letter)
			put_sample(w, &s);
	}
	if (scope != SCOPE_FILTER && scope != SCOPE_EMITTING)
		return;
	for (size_t i = 0; i < v->filter_count; i++) {
		s.filter = &v->filters[i];
		if (scope == SCOPE_FILTER || fluentbit_v1_has_emitter(s.filter))
			put_sample(w, &s);
	}
}

/* Whether the metric has no samples, because its scope contains no filter. */
static bool is_empty(const struct metric *metric, const struct metrics *m)
{
	bool has_emitter = false;
	for (size_t i = 0; i < m->view->filter_count; i++)
		has_emitter |= fluentbit_v1_has_emitter(&m->view->filters[i]);
	return (metric->scope == SCOPE_FILTER && m->view->filter_count == 0) ||
	       (metric->scope == SCOPE_EMITTING && !has_emitter);
}

static void put_all(struct writer *w, const struct metrics *m)
{
	const struct subject whole = {.metrics = m};
	if (gethostname(w->hostname, sizeof w->hostname) < 0)
		snprintf(w->hostname, sizeof w->hostname, "unknown");
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		w->metric = &list[i];
		if (is_empty(w->metric, m))
			continue;
		if (w->stamp[0] == '\0')
			buf_printf(w->out,
				   "# HELP fluentbit_%s %s\n"
				   "# TYPE fluentbit_%s %s\n",
				   list[i].name, list[i].help, list[i].name,
				   list[i].type);
		put_metric(w, whole);
	}
}

void fluentbit_v2_put_prometheus(struct buf *b, const struct metrics *m)
{
	struct writer w = {.out = b};
	put_all(&w, m);
}

void fluentbit_v2_put_text(struct buf *b, const struct metrics *m)
{
	struct writer w = {.out = b};
	time_t s = (time_t)(m->now_ms / 1000);
	struct tm tm;
	gmtime_r(&s, &tm);
	size_t len =
		strftime(w.stamp, sizeof w.stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(w.stamp + len, sizeof w.stamp - len, ".%03d000000Z ",
		 (int)(m->now_ms % 1000));
	put_all(&w, m);
}
