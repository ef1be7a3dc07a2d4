/* SPDX-License-Identifier: Apache-2.0 */
#include "status/fluentbit_v1.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "pipeline/pipeline.h"
#include "status/metrics.h"

struct figure {
	const char *name;
	uint64_t value;
};

enum { FIGURES_MAX = 8 };

/* The counters of one input, filter or output. */
struct stats_block {
	const char *kind;
	char name[128];
	struct figure figures[FIGURES_MAX];
	size_t count;
};

static void add(struct stats_block *b, const char *name, uint64_t value)
{
	b->figures[b->count++] = (struct figure){name, value};
}

static struct stats_block block_of(const char *kind, const char *prefix,
				   const char *name)
{
	struct stats_block b = {.kind = kind};
	snprintf(b.name, sizeof b.name, "%s%s", prefix, name);
	return b;
}

bool fluentbit_v1_has_emitter(const struct filter_view *f)
{
	return f->ops->has_emitter;
}

const char *fluentbit_v1_emitter(const struct filter_view *f,
				 const char **prefix)
{
	*prefix = f->emitter != NULL ? "" : "emitter_for_";
	return f->emitter != NULL ? f->emitter : f->name;
}

static struct stats_block block_of_filter(const struct filter_view *f)
{
	struct stats_block b = block_of("filter", "", f->name);
	add(&b, "drop_records", f->stats.dropped_total);
	add(&b, "add_records", f->stats.added_total);
	if (fluentbit_v1_has_emitter(f))
		add(&b, "emit_records", f->stats.restarted_total);
	return b;
}

static struct stats_block block_of_sink(const struct sink_view *s)
{
	uint64_t dropped = 0;
	for (size_t r = 0; r < DROP_REASON_COUNT; r++)
		dropped += s->stats.lines_dropped_total[r];
	struct stats_block b = block_of("output", "", s->name);
	add(&b, "proc_records", s->stats.lines_written_total);
	add(&b, "proc_bytes", s->stats.bytes_written_total);
	add(&b, "errors", s->stats.errors_total);
	add(&b, "retries", s->stats.retries_total);
	add(&b, "retries_failed",
	    s->stats.lines_dropped_total[DROP_write_failed]);
	add(&b, "dropped_records", dropped);
	add(&b, "retried_records", 0);
	return b;
}

static struct stats_block block_of_input(const struct decoder_view *d)
{
	struct stats_block b = block_of("input", "", d->name);
	add(&b, "records", d->stats.records_total);
	add(&b, "bytes", d->stats.bytes_total);
	return b;
}

static struct stats_block block_of_emitter(const struct filter_view *f)
{
	const char *prefix, *name = fluentbit_v1_emitter(f, &prefix);
	struct stats_block b = block_of("input", prefix, name);
	add(&b, "records", f->stats.restarted_total);
	add(&b, "bytes", 0);
	return b;
}

static size_t blocks_of(const struct pipeline_view *v,
			struct stats_block *blocks)
{
	size_t n = 0;
	for (size_t i = 0; i < v->decoder_count; i++)
		blocks[n++] = block_of_input(&v->decoders[i]);
	for (size_t i = 0; i < v->filter_count; i++)
		if (fluentbit_v1_has_emitter(&v->filters[i]))
			blocks[n++] = block_of_emitter(&v->filters[i]);
	for (size_t i = 0; i < v->filter_count; i++)
		blocks[n++] = block_of_filter(&v->filters[i]);
	for (size_t i = 0; i < v->sink_count; i++)
		if (!v->sinks[i].is_dead_letter)
			blocks[n++] = block_of_sink(&v->sinks[i]);
	return n;
}

static struct stats_block *blocks_new(const struct pipeline_view *v,
				      size_t *count)
{
	struct stats_block *blocks =
		mem_new(v->decoder_count + v->filter_count * 2 + v->sink_count,
			sizeof *blocks);
	*count = blocks_of(v, blocks);
	return blocks;
}

static void gen_text(yajl_gen g, const char *text)
{
	yajl_gen_string(g, (const unsigned char *)text, strlen(text));
}

static void gen_kind(yajl_gen g, const char *kind,
		     const struct stats_block *blocks, size_t count)
{
	gen_text(g, kind);
	yajl_gen_map_open(g);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(blocks[i].kind, kind) != 0)
			continue;
		gen_text(g, blocks[i].name);
		yajl_gen_map_open(g);
		for (size_t f = 0; f < blocks[i].count; f++) {
			gen_text(g, blocks[i].figures[f].name);
			yajl_gen_integer(g,
					 (long long)blocks[i].figures[f].value);
		}
		yajl_gen_map_close(g);
	}
	yajl_gen_map_close(g);
}

void fluentbit_v1_put_json(struct buf *b, const struct metrics *m)
{
	size_t count;
	struct stats_block *blocks = blocks_new(m->view, &count);
	yajl_gen g = yajl_gen_alloc(NULL);
	CHECK(g != NULL);
	yajl_gen_map_open(g);
	gen_kind(g, "input", blocks, count);
	gen_kind(g, "filter", blocks, count);
	gen_kind(g, "output", blocks, count);
	yajl_gen_map_close(g);
	const unsigned char *text;
	size_t len;
	yajl_gen_get_buf(g, &text, &len);
	buf_put(b, (const char *)text, len);
	yajl_gen_free(g);
	free(blocks);
}

static struct buf sample_of(const struct stats_block *block,
			    const struct figure *figure, int64_t now_ms)
{
	struct buf sample = {0};
	buf_printf(&sample, "fluentbit_%s_%s_total{name=\"", block->kind,
		   figure->name);
	metrics_put_label(&sample, block->name);
	buf_printf(&sample, "\"} %" PRIu64 " %" PRId64 "\n", figure->value,
		   now_ms);
	buf_text(&sample);
	return sample;
}

static int compare_samples(const void *a, const void *b)
{
	return strcmp(((const struct buf *)a)->ptr,
		      ((const struct buf *)b)->ptr);
}

/* The length of the metric's name: the sample's text up to its label. */
static size_t name_length(const struct buf *sample)
{
	return strcspn(sample->ptr, "{");
}

static const char *help_of(const char *name, size_t len)
{
	static const struct {
		const char *name;
		const char *help;
	} helps[] = {
		{"fluentbit_input_bytes_total", "Number of input bytes."},
		{"fluentbit_input_records_total", "Number of input records."},
		{"fluentbit_output_errors_total", "Number of output errors."},
		{"fluentbit_output_retries_total", "Number of output retries."},
		{"fluentbit_output_retries_failed_total",
		 "Number of abandoned batches because the maximum number of "
		 "re-tries was reached."},
		{"fluentbit_output_proc_records_total",
		 "Number of processed output records."},
		{"fluentbit_output_proc_bytes_total",
		 "Number of processed output bytes."},
		{"fluentbit_output_dropped_records_total",
		 "Number of dropped records."},
		{"fluentbit_output_retried_records_total",
		 "Number of retried records."},
	};
	for (size_t i = 0; i < sizeof helps / sizeof *helps; i++)
		if (strlen(helps[i].name) == len &&
		    memcmp(helps[i].name, name, len) == 0)
			return helps[i].help;
	return "Fluentbit metrics.";
}

/* Append the samples sorted, with # HELP and # TYPE before each metric. */
static void put_samples(struct buf *b, struct buf *samples, size_t count)
{
	qsort(samples, count, sizeof *samples, compare_samples);
	for (size_t i = 0; i < count; i++) {
		const char *text = samples[i].ptr;
		int len = (int)name_length(&samples[i]);
		if (i == 0 || (size_t)len != name_length(&samples[i - 1]) ||
		    strncmp(text, samples[i - 1].ptr, (size_t)len) != 0)
			buf_printf(b,
				   "# HELP %.*s %s\n"
				   "# TYPE %.*s counter\n",
				   len, text, help_of(text, (size_t)len), len,
				   text);
		buf_put_text(b, text);
	}
}

void fluentbit_v1_put_prometheus(struct buf *b, const struct metrics *m)
{
	size_t count, used = 0;
	struct stats_block *blocks = blocks_new(m->view, &count);
	struct buf *samples = mem_new(count * FIGURES_MAX, sizeof *samples);
	for (size_t i = 0; i < count; i++)
		for (size_t f = 0; f < blocks[i].count; f++)
			samples[used++] = sample_of(
				&blocks[i], &blocks[i].figures[f], m->now_ms);
	put_samples(b, samples, used);
	for (size_t i = 0; i < used; i++)
		buf_fini(&samples[i]);
	free(samples);
	free(blocks);
	buf_printf(b,
		   "# HELP fluentbit_uptime Number of seconds that Fluent Bit "
		   "has been running.\n"
		   "# TYPE fluentbit_uptime counter\n"
		   "fluentbit_uptime %" PRId64 "\n"
		   "# HELP process_start_time_seconds Start time of the "
		   "process since unix epoch in seconds.\n"
		   "# TYPE process_start_time_seconds gauge\n"
		   "process_start_time_seconds %" PRId64 "\n"
		   "# HELP fluentbit_build_info Build version information.\n"
		   "# TYPE fluentbit_build_info gauge\n"
		   "fluentbit_build_info{version=\"" FLUENTBIT_V1_VERSION
		   "\",edition=\"Community\"} 1\n",
		   m->uptime_s, m->started_s);
}
