/* SPDX-License-Identifier: Apache-2.0 */
/* One version packs the counters and another one, with other counters, unpacks
 * them. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/counters.h"
#include "pipeline/counters_v1.h"
#include "pipeline/pipeline.h"

struct state {
	struct sink_view sinks[2];
	struct decoder_view decoders[1];
	struct filter_view filters[1];
	struct pipeline_view view;
};

static const char *const failures[] = {"first", "second", NULL};
static const struct filter_ops some_filter = {.name = "some",
					      .failures = failures};
static const struct sink_ops some_sink = {.name = "some"};

static void init(struct state *s)
{
	*s = (struct state){
		.sinks = {{.name = "a", .ops = &some_sink},
			  {.name = "b", .ops = &some_sink}},
		.decoders = {{.name = "in"}},
		.filters = {{.name = "f", .ops = &some_filter}},
	};
	s->view = (struct pipeline_view){
		.sinks = s->sinks,
		.sink_count = 2,
		.decoders = s->decoders,
		.decoder_count = 1,
		.filters = s->filters,
		.filter_count = 1,
	};
}

static void fill(struct state *s)
{
	init(s);
	s->view.totals.taken = 100;
	s->view.totals.dropped[DROP_filtered] = 7;
	s->view.totals.dropped[DROP_write_failed] = 8;
	s->sinks[0].stats.lines_total = 20;
	s->sinks[0].stats.messages_dropped_total[DROP_path_refused] = 3;
	s->sinks[1].stats.messages_written_total = 50;
	s->sinks[1].stats.messages_dropped_total[DROP_write_failed] = 4;
	s->sinks[1].stats.messages_queued = 6;
	s->sinks[1].stats.messages_spilled = 5;
	s->decoders[0].stats.unparsed_total[PARSER_json_broken] = 9;
	s->filters[0].stats.refused_total = 11;
	s->filters[0].stats.failures[1] = 12;
}

/* Pack the counters of *from into room; returns the size. */
static size_t pack(struct state *from, char *room)
{
	size_t bytes;
	struct counters *c = counters_new(&from->view);
	memcpy(room, counters_pack(c, &bytes), COUNTERS_BYTES);
	counters_free(c);
	return bytes;
}

static void assert_same(const struct state *a, const struct state *b)
{
	assert_memory_equal(&a->view.totals, &b->view.totals,
			    sizeof a->view.totals);
	for (int i = 0; i < 2; i++)
		assert_memory_equal(&a->sinks[i].stats, &b->sinks[i].stats,
				    sizeof a->sinks[i].stats);
	assert_memory_equal(&a->decoders, &b->decoders, sizeof a->decoders);
	assert_memory_equal(&a->filters, &b->filters, sizeof a->filters);
}

static void all_counters_come_back(void **unused)
{
	(void)unused;
	static char room[COUNTERS_BYTES];
	struct state old, new;
	fill(&old);
	size_t bytes = pack(&old, room);
	init(&new);
	counters_unpack(room, bytes, &new.view);
	assert_same(&old, &new);
	assert_true(new.sinks[0].is_restored);
}

static struct counters_object *object_at(char *room, size_t at)
{
	return (void *)(room + at);
}

/* A version that has another counter in every object, before all others. */
static size_t insert_counters(const char *room, size_t bytes, char *other)
{
	size_t at = 8, out = 8;
	memcpy(other, room, 8);
	while (at < bytes) {
		struct counters_object *o =
			object_at((char *)(uintptr_t)room, at);
		struct counters_value unknown = {.name = 4711, .value = 999};
		size_t values = o->count * sizeof unknown;
		memcpy(other + out, o, sizeof *o);
		object_at(other, out)->count++;
		out += sizeof *o;
		memcpy(other + out, &unknown, sizeof unknown);
		out += sizeof unknown;
		memcpy(other + out, o + 1, values);
		out += values;
		at += sizeof *o + values;
	}
	return out;
}

static void a_counter_of_another_version_is_skipped(void **unused)
{
	(void)unused;
	static char room[COUNTERS_BYTES], other[COUNTERS_BYTES];
	struct state old, new;
	fill(&old);
	size_t bytes = insert_counters(room, pack(&old, room), other);
	init(&new);
	counters_unpack(other, bytes, &new.view);
	assert_same(&old, &new);
}

static void a_missing_counter_is_zero_and_the_others_stay(void **unused)
{
	(void)unused;
	static char room[COUNTERS_BYTES];
	struct state old, new;
	fill(&old);
	size_t bytes = pack(&old, room);
	/* The first object, the totals, without its first counter. */
	struct counters_object *totals = object_at(room, 8);
	char *first = (char *)(totals + 1);
	size_t gap = sizeof(struct counters_value);
	totals->count--;
	memmove(first, first + gap, bytes - (size_t)(first + gap - room));
	init(&new);
	counters_unpack(room, bytes - gap, &new.view);
	assert_int_equal(new.view.totals.taken, 0);
	old.view.totals.taken = 0;
	assert_same(&old, &new);
}

static void a_removed_output_stays_in_the_totals(void **unused)
{
	(void)unused;
	static char room[COUNTERS_BYTES];
	struct state old, new;
	fill(&old);
	size_t bytes = pack(&old, room);
	init(&new);
	new.view.sink_count = 1;
	counters_unpack(room, bytes, &new.view);
	assert_int_equal(new.view.totals.written, 50);
	assert_int_equal(new.view.totals.queued, 5);
	assert_int_equal(new.view.totals.dropped[DROP_write_failed], 8 + 4 + 1);
}

static void a_foreign_or_truncated_block_is_survived(void **unused)
{
	(void)unused;
	static char room[COUNTERS_BYTES];
	struct state old, new, none;
	fill(&old);
	size_t bytes = pack(&old, room);
	for (size_t n = 0; n < bytes; n++) {
		char *copy = malloc(n + 1);
		memcpy(copy, room, n);
		init(&new);
		counters_unpack(copy, n, &new.view);
		free(copy);
	}
	init(&new);
	init(&none);
	memcpy(room, "counter9", 8);
	counters_unpack(room, bytes, &new.view);
	assert_same(&none, &new);
}

/* As the previous version wrote them: structs without names. */
static size_t pack_version_1(const struct state *s, char *room)
{
	static const uint64_t totals[13] = {[0] = 100, [5] = 7, [9] = 8};
	uint64_t a[32] = {[0] = 20, [19] = 3};
	uint64_t b[32] = {[12] = 50, [20] = 4, [21] = 6, [30] = 5};
	uint64_t decoder[12] = {[7] = 9};
	uint64_t filter[18] = {[5] = 11};
	struct {
		uint32_t kind, bytes;
		uint64_t name;
	} items[5] = {{.bytes = sizeof a},
		      {.bytes = sizeof b},
		      {.bytes = sizeof decoder},
		      {.bytes = sizeof filter}};
	const void *values[] = {a, b, decoder, filter};
	static char now[COUNTERS_BYTES];
	struct state copy = *s;
	init(&copy);
	size_t bytes = pack(&copy, now), at = 8, out = 8 + sizeof totals;
	memset(room, 0, COUNTERS_BYTES);
	memcpy(room, "counter1", 8);
	memcpy(room + 8, totals, sizeof totals);
	for (int i = -1; at < bytes; i++) {
		struct counters_object *o = object_at(now, at);
		at += sizeof *o + o->count * sizeof(struct counters_value);
		if (i < 0)
			continue; /* the totals */
		items[i].kind = o->kind;
		items[i].name = o->name;
		memcpy(room + out, &items[i], sizeof items[i]);
		out += sizeof items[i];
		memcpy(room + out, values[i], items[i].bytes);
		out += items[i].bytes;
	}
	return COUNTERS_BYTES;
}

static void the_counters_of_the_previous_version_are_read(void **unused)
{
	(void)unused;
	static char room[COUNTERS_BYTES];
	struct state old, new;
	fill(&old);
	size_t bytes = pack_version_1(&old, room);
	init(&new);
	counters_unpack(room, bytes, &new.view);
	old.filters[0].stats.failures[1] = 0;
	assert_same(&old, &new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_counters_come_back),
		cmocka_unit_test(a_counter_of_another_version_is_skipped),
		cmocka_unit_test(a_missing_counter_is_zero_and_the_others_stay),
		cmocka_unit_test(a_removed_output_stays_in_the_totals),
		cmocka_unit_test(a_foreign_or_truncated_block_is_survived),
		cmocka_unit_test(the_counters_of_the_previous_version_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
