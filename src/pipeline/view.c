/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/view.h"

#include <stdlib.h>

#include "base/mem.h"
#include "file/dead_letter.h"
#include "filter/chain.h"
#include "journal/journal.h"
#include "output/router.h"
#include "pipeline/counters.h"
#include "pipeline/outputs.h"
#include "pipeline/pipeline.h"

void view_init(struct pipeline_view *v, const struct pipeline_opts *o)
{
	const char *name;
	const struct filter *filter;
	const struct sink *sink;
	while (chain_filter(o->chain, v->filter_count, &name, &filter))
		v->filter_count++;
	while (router_sink(o->router, v->sink_count, &name, &sink))
		v->sink_count++;
	v->decoder_count = o->decoder_count;
	v->decoders = mem_new(v->decoder_count, sizeof *v->decoders);
	v->filters = mem_new(v->filter_count, sizeof *v->filters);
	v->sinks = mem_new(v->sink_count + 1, sizeof *v->sinks);
	for (size_t i = 0; i < v->decoder_count; i++)
		v->decoders[i].name = decoder_name(o->decoders[i]);
	for (size_t i = 0; i < v->filter_count; i++) {
		chain_filter(o->chain, i, &v->filters[i].name, &filter);
		v->filters[i].ops = filter->ops;
		v->filters[i].emitter = filter->emitter;
	}
	for (size_t i = 0; i < v->sink_count; i++) {
		router_sink(o->router, i, &v->sinks[i].name, &sink);
		v->sinks[i].ops = sink->ops;
	}
	if (o->dead_letter != NULL)
		v->sinks[v->sink_count++] = (struct sink_view){
			.name = DEAD_LETTER_NAME, .is_dead_letter = true};
}

void view_unpack(struct pipeline_view *v, const struct pipeline_opts *o)
{
	size_t bytes;
	const void *block = journal_counters(o->journal, &bytes);
	if (block != NULL)
		counters_unpack(block, bytes, v);
	v->has_suspects = journal_has_suspects(o->journal);
}

void view_restore(const struct pipeline_view *v, const struct pipeline_opts *o,
		  struct outputs *outputs)
{
	*outputs->totals = v->totals;
	for (size_t i = 0; i < v->decoder_count; i++)
		decoder_restore(o->decoders[i], &v->decoders[i].stats);
	for (size_t i = 0; i < v->filter_count; i++)
		chain_restore(o->chain, i, &v->filters[i].stats);
	for (size_t i = 0; i < v->sink_count; i++) {
		const struct sink_stats *stats =
			v->sinks[i].is_restored ? &v->sinks[i].stats : NULL;
		if (!v->sinks[i].is_dead_letter)
			router_restore(o->router, i, stats);
		else
			dead_letter_restore(o->dead_letter, stats);
	}
	outputs_settle(outputs);
}

void view_copy(struct pipeline_view *v, const struct pipeline_opts *o)
{
	v->has_suspects = journal_has_suspects(o->journal);
	for (size_t i = 0; i < v->decoder_count; i++)
		v->decoders[i].stats = *decoder_stats(o->decoders[i]);
	const char *name;
	const struct filter *filter;
	for (size_t i = 0; chain_filter(o->chain, i, &name, &filter); i++)
		v->filters[i].stats = filter->stats;
	const struct sink *sink;
	for (size_t i = 0; router_sink(o->router, i, &name, &sink); i++)
		v->sinks[i].stats = sink->stats;
	if (o->dead_letter != NULL)
		v->sinks[v->sink_count - 1].stats =
			*dead_letter_stats(o->dead_letter);
}

void view_fini(struct pipeline_view *v)
{
	free(v->decoders);
	free(v->filters);
	free(v->sinks);
}
