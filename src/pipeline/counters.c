/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/counters.h"

#include <stdbool.h>
#include <string.h>

#include "pipeline/pipeline.h"

static const char block_magic[8] = "counter1";

enum kind { END, DECODER, FILTER, SINK };

struct item {
	uint32_t kind;
	uint32_t bytes; /* of the counters behind it */
	uint64_t name;	/* hash */
};

struct block {
	char magic[8];
	struct pipeline_totals totals;
	char items[];
};

static uint64_t hash_of(const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return hash;
}

struct cursor {
	char *at;
	char *end;
};

/* Of another kind it is another one, whatever its Alias. */
static uint64_t hash_of_sink(const struct sink_view *s)
{
	return hash_of(s->name) ^ (s->ops != NULL ? hash_of(s->ops->name) : 0);
}

static void pack(struct cursor *c, enum kind kind, uint64_t name,
		 const void *counters, size_t bytes)
{
	struct item item = {kind, (uint32_t)bytes, name};
	/* Behind the last one there is room for an END. */
	if ((size_t)(c->end - c->at) < 2 * sizeof item + bytes)
		return;
	memcpy(c->at, &item, sizeof item);
	memcpy(c->at + sizeof item, counters, bytes);
	c->at += sizeof item + bytes;
}

void counters_pack(const struct pipeline_view *v, void *bytes)
{
	struct block *block = bytes;
	struct cursor c = {block->items, (char *)bytes + COUNTERS_BYTES};
	memcpy(block->magic, block_magic, sizeof block->magic);
	block->totals = v->totals;
	/* Sinks first: the law needs them. */
	for (size_t i = 0; i < v->sink_count; i++)
		pack(&c, SINK, hash_of_sink(&v->sinks[i]), &v->sinks[i].stats,
		     sizeof v->sinks[i].stats);
	for (size_t i = 0; i < v->decoder_count; i++)
		pack(&c, DECODER, hash_of(v->decoders[i].name),
		     &v->decoders[i].stats, sizeof v->decoders[i].stats);
	for (size_t i = 0; i < v->filter_count; i++)
		pack(&c, FILTER, hash_of(v->filters[i].name),
		     &v->filters[i].stats, sizeof v->filters[i].stats);
	memset(c.at, 0, sizeof(struct item));
}

/* Where the counters of that kind and name are; NULL when there are none. */
static void *find(struct pipeline_view *v, const struct item *item)
{
	if (item->kind == SINK && item->bytes == sizeof v->sinks->stats)
		for (size_t i = 0; i < v->sink_count; i++)
			if (hash_of_sink(&v->sinks[i]) == item->name) {
				v->sinks[i].is_restored = true;
				return &v->sinks[i].stats;
			}
	if (item->kind == DECODER && item->bytes == sizeof v->decoders->stats)
		for (size_t i = 0; i < v->decoder_count; i++)
			if (hash_of(v->decoders[i].name) == item->name)
				return &v->decoders[i].stats;
	if (item->kind == FILTER && item->bytes == sizeof v->filters->stats)
		for (size_t i = 0; i < v->filter_count; i++)
			if (hash_of(v->filters[i].name) == item->name)
				return &v->filters[i].stats;
	return NULL;
}

/* Of an output that is no more.  What waited in its memory is gone. */
static void keep_balance(struct pipeline_totals *totals,
			 const struct sink_stats *stats)
{
	uint64_t spilled = stats->messages_spilled < stats->messages_queued
				   ? stats->messages_spilled
				   : stats->messages_queued;
	totals->written += stats->messages_written_total;
	totals->queued += spilled;
	totals->dropped[DROP_write_failed] += stats->messages_queued - spilled;
	for (size_t r = 0; r < DROP_REASON_COUNT; r++)
		totals->dropped[r] += stats->messages_dropped_total[r];
}

void counters_unpack(const void *bytes, struct pipeline_view *v)
{
	const struct block *block = bytes;
	const char *at = block->items;
	const char *end = (const char *)bytes + COUNTERS_BYTES;
	if (memcmp(block->magic, block_magic, sizeof block->magic) != 0)
		return;
	v->totals = block->totals;
	struct item item;
	while ((size_t)(end - at) >= sizeof item) {
		memcpy(&item, at, sizeof item);
		at += sizeof item;
		if (item.kind == END || (size_t)(end - at) < item.bytes)
			break;
		void *to = find(v, &item);
		struct sink_stats gone;
		if (to != NULL) {
			memcpy(to, at, item.bytes);
		} else if (item.kind == SINK && item.bytes == sizeof gone) {
			memcpy(&gone, at, sizeof gone);
			keep_balance(&v->totals, &gone);
		}
		at += item.bytes;
	}
}
