/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <semaphore.h>
#include <stdlib.h>

#include "base/span.h"
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
};

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

static void append_one(struct fixture *f)
{
	struct journal_entry empty = {.bytes = SPAN("")};
	assert_true(journal_offer(f->journal, &empty));
}

/* Start the pipeline with one message in the journal. */
static int start(void **state)
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
	sem_init(&f->settled, 0, 0);
	sem_init(&f->finished, 0, 0);
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
		.data = f,
	};
	f->pipeline = pipeline_start(&opts, &e);
	return f->pipeline != NULL ? 0 : -1;
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_pipeline_takes_nothing_before_it_is_woken, start,
			end),
		cmocka_unit_test_setup_teardown(
			a_woken_pipeline_takes_all_messages, start, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
