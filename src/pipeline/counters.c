/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/counters.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "pipeline/counters_v1.h"
#include "pipeline/pipeline.h"

static const char block_magic[8] = "counter2";

enum {
	VALUES_MAX = COUNTERS_BYTES / sizeof(struct counters_value),
	FIELDS_MAX = 64, /* of one object */
};

struct counter_field {
	const char *name;
	size_t offset;
};

#define FIELD(type, field)                           \
	{                                            \
#field, offsetof(struct type, field) \
	}

static const struct counter_field totals_fields[] = {
	FIELD(pipeline_totals, taken),
	FIELD(pipeline_totals, written),
	FIELD(pipeline_totals, dead_lettered),
	FIELD(pipeline_totals, queued),
	FIELD(pipeline_totals, queued_lines),
	FIELD(pipeline_totals, batches),
	FIELD(pipeline_totals, found),
#define X(name, help)      \
	{"dropped." #name, \
	 offsetof(struct pipeline_totals, dropped[DROP_##name])},
	DROP_REASONS(X)
#undef X
};

static const struct counter_field decoder_fields[] = {
	FIELD(decoder_stats, records_total), FIELD(decoder_stats, bytes_total),
	FIELD(decoder_stats, no_pri_total),
	FIELD(decoder_stats, bad_time_total),
#define X(name, help)       \
	{"unparsed." #name, \
	 offsetof(struct decoder_stats, unparsed_total[PARSER_##name])},
	PARSER_VERDICTS(X)
#undef X
};

static const struct counter_field filter_fields[] = {
	FIELD(filter_stats, records_total),
	FIELD(filter_stats, dropped_total),
	FIELD(filter_stats, undecided_total),
	FIELD(filter_stats, added_total),
	FIELD(filter_stats, restarted_total),
	FIELD(filter_stats, refused_total),
	FIELD(filter_stats, script_loads_total),
};

static const struct counter_field sink_fields[] = {
	FIELD(sink_stats, lines_total),
	FIELD(sink_stats, lines_written_total),
	FIELD(sink_stats, lines_queued),
	FIELD(sink_stats, messages_total),
	FIELD(sink_stats, messages_written_total),
	FIELD(sink_stats, messages_queued),
	FIELD(sink_stats, bytes_written_total),
	FIELD(sink_stats, writes_total),
	FIELD(sink_stats, errors_total),
	FIELD(sink_stats, retries_total),
	FIELD(sink_stats, fsyncs_total),
	FIELD(sink_stats, recovered_bytes_total),
	FIELD(sink_stats, files_open),
	FIELD(sink_stats, lines_spilled),
	FIELD(sink_stats, messages_spilled),
	FIELD(sink_stats, spilled_bytes),
#define X(name, help)                                                    \
	{"lines_dropped." #name,                                         \
	 offsetof(struct sink_stats, lines_dropped_total[DROP_##name])}, \
		{"messages_dropped." #name,                              \
		 offsetof(struct sink_stats,                             \
			  messages_dropped_total[DROP_##name])},
	DROP_REASONS(X)
#undef X
};

#define COUNT(fields) (sizeof(fields) / sizeof *(fields))

static_assert(COUNT(totals_fields) * 8 == sizeof(struct pipeline_totals),
	      "totals_fields lists all counters");
static_assert(COUNT(decoder_fields) * 8 == sizeof(struct decoder_stats),
	      "decoder_fields lists all counters");
static_assert((COUNT(filter_fields) + FILTER_FAILURES_MAX) * 8 ==
		      sizeof(struct filter_stats),
	      "filter_fields lists all counters but those of failures");
static_assert(COUNT(sink_fields) * 8 == sizeof(struct sink_stats),
	      "sink_fields lists all counters");

struct counters {
	size_t count;			  /* of the packed counters */
	const uint64_t *from[VALUES_MAX]; /* the counters */
	uint64_t *to[VALUES_MAX];	  /* their values in the block */
	size_t bytes;			  /* of the block */
	_Alignas(uint64_t) char block[COUNTERS_BYTES];
};

static uint64_t hash_of(const char *name)
{
	return hash_fnv1a(HASH_FNV1A_BEGIN, span_of(name));
}

/* Outputs of different kinds are different, even with the same Alias. */
static uint64_t hash_of_sink(const struct sink_view *s)
{
	return hash_of(s->name) ^ (s->ops != NULL ? hash_of(s->ops->name) : 0);
}

/* An object's counters in memory, by the hashes of their names. */
struct counter_map {
	size_t count;
	uint64_t *values[FIELDS_MAX];
	uint64_t names[FIELDS_MAX];
};

static void map_fields(struct counter_map *map, void *base,
		       const struct counter_field *fields, size_t count)
{
	map->count = count;
	for (size_t i = 0; i < count; i++) {
		map->names[i] = hash_of(fields[i].name);
		map->values[i] = (void *)((char *)base + fields[i].offset);
	}
}

static void map_totals(struct counter_map *map, struct pipeline_totals *t)
{
	map_fields(map, t, totals_fields, COUNT(totals_fields));
}

static void map_decoder(struct counter_map *map, struct decoder_stats *stats)
{
	map_fields(map, stats, decoder_fields, COUNT(decoder_fields));
}

static void map_sink(struct counter_map *map, struct sink_stats *stats)
{
	map_fields(map, stats, sink_fields, COUNT(sink_fields));
}

static void map_filter(struct counter_map *map, struct filter_view *f)
{
	const char *const *failures = f->ops != NULL ? f->ops->failures : NULL;
	map_fields(map, &f->stats, filter_fields, COUNT(filter_fields));
	for (size_t i = 0; failures != NULL && failures[i] != NULL; i++) {
		char name[64];
		snprintf(name, sizeof name, "failure.%s", failures[i]);
		map->names[map->count] = hash_of(name);
		map->values[map->count++] = &f->stats.failures[i];
	}
}

/* --- packing */

static void add_object(struct counters *c, enum counters_kind kind,
		       uint64_t name, const struct counter_map *map)
{
	struct counters_object object = {kind, (uint32_t)map->count, name};
	size_t need =
		sizeof object + map->count * sizeof(struct counters_value);
	if (COUNTERS_BYTES - c->bytes < need)
		return;
	memcpy(c->block + c->bytes, &object, sizeof object);
	struct counters_value *values =
		(void *)(c->block + c->bytes + sizeof object);
	for (size_t i = 0; i < map->count; i++) {
		values[i].name = map->names[i];
		c->from[c->count] = map->values[i];
		c->to[c->count++] = &values[i].value;
	}
	c->bytes += need;
}

struct counters *counters_new(struct pipeline_view *v)
{
	struct counters *c = mem_new(1, sizeof *c);
	struct counter_map map;
	memcpy(c->block, block_magic, sizeof block_magic);
	c->bytes = sizeof block_magic;
	map_totals(&map, &v->totals);
	add_object(c, COUNTERS_TOTALS, 0, &map);
	for (size_t i = 0; i < v->sink_count; i++) {
		map_sink(&map, &v->sinks[i].stats);
		add_object(c, COUNTERS_SINK, hash_of_sink(&v->sinks[i]), &map);
	}
	for (size_t i = 0; i < v->decoder_count; i++) {
		map_decoder(&map, &v->decoders[i].stats);
		add_object(c, COUNTERS_DECODER, hash_of(v->decoders[i].name),
			   &map);
	}
	for (size_t i = 0; i < v->filter_count; i++) {
		map_filter(&map, &v->filters[i]);
		add_object(c, COUNTERS_FILTER, hash_of(v->filters[i].name),
			   &map);
	}
	return c;
}

void counters_free(struct counters *c)
{
	free(c);
}

const void *counters_pack(struct counters *c, size_t *bytes)
{
	for (size_t i = 0; i < c->count; i++)
		*c->to[i] = *c->from[i];
	*bytes = c->bytes;
	return c->block;
}

/* --- unpacking */

/* Map the view's object of that kind and name.  False when there is none. */
static bool find(struct pipeline_view *v, const struct counters_object *object,
		 struct counter_map *map)
{
	switch (object->kind) {
	case COUNTERS_TOTALS:
		map_totals(map, &v->totals);
		return true;
	case COUNTERS_SINK:
		for (size_t i = 0; i < v->sink_count; i++)
			if (hash_of_sink(&v->sinks[i]) == object->name) {
				v->sinks[i].is_restored = true;
				map_sink(map, &v->sinks[i].stats);
				return true;
			}
		return false;
	case COUNTERS_DECODER:
		for (size_t i = 0; i < v->decoder_count; i++)
			if (hash_of(v->decoders[i].name) == object->name) {
				map_decoder(map, &v->decoders[i].stats);
				return true;
			}
		return false;
	case COUNTERS_FILTER:
		for (size_t i = 0; i < v->filter_count; i++)
			if (hash_of(v->filters[i].name) == object->name) {
				map_filter(map, &v->filters[i]);
				return true;
			}
		return false;
	default: /* of another version */
		return false;
	}
}

/* Account for an output that was removed.  Lines in its memory are lost. */
static void add_removed_sink(struct pipeline_totals *totals,
			     const struct sink_stats *stats)
{
	if (stats->lines_queued > stats->lines_spilled)
		log_line(LOG_ERROR, "pipeline",
			 "lost=%" PRIu64 " err=\"an earlier worker ended with "
			 "lines of a removed output still in its memory\" "
			 "action=\"counting them as dropped\"",
			 stats->lines_queued - stats->lines_spilled);
	uint64_t spilled = stats->messages_spilled < stats->messages_queued
				   ? stats->messages_spilled
				   : stats->messages_queued;
	totals->written += stats->messages_written_total;
	totals->queued += spilled;
	totals->queued_lines += stats->lines_spilled;
	totals->dropped[DROP_write_failed] += stats->messages_queued - spilled;
	for (size_t r = 0; r < DROP_REASON_COUNT; r++)
		totals->dropped[r] += stats->messages_dropped_total[r];
}

static void set_value(const struct counter_map *map,
		      const struct counters_value *value)
{
	for (size_t i = 0; i < map->count; i++)
		if (map->names[i] == value->name)
			*map->values[i] = value->value;
}

static void unpack_object(const struct counters_object *object,
			  const char *values, struct pipeline_view *v)
{
	struct counter_map map;
	struct sink_stats removed = {0};
	bool is_found = find(v, object, &map);
	if (!is_found && object->kind != COUNTERS_SINK)
		return;
	if (!is_found)
		map_sink(&map, &removed);
	for (size_t i = 0; i < object->count; i++) {
		struct counters_value value;
		memcpy(&value, values + i * sizeof value, sizeof value);
		set_value(&map, &value);
	}
	if (!is_found)
		add_removed_sink(&v->totals, &removed);
}

void counters_unpack(const void *block, size_t bytes, struct pipeline_view *v)
{
	char *converted = counters_v1_convert(block, &bytes, hash_of);
	const char *at = converted != NULL ? converted : block;
	const char *end = at + bytes;
	if (bytes < sizeof block_magic ||
	    memcmp(at, block_magic, sizeof block_magic) != 0)
		return;
	at += sizeof block_magic;
	struct counters_object object;
	while ((size_t)(end - at) >= sizeof object) {
		memcpy(&object, at, sizeof object);
		at += sizeof object;
		size_t left =
			(size_t)(end - at) / sizeof(struct counters_value);
		if (object.count > left)
			break;
		unpack_object(&object, at, v);
		at += object.count * sizeof(struct counters_value);
	}
	free(converted);
}
