/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 *  1. the intake thread appends to the journal and rings;
 *  2. the thread wakes, takes up to a batch of messages and runs each one
 *     through decoder, chain and router; the sinks collect the lines;
 *  3. the sinks write, the journal commits, the counters are published;
 *  4. when the journal is empty it sleeps again.
 * Failures:
 *  - the disk takes nothing (SINK_BLOCKED): step 3 is tried again with
 *    back-off, nothing is taken meanwhile, the journal fills;
 *  - one file cannot be opened: its sink sets its lines aside, step 3 goes on;
 *    the sleep of step 4 is then short, to try again;
 *  - finishing while blocked: once pipeline_abandon was called every batch
 *    gets one more try and is then given up, and counted. */
#include "run/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/say.h"
#include "filter/chain.h"
#include "intake/journal.h"
#include "output/router.h"
#include "record/record.h"

enum {
	ARENA_BYTES = 64 * 1024,
	BATCH_MESSAGES_MAX = 4096,
	BATCH_BYTES_MAX = 1024 * 1024,
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 5000,
	IDLE_SLEEP_MS = 30000, /* sinks close idle files then */
};

struct pipeline {
	struct pipeline_opts opts;
	pthread_t thread;
	bool has_thread;
	struct arena *arena;
	uint64_t taken_total;
	uint64_t dropped_total[DROP_REASON_COUNT];
	uint64_t batches_total;
	struct say_rate blocked_rate;

	pthread_mutex_t bell_lock; /* the five below */
	pthread_cond_t bell;
	bool is_rung;
	bool is_ordered; /* rung with one of the three below */
	bool is_reopening;
	bool is_finishing;
	bool is_abandoning;

	pthread_mutex_t view_lock;
	struct pipeline_view view;
};

/* --- the bell */

struct orders { /* what the intake thread wants, as of one moment */
	bool finish;
	bool abandon;
};

static struct timespec deadline_in(int64_t ms)
{
	int64_t at_ns = clock_mono_ns() + ms * NS_PER_MS;
	return (struct timespec){
		.tv_sec = (time_t)(at_ns / NS_PER_S),
		.tv_nsec = (long)(at_ns % NS_PER_S),
	};
}

/* Sleep until rung or for `ms`, which may be 0; obey, and tell the rest.  With
 * `calm` only an order ends the sleep: more datagrams are no reason to try a
 * full disk again. */
static struct orders listen_for(struct pipeline *p, int64_t ms, bool calm)
{
	struct timespec until = deadline_in(ms);
	pthread_mutex_lock(&p->bell_lock);
	while (!p->is_ordered && (calm || !p->is_rung) && ms > 0)
		if (pthread_cond_timedwait(&p->bell, &p->bell_lock, &until) ==
		    ETIMEDOUT)
			break;
	p->is_rung = p->is_ordered = false;
	struct orders orders = {p->is_finishing, p->is_abandoning};
	bool reopen = p->is_reopening;
	p->is_reopening = false;
	pthread_mutex_unlock(&p->bell_lock);
	if (reopen)
		router_reopen(p->opts.router);
	return orders;
}

static void order(struct pipeline *p, bool *what)
{
	pthread_mutex_lock(&p->bell_lock);
	bool was_rung = p->is_rung && (what == NULL || p->is_ordered);
	p->is_rung = true;
	if (what != NULL)
		*what = p->is_ordered = true;
	if (!was_rung)
		pthread_cond_signal(&p->bell);
	pthread_mutex_unlock(&p->bell_lock);
}

void pipeline_ring(struct pipeline *p)
{
	order(p, NULL);
}

void pipeline_reopen(struct pipeline *p)
{
	order(p, &p->is_reopening);
}

void pipeline_finish(struct pipeline *p)
{
	order(p, &p->is_finishing);
}

void pipeline_abandon(struct pipeline *p)
{
	order(p, &p->is_abandoning);
}

/* --- the counters */

static void publish(struct pipeline *p, bool is_blocked)
{
	pthread_mutex_lock(&p->view_lock);
	struct pipeline_view *v = &p->view;
	v->taken_total = p->taken_total;
	v->batches_total = p->batches_total;
	v->is_blocked = is_blocked;
	for (size_t i = 0; i < DROP_REASON_COUNT; i++)
		v->dropped_total[i] = p->dropped_total[i];
	for (size_t i = 0; i < v->decoder_count; i++)
		v->decoders[i].stats = *decoder_stats(p->opts.decoders[i]);
	const char *name;
	const struct filter *filter;
	for (size_t i = 0; chain_filter(p->opts.chain, i, &name, &filter); i++)
		v->filters[i].stats = filter->stats;
	const struct sink *sink;
	for (size_t i = 0; router_sink(p->opts.router, i, &name, &sink); i++)
		v->sinks[i].stats = sink->stats;
	pthread_mutex_unlock(&p->view_lock);
}

static void view_init(struct pipeline *p)
{
	struct pipeline_view *v = &p->view;
	const char *name;
	const struct filter *filter;
	const struct sink *sink;
	while (chain_filter(p->opts.chain, v->filter_count, &name, &filter))
		v->filter_count++;
	while (router_sink(p->opts.router, v->sink_count, &name, &sink))
		v->sink_count++;
	v->decoder_count = p->opts.decoder_count;
	v->decoders = mem_new(v->decoder_count, sizeof *v->decoders);
	v->filters = mem_new(v->filter_count, sizeof *v->filters);
	v->sinks = mem_new(v->sink_count, sizeof *v->sinks);
	for (size_t i = 0; i < v->decoder_count; i++)
		v->decoders[i].name = decoder_name(p->opts.decoders[i]);
	for (size_t i = 0; i < v->filter_count; i++) {
		chain_filter(p->opts.chain, i, &v->filters[i].name, &filter);
		v->filters[i].ops = filter->ops;
	}
	for (size_t i = 0; i < v->sink_count; i++) {
		router_sink(p->opts.router, i, &v->sinks[i].name, &sink);
		v->sinks[i].ops = sink->ops;
	}
	publish(p, false);
}

/* --- the way of a message */

static void on_record(void *data, struct record *r)
{
	struct pipeline *p = data;
	router_put(p->opts.router, r);
}

static void run_message(struct pipeline *p, const struct journal_entry *entry)
{
	struct message message = {
		.bytes = entry->bytes,
		.arrival_ns = entry->arrival_ns,
		.reason = DROP_unrouted,
	};
	if (entry->bytes.len == 0) {
		message.reason = DROP_empty;
	} else {
		CHECK(entry->source < p->opts.decoder_count);
		struct record *r = decoder_decode(
			p->opts.decoders[entry->source], &message, p->arena);
		if (r == NULL)
			message.reason = DROP_unparsed;
		else
			chain_run(p->opts.chain, r, on_record, p);
	}
	if (!message.is_answered)
		p->dropped_total[message.reason]++;
	p->taken_total++;
	arena_reset(p->arena);
}

/* False when there was nothing. */
static bool take_batch(struct pipeline *p)
{
	struct journal_entry entry;
	size_t messages = 0, bytes = 0;
	while (messages < BATCH_MESSAGES_MAX && bytes < BATCH_BYTES_MAX &&
	       journal_take(p->opts.journal, &entry)) {
		run_message(p, &entry);
		messages++;
		bytes += entry.bytes.len;
	}
	return messages > 0;
}

static void say_blocked(struct pipeline *p, int64_t wait_ms)
{
	say_rated(&p->blocked_rate, SAY_ERROR, "pipeline",
		  "err=\"an output takes nothing, the journal holds\" "
		  "journal_bytes=%zu of=%zu retry_ms=%lld",
		  journal_pending_bytes(p->opts.journal),
		  journal_ring_bytes(p->opts.journal), (long long)wait_ms);
}

/* Write what was put; returns when it is written or given up. */
static void flush(struct pipeline *p, struct orders *orders)
{
	int64_t wait_ms = BACKOFF_MIN_MS;
	while (router_flush(p->opts.router, clock_mono_ns()) == SINK_BLOCKED) {
		if (orders->abandon) {
			router_abandon(p->opts.router);
			break;
		}
		publish(p, true);
		p->opts.on_settled(p->opts.data);
		say_blocked(p, wait_ms);
		*orders = listen_for(p, wait_ms, true);
		wait_ms = wait_ms * 2 < BACKOFF_MAX_MS ? wait_ms * 2
						       : BACKOFF_MAX_MS;
	}
	journal_commit(p->opts.journal);
	publish(p, false);
	p->opts.on_settled(p->opts.data);
}

static bool has_set_aside(const struct pipeline *p)
{
	const char *name;
	const struct sink *sink;
	for (size_t i = 0; router_sink(p->opts.router, i, &name, &sink); i++)
		if (sink->stats.lines_queued > 0)
			return true;
	return false;
}

static void *run_thread(void *data)
{
	struct pipeline *p = data;
	struct orders orders = {0};
	for (;;) {
		while (take_batch(p)) {
			p->batches_total++;
			flush(p, &orders);
			orders = listen_for(p, 0, false);
		}
		if (orders.finish)
			break;
		orders = listen_for(
			p, has_set_aside(p) ? BACKOFF_MIN_MS : IDLE_SLEEP_MS,
			false);
		/* Idle files are closed, lines set aside are tried again. */
		flush(p, &orders);
	}
	/* A file that could not be opened gets its last try, also when it
	 * would not be due yet. */
	router_reopen(p->opts.router);
	flush(p, &orders);
	router_abandon(p->opts.router);
	publish(p, false);
	p->opts.on_finished(p->opts.data);
	return NULL;
}

struct pipeline *pipeline_start(const struct pipeline_opts *opts, struct err *e)
{
	struct pipeline *p = mem_new(1, sizeof *p);
	p->opts = *opts;
	p->arena = arena_new(ARENA_BYTES);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->bell, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&p->bell_lock, NULL);
	pthread_mutex_init(&p->view_lock, NULL);
	view_init(p);
	int error = pthread_create(&p->thread, NULL, run_thread, p);
	if (error != 0) {
		err_sys(e, error, "start the pipeline thread");
		goto fail;
	}
	p->has_thread = true;
	pthread_setname_np(p->thread, "pipeline");
	return p;
fail:
	pipeline_free(p);
	return NULL;
}

void pipeline_free(struct pipeline *p)
{
	if (p == NULL)
		return;
	if (p->has_thread)
		pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->bell);
	pthread_mutex_destroy(&p->bell_lock);
	pthread_mutex_destroy(&p->view_lock);
	free(p->view.decoders);
	free(p->view.filters);
	free(p->view.sinks);
	arena_free(p->arena);
	free(p);
}

const struct pipeline_view *pipeline_view_begin(struct pipeline *p)
{
	pthread_mutex_lock(&p->view_lock);
	return &p->view;
}

void pipeline_view_end(struct pipeline *p)
{
	pthread_mutex_unlock(&p->view_lock);
}
