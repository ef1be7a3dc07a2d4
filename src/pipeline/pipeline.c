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
 *  - leaving while blocked: the batch is not committed, the next process has
 *    it again, and the journal's notes tell it what is written already;
 *  - finishing while blocked: once pipeline_abandon was called every batch
 *    gets one more try and is then given up, and counted. */
#include "pipeline/pipeline.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "file/dead_letter.h"
#include "filter/chain.h"
#include "journal/journal.h"
#include "journal/peer_address.h"
#include "output/router.h"
#include "pipeline/counters.h"
#include "pipeline/cpu_share.h"
#include "pipeline/wakeup.h"
#include "record/record.h"

enum {
	ARENA_BYTES = 64 * 1024,
	BATCH_MESSAGES_MAX = 4096,
	BATCH_BYTES_MAX = 1024 * 1024,
	/* A hook may make any number of lines of a message.  They wait in
	 * memory, with a note for each file; half of the notes is left for a
	 * process that is killed in the batch a second time. */
	LINES_BYTES_MAX = 7 * BATCH_BYTES_MAX / 2,
	FILES_MAX = JOURNAL_NOTES_MAX / 2,
	/* With many files it is their number that costs, and a wide batch has
	 * more lines for each.  It ends also when a part of the journal is
	 * taken, since none of that gets free before. */
	MANY_FILES = 64,
	WIDE_MESSAGES_MAX = 4 * BATCH_MESSAGES_MAX,
	WIDE_JOURNAL_PART = 4,
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 5000,
	IDLE_SLEEP_MS = 30000, /* sinks close idle files then */
};

/* Slow hooks keep no line, and no order, waiting for a whole batch. */
#define BATCH_NS_MAX (NS_PER_S / 2)
#define LIMIT_AGE_NS (10 * NS_PER_S) /* a pod may be resized while it runs */

struct pipeline {
	struct pipeline_opts opts;
	pthread_t thread;
	bool has_thread;
	struct arena *arena;
	struct pipeline_totals totals;
	char *counters; /* COUNTERS_BYTES, for the journal */
	struct log_rate blocked_rate;
	struct cpu_share share;
	int64_t limit_read_ns;
	int64_t looked_ns; /* at the clock, last */
	int64_t began_ns;  /* the batch */
	int64_t rested_ns;

	struct wakeup wakeup;

	pthread_mutex_t view_lock;
	struct pipeline_view view;
};

/* --- the intake thread's */

void pipeline_wake(struct pipeline *p)
{
	wakeup_notify(&p->wakeup);
}

void pipeline_reopen(struct pipeline *p)
{
	wakeup_order(&p->wakeup, ORDER_REOPEN);
}

void pipeline_finish(struct pipeline *p)
{
	wakeup_order(&p->wakeup, ORDER_FINISH);
}

void pipeline_leave(struct pipeline *p)
{
	wakeup_order(&p->wakeup, ORDER_LEAVE);
}

void pipeline_abandon(struct pipeline *p)
{
	wakeup_order(&p->wakeup, ORDER_ABANDON);
}

/* --- the counters */

static void publish(struct pipeline *p, bool is_blocked)
{
	pthread_mutex_lock(&p->view_lock);
	struct pipeline_view *v = &p->view;
	v->totals = p->totals;
	v->is_blocked = is_blocked;
	v->cpu_limit = p->share.limit;
	v->rested_ns = p->rested_ns;
	for (size_t i = 0; i < v->decoder_count; i++)
		v->decoders[i].stats = *decoder_stats(p->opts.decoders[i]);
	const char *name;
	const struct filter *filter;
	for (size_t i = 0; chain_filter(p->opts.chain, i, &name, &filter); i++)
		v->filters[i].stats = filter->stats;
	const struct sink *sink;
	for (size_t i = 0; router_sink(p->opts.router, i, &name, &sink); i++)
		v->sinks[i].stats = sink->stats;
	if (p->opts.dead_letter != NULL)
		v->sinks[v->sink_count - 1].stats =
			*dead_letter_stats(p->opts.dead_letter);
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
	v->sinks = mem_new(v->sink_count + 1, sizeof *v->sinks);
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
	if (p->opts.dead_letter != NULL)
		v->sinks[v->sink_count++] = (struct sink_view){
			.name = "dead_letter", .is_dead_letter = true};
}

/* What an output that is no more has spilled, and another one found, is
 * queued there. */
static void move_queued(struct pipeline *p)
{
	const struct pipeline_view *v = &p->view;
	const char *name;
	const struct sink *sink;
	uint64_t found = 0;
	for (size_t i = 0; router_sink(p->opts.router, i, &name, &sink); i++)
		found += sink->stats.messages_total -
			 v->sinks[i].stats.messages_total;
	p->totals.queued -= found < p->totals.queued ? found : p->totals.queued;
}

/* Go on with what the process before has counted. */
static void restore(struct pipeline *p)
{
	struct pipeline_view *v = &p->view;
	const void *block = journal_counters(p->opts.journal, COUNTERS_BYTES);
	if (block != NULL)
		counters_unpack(block, v);
	p->totals = v->totals;
	for (size_t i = 0; i < v->decoder_count; i++)
		decoder_restore(p->opts.decoders[i], &v->decoders[i].stats);
	for (size_t i = 0; i < v->filter_count; i++)
		chain_restore(p->opts.chain, i, &v->filters[i].stats);
	for (size_t i = 0; i < v->sink_count; i++) {
		const struct sink_stats *stats =
			v->sinks[i].is_restored ? &v->sinks[i].stats : NULL;
		if (!v->sinks[i].is_dead_letter)
			router_restore(p->opts.router, i, stats);
		else if (stats != NULL)
			dead_letter_restore(p->opts.dead_letter, stats);
	}
	move_queued(p);
}

static void commit(struct pipeline *p)
{
	publish(p, false);
	counters_pack(&p->view, p->counters);
	journal_commit(p->opts.journal, p->counters, COUNTERS_BYTES);
	router_settled(p->opts.router);
	if (p->opts.dead_letter != NULL)
		dead_letter_settled(p->opts.dead_letter);
	p->opts.on_settled(p->opts.data);
}

/* --- the way of a message */

static void on_record(void *data, struct record *r)
{
	struct pipeline *p = data;
	router_put(p->opts.router, r);
}

/* No sink took a line of it.  Dropped as configured, or for no Match, is as
 * the operator wishes; the rest is kept where it can be replayed. */
static void settle_unanswered(struct pipeline *p, const struct message *message,
			      const char *input)
{
	bool is_kept = p->opts.dead_letter != NULL &&
		       message->reason != DROP_empty &&
		       message->reason != DROP_filtered &&
		       message->reason != DROP_unrouted;
	if (!is_kept || !dead_letter_put(p->opts.dead_letter, message, input,
					 drop_reason_name(message->reason)))
		p->totals.dropped[message->reason]++;
}

static void run_message(struct pipeline *p, struct journal_entry *entry)
{
	struct span peer_address = peer_address_take(entry);
	struct message message = {
		.bytes = entry->bytes,
		.peer_address = peer_address,
		.arrival_ns = entry->arrival_ns,
		.reason = DROP_unrouted,
	};
	/* A journal may be older than a configuration with fewer inputs. */
	size_t source =
		entry->source < p->opts.decoder_count ? entry->source : 0;
	struct decoder *decoder = p->opts.decoders[source];
	if (entry->bytes.len == 0) {
		message.reason = DROP_empty;
	} else {
		struct record *r = decoder_decode(decoder, &message, p->arena);
		if (r == NULL)
			message.reason = DROP_unparsed;
		else
			chain_run(p->opts.chain, r, on_record, p);
	}
	if (!message.is_answered)
		settle_unanswered(p, &message, decoder_name(decoder));
	p->totals.taken++;
	arena_reset(p->arena);
}

/* Receiving goes before: see pipeline/cpu_share.h.  An order ends the rest; it is
 * carried out when the batch is. */
static void rest(struct pipeline *p)
{
	int64_t now_ns = clock_mono_ns();
	if (p->limit_read_ns == 0 ||
	    now_ns - p->limit_read_ns >= LIMIT_AGE_NS) {
		/* What was used until now is none of the new one's. */
		cpu_share_rest_ns(&p->share, now_ns, clock_cpu_ns());
		p->share.limit = cpu_limit_read("");
		p->limit_read_ns = now_ns;
	}
	p->looked_ns = now_ns;
	/* The clock of used CPU is a system call, a hundredth of all time. */
	if (p->share.limit.quota_ns == 0)
		return;
	int64_t rest_ns = cpu_share_rest_ns(&p->share, now_ns, clock_cpu_ns());
	if (rest_ns == 0)
		return;
	wakeup_sleep(&p->wakeup, rest_ns);
	p->looked_ns = clock_mono_ns();
	p->rested_ns += p->looked_ns - now_ns;
}

/* What a killed process had begun is taken whole, however large its batch was:
 * a part would be committed, and the rest be written a second time. */
static bool is_full(const struct pipeline *p, size_t messages, size_t bytes)
{
	if (messages == 0 || journal_is_repeating(p->opts.journal))
		return false;
	if (p->looked_ns - p->began_ns >= BATCH_NS_MAX)
		return true;
	size_t lines_bytes, files;
	router_batch(p->opts.router, &lines_bytes, &files);
	if (lines_bytes >= LINES_BYTES_MAX || files >= FILES_MAX)
		return true;
	if (messages < BATCH_MESSAGES_MAX && bytes < BATCH_BYTES_MAX)
		return false;
	return files < MANY_FILES || messages >= WIDE_MESSAGES_MAX ||
	       bytes >= journal_ring_bytes(p->opts.journal) / WIDE_JOURNAL_PART;
}

/* False when there was nothing. */
static bool take_batch(struct pipeline *p)
{
	struct journal_entry entry;
	size_t messages = 0, bytes = 0;
	unsigned until_look = 0;
	p->began_ns = p->looked_ns = clock_mono_ns();
	while (!is_full(p, messages, bytes) &&
	       journal_take(p->opts.journal, &entry)) {
		if (until_look-- == 0) {
			rest(p);
			until_look = p->share.messages - 1;
		}
		run_message(p, &entry);
		messages++;
		bytes += entry.bytes.len;
	}
	return messages > 0;
}

static void say_blocked(struct pipeline *p, int64_t wait_ms)
{
	log_rated(&p->blocked_rate, LOG_ERROR, "pipeline",
		  "err=\"an output takes nothing, the journal holds\" "
		  "journal_bytes=%zu of=%zu retry_ms=%lld",
		  journal_pending_bytes(p->opts.journal),
		  journal_ring_bytes(p->opts.journal), (long long)wait_ms);
}

static enum sink_flush flush_all(struct pipeline *p)
{
	int64_t now_ns = clock_mono_ns();
	enum sink_flush answer = router_flush(p->opts.router, now_ns);
	if (p->opts.dead_letter != NULL &&
	    dead_letter_flush(p->opts.dead_letter, now_ns) == SINK_BLOCKED)
		answer = SINK_BLOCKED;
	return answer;
}

static void reopen_all(struct pipeline *p)
{
	router_reopen(p->opts.router);
	if (p->opts.dead_letter != NULL)
		dead_letter_reopen(p->opts.dead_letter);
}

static void abandon_all(struct pipeline *p)
{
	router_abandon(p->opts.router);
	if (p->opts.dead_letter != NULL)
		dead_letter_abandon(p->opts.dead_letter);
}

/* Write what was put; false when it was left for the next process. */
static bool flush(struct pipeline *p, struct orders *orders)
{
	int64_t wait_ms = BACKOFF_MIN_MS;
	while (flush_all(p) == SINK_BLOCKED) {
		if (orders->leave)
			return false;
		if (orders->abandon) {
			if (p->opts.is_durable)
				return false;
			abandon_all(p);
			break;
		}
		publish(p, true);
		p->opts.on_settled(p->opts.data);
		say_blocked(p, wait_ms);
		*orders = wakeup_wait(&p->wakeup, wait_ms, true);
		if (orders->reopen)
			reopen_all(p);
		wait_ms = wait_ms * 2 < BACKOFF_MAX_MS ? wait_ms * 2
						       : BACKOFF_MAX_MS;
	}
	commit(p);
	return true;
}

static bool has_set_aside(const struct pipeline *p)
{
	const char *name;
	const struct sink *sink;
	for (size_t i = 0; router_sink(p->opts.router, i, &name, &sink); i++)
		if (sink->stats.lines_queued > 0)
			return true;
	return p->opts.dead_letter != NULL &&
	       dead_letter_stats(p->opts.dead_letter)->lines_queued > 0;
}

/* Until the journal is empty, or it is time to leave: false. */
static bool run_batches(struct pipeline *p, struct orders *orders)
{
	while (!orders->leave && take_batch(p)) {
		p->totals.batches++;
		if (!flush(p, orders))
			return false;
		*orders = wakeup_wait(&p->wakeup, 0, false);
		if (orders->reopen)
			reopen_all(p);
	}
	return !orders->leave;
}

/* The last batch is written; what is set aside gets its last try, also when it
 * would not be due yet. */
static void end_well(struct pipeline *p, struct orders *orders)
{
	reopen_all(p);
	if (!flush(p, orders))
		return;
	abandon_all(p);
	commit(p);
}

static struct orders sleep_until_rung(struct pipeline *p)
{
	int64_t sleep_ms = has_set_aside(p) ? BACKOFF_MIN_MS : IDLE_SLEEP_MS;
	struct orders orders = wakeup_wait(&p->wakeup, sleep_ms, false);
	if (orders.reopen)
		reopen_all(p);
	return orders;
}

static void *run_thread(void *data)
{
	struct pipeline *p = data;
	struct orders orders = sleep_until_rung(p);
	/* A batch that is to be repeated comes first: to flush is to commit,
	 * which would forget its notes. */
	bool goes_on =
		journal_is_repeating(p->opts.journal) || flush(p, &orders);
	while (goes_on && run_batches(p, &orders)) {
		if (orders.finish) {
			end_well(p, &orders);
			break;
		}
		orders = sleep_until_rung(p);
		/* Idle files are closed, lines set aside are tried again. */
		goes_on = flush(p, &orders);
	}
	publish(p, false);
	p->opts.on_finished(p->opts.data);
	return NULL;
}

struct pipeline *pipeline_start(const struct pipeline_opts *opts, struct err *e)
{
	struct pipeline *p = mem_new(1, sizeof *p);
	p->opts = *opts;
	p->arena = arena_new(ARENA_BYTES);
	wakeup_init(&p->wakeup);
	pthread_mutex_init(&p->view_lock, NULL);
	p->counters = mem_new(1, COUNTERS_BYTES);
	view_init(p);
	restore(p);
	publish(p, false);
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
	wakeup_fini(&p->wakeup);
	pthread_mutex_destroy(&p->view_lock);
	free(p->counters);
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
