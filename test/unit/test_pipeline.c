/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_sink.h"
#include "unit.h"

#include <limits.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "conf/conf.h"
#include "filter/chain.h"
#include "journal/journal.h"
#include "output/router.h"
#include "pipeline/counters.h"
#include "pipeline/decoder.h"
#include "pipeline/pipeline.h"

/* A pipeline for empty messages, which need neither filters nor outputs. */
struct fixture {
	struct journal *journal;
	struct decoder *decoder;
	struct chain *chain;
	struct router *router;
	struct pipeline *pipeline;
	sem_t settled;
	sem_t finished;
	sem_t paused;
};

enum output { OUTPUT_NONE, OUTPUT_GATE, OUTPUT_UNSAVED };

static void on_progress(void *data, bool is_blocked)
{
	(void)is_blocked;
	struct fixture *f = data;
	sem_post(&f->settled);
}

static void on_finished(void *data)
{
	struct fixture *f = data;
	sem_post(&f->finished);
}

static void on_paused(void *data)
{
	struct fixture *f = data;
	sem_post(&f->paused);
}

static void append_one(struct fixture *f)
{
	struct journal_entry empty = {.bytes = SPAN("")};
	assert_true(journal_offer(f->journal, &empty));
}

/* An output that writes two files in each flush.  Each write waits until the
 * gate is opened. */
static sem_t writing, opened;

static enum sink_flush gate_flush(struct sink *sink, int64_t now_ns)
{
	(void)now_ns;
	for (int file = 0; file < 2; file++) {
		sem_post(&writing);
		sem_wait(&opened);
		sink_answered(sink);
	}
	return SINK_FLUSHED;
}

/* For more writes than a test makes. */
static void open_gate(void)
{
	for (int write = 0; write < 100; write++)
		sem_post(&opened);
}

/* An output with two lines in memory, which it writes in flush number
 * `written_by`. */
static atomic_uint flushes, written_by, dropped;

static enum sink_flush unsaved_flush(struct sink *sink, int64_t now_ns)
{
	(void)now_ns;
	bool is_written = atomic_fetch_add(&flushes, 1) + 1 >= written_by;
	sink->stats.lines_queued = is_written ? 0 : 2;
	return SINK_FLUSHED;
}

static void unsaved_drop(struct sink *sink)
{
	dropped += (unsigned)sink->stats.lines_queued;
	sink->stats.lines_queued = 0;
}

static void add_output(struct router *router, enum output output)
{
	static const struct sink_ops gate_ops = {
		.name = "gate",
		.keys = fake_sink_keys,
		.open = fake_sink_open,
		.put = fake_sink_put,
		.flush = gate_flush,
		.drop_buffered = fake_sink_drop_buffered,
		.reopen = fake_sink_reopen,
		.close = fake_sink_close,
	};
	static const struct sink_ops unsaved_ops = {
		.name = "gate",
		.keys = fake_sink_keys,
		.open = fake_sink_open,
		.put = fake_sink_put,
		.flush = unsaved_flush,
		.drop_buffered = unsaved_drop,
		.reopen = fake_sink_reopen,
		.close = fake_sink_close,
	};
	const struct sink_ops *const kinds[] = {
		output == OUTPUT_GATE ? &gate_ops : &unsaved_ops, NULL};
	static const char text[] = "[OUTPUT]\n    Name gate\n    Match *\n";
	const struct sink_env env = {.kinds = kinds, .conf_dir = "."};
	struct err e;
	struct conf *conf = conf_read_text("t.conf", text, sizeof text - 1, &e);
	assert_true(router_add(router, conf_section(conf, 0), &env, &e));
	conf_free(conf);
	sem_init(&writing, 0, 0);
	sem_init(&opened, 0, 0);
	flushes = dropped = 0;
	written_by = UINT_MAX;
}

/* Start the pipeline with one message in the journal. */
static int start_with(void **state, enum output output)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct err e = {0};
	struct journal_opts journal = {.ring_bytes = 64 * 1024,
				       .slot_bytes = 100,
				       .slots = 4,
				       .counters_bytes = COUNTERS_BYTES};
	struct journal_found found;
	f->journal = journal_open(&journal, &found, &e);
	f->decoder = decoder_new("in", "in", NULL, &e);
	f->chain = chain_new();
	f->router = router_new();
	if (output != OUTPUT_NONE)
		add_output(f->router, output);
	sem_init(&f->settled, 0, 0);
	sem_init(&f->finished, 0, 0);
	sem_init(&f->paused, 0, 0);
	*state = f;
	append_one(f);
	struct pipeline_opts opts = {
		.journal = f->journal,
		.decoders = &f->decoder,
		.decoder_count = 1,
		.chain = f->chain,
		.router = f->router,
		.is_durable = true,
		.on_progress = on_progress,
		.on_finished = on_finished,
		.on_paused = on_paused,
		.data = f,
	};
	f->pipeline = pipeline_start(&opts, &e);
	return f->pipeline != NULL ? 0 : -1;
}

static int start(void **state)
{
	return start_with(state, OUTPUT_NONE);
}

static int start_gated(void **state)
{
	return start_with(state, OUTPUT_GATE);
}

static int start_unsaved(void **state)
{
	return start_with(state, OUTPUT_UNSAVED);
}

static int end(void **state)
{
	struct fixture *f = *state;
	pipeline_free(f->pipeline);
	router_free(f->router);
	chain_free(f->chain);
	decoder_free(f->decoder);
	journal_close(f->journal);
	sem_destroy(&f->settled);
	sem_destroy(&f->finished);
	sem_destroy(&f->paused);
	free(f);
	return 0;
}

static void leave(struct fixture *f)
{
	pipeline_leave(f->pipeline);
	sem_wait(&f->finished);
}

static uint64_t taken(struct fixture *f)
{
	uint64_t count = pipeline_view_begin(f->pipeline)->totals.taken;
	pipeline_view_end(f->pipeline);
	return count;
}

/* Otherwise the first messages would not wait for the Flush interval. */
static void the_pipeline_takes_nothing_before_it_is_woken(void **state)
{
	struct fixture *f = *state;
	leave(f);
	assert_int_equal(taken(f), 0);
	assert_true(journal_pending_bytes(f->journal) > 0);
}

static void a_woken_pipeline_takes_all_messages(void **state)
{
	struct fixture *f = *state;
	pipeline_wake(f->pipeline);
	do /* the first flush finds no message */
		sem_wait(&f->settled);
	while (taken(f) == 0);
	assert_int_equal(taken(f), 1);
	append_one(f);
	pipeline_finish(f->pipeline);
	sem_wait(&f->finished);
	assert_int_equal(taken(f), 2);
	assert_int_equal(journal_pending_bytes(f->journal), 0);
}

static bool is_blocked(struct fixture *f)
{
	const struct pipeline_view *v = pipeline_view_begin(f->pipeline);
	bool blocked = v->is_blocked;
	assert_int_equal(v->is_hanging, blocked);
	pipeline_view_end(f->pipeline);
	return blocked;
}

static void a_write_that_hangs_blocks_the_output_until_it_ends(void **state)
{
	struct fixture *f = *state;
	struct output_work at;
	pipeline_wake(f->pipeline);
	sem_wait(&writing);
	uint64_t work = pipeline_output_work(f->pipeline, &at);
	assert_int_not_equal(work, 0);
	assert_string_equal(at.output, "gate.0");
	assert_string_equal(at.path, "");
	assert_false(is_blocked(f));
	assert_true(pipeline_set_hanging(f->pipeline, work));
	assert_true(is_blocked(f));
	sem_wait(&f->settled);
	sem_post(&opened);
	sem_post(&opened);
	sem_wait(&f->settled);
	assert_false(is_blocked(f));
	open_gate();
	leave(f);
	assert_int_equal(pipeline_output_work(f->pipeline, &at), 0);
	assert_false(pipeline_set_hanging(f->pipeline, work));
}

static void a_long_flush_that_finishes_files_does_not_hang(void **state)
{
	struct fixture *f = *state;
	struct output_work at;
	pipeline_wake(f->pipeline);
	sem_wait(&writing);
	uint64_t first = pipeline_output_work(f->pipeline, &at);
	sem_post(&opened);
	sem_wait(&writing);
	uint64_t second = pipeline_output_work(f->pipeline, &at);
	assert_int_not_equal(second, 0);
	assert_int_not_equal(second, first);
	assert_false(pipeline_set_hanging(f->pipeline, first));
	assert_false(is_blocked(f));
	open_gate();
	leave(f);
}

static void a_pause_lasts_until_it_is_ended(void **state)
{
	struct fixture *f = *state;
	pipeline_pause(f->pipeline);
	sem_wait(&f->paused);
	assert_true(pipeline_is_paused(f->pipeline));
	pipeline_wake(f->pipeline);
	assert_int_equal(taken(f), 0);
	pipeline_resume(f->pipeline);
	assert_false(pipeline_is_paused(f->pipeline));
	while (taken(f) == 0)
		sem_wait(&f->settled);
	assert_int_equal(taken(f), 1);
	leave(f);
}

static void a_pipeline_that_pauses_leaves_at_once(void **state)
{
	struct fixture *f = *state;
	pipeline_pause(f->pipeline);
	sem_wait(&f->paused);
	leave(f);
	assert_int_equal(taken(f), 0);
	assert_true(journal_pending_bytes(f->journal) > 0);
}

static uint64_t unsaved(struct fixture *f)
{
	uint64_t lines = pipeline_view_begin(f->pipeline)->unsaved_lines;
	pipeline_view_end(f->pipeline);
	return lines;
}

static void unsaved_lines_are_retried_until_they_are_written(void **state)
{
	struct fixture *f = *state;
	pipeline_wake(f->pipeline);
	while (taken(f) == 0)
		sem_wait(&f->settled);
	assert_int_equal(unsaved(f), 2);
	written_by = flushes + 5;
	pipeline_finish(f->pipeline);
	sem_wait(&f->finished);
	assert_int_equal(unsaved(f), 0);
	assert_int_equal(dropped, 0);
}

static void unsaved_lines_are_dropped_when_retrying_ends(void **state)
{
	struct fixture *f = *state;
	pipeline_finish(f->pipeline);
	do
		sem_wait(&f->settled);
	while (flushes < 3);
	assert_int_equal(dropped, 0);
	pipeline_stop_retrying(f->pipeline);
	sem_wait(&f->finished);
	assert_int_equal(unsaved(f), 0);
	assert_int_equal(dropped, 2);
}

static void if_the_next_process_waits_unsaved_lines_are_dropped(void **state)
{
	struct fixture *f = *state;
	pipeline_finish_for_next(f->pipeline);
	sem_wait(&f->finished);
	assert_int_equal(unsaved(f), 0);
	assert_int_equal(dropped, 2);
	assert_true(flushes >= 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_pipeline_takes_nothing_before_it_is_woken, start,
			end),
		cmocka_unit_test_setup_teardown(
			a_woken_pipeline_takes_all_messages, start, end),
		cmocka_unit_test_setup_teardown(
			a_write_that_hangs_blocks_the_output_until_it_ends,
			start_gated, end),
		cmocka_unit_test_setup_teardown(
			a_long_flush_that_finishes_files_does_not_hang,
			start_gated, end),
		cmocka_unit_test_setup_teardown(a_pause_lasts_until_it_is_ended,
						start, end),
		cmocka_unit_test_setup_teardown(
			a_pipeline_that_pauses_leaves_at_once, start, end),
		cmocka_unit_test_setup_teardown(
			unsaved_lines_are_retried_until_they_are_written,
			start_unsaved, end),
		cmocka_unit_test_setup_teardown(
			unsaved_lines_are_dropped_when_retrying_ends,
			start_unsaved, end),
		cmocka_unit_test_setup_teardown(
			if_the_next_process_waits_unsaved_lines_are_dropped,
			start_unsaved, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
