/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 *  1. the intake thread appends messages to the journal and wakes this thread;
 *  2. the thread takes up to a batch of messages and runs each one through its
 *     decoder, the filter chain and the router; the sinks collect the lines;
 *  3. the sinks write, the journal commits, the counters are published.
 *
 * Failure modes:
 *  - the disk rejects writes (SINK_BLOCKED): step 3 is retried with back-off,
 *    no message is taken meanwhile, and the journal fills;
 *  - a write hangs: the watchdog calls pipeline_set_hanging, and until the
 *    write ends, the view and the receiver treat the output as blocked;
 *  - one file cannot be opened: its sink spills the lines and retries soon;
 *  - they cannot be spilled: after ten attempts, they wait in memory;
 *  - the worker leaves while blocked: the next worker gets the batch again;
 *  - after pipeline_stop_retrying, every batch gets one more attempt. */
#include "pipeline/pipeline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/cpu_wait.h"
#include "base/log.h"
#include "base/mem.h"
#include "file/dead_letter.h"
#include "filter/chain.h"
#include "journal/journal.h"
#include "journal/peer_address.h"
#include "output/router.h"
#include "pipeline/counters.h"
#include "pipeline/cpu_share.h"
#include "pipeline/outputs.h"
#include "pipeline/unsaved.h"
#include "pipeline/view.h"
#include "pipeline/wakeup.h"
#include "record/record.h"

enum {
	ARENA_BYTES = 64 * 1024,
	BATCH_MESSAGES_MAX = 4096,
	BATCH_BYTES_MAX = 1024 * 1024,
	/* A hook may make any number of lines from one message.  They wait in
	 * memory, with one note per file.  Half of the notes is reserved for
	 * the process that repeats the batch after a kill. */
	LINES_BYTES_MAX = 7 * BATCH_BYTES_MAX / 2,
	FILES_MAX = JOURNAL_NOTES_MAX / 2,
	/* A batch for many files takes more messages, but at most this part of
	 * the journal, because that space is free only after the commit. */
	MANY_FILES = 64,
	WIDE_MESSAGES_MAX = 4 * BATCH_MESSAGES_MAX,
	WIDE_JOURNAL_PART = 4,
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 5000,
	IDLE_SLEEP_MS = 30000,	 /* sinks close idle files then */
	HALF_DEATHS_MAX = 2 * 2, /* then a message is set aside */
};

/* With a slow hook, lines must not wait for a full batch. */
#define BATCH_NS_MAX (NS_PER_S / 2)

struct pipeline {
	struct pipeline_opts opts;
	struct outputs outputs;
	pthread_t thread;
	_Atomic pid_t thread_id; /* 0 before the thread runs */
	bool has_thread;
	struct arena *arena;
	struct pipeline_totals totals;
	struct counters *counters; /* of the view, for the journal */
	bool has_set_aside;	   /* a message of this batch */
	atomic_bool has_next;	   /* see pipeline_finish_for_next */
	struct cpu_share share;
	int64_t now_ns;	  /* when the clock was last read */
	int64_t began_ns; /* when the batch began */
	int64_t throttled_ns;

	struct wakeup wakeup;

	pthread_mutex_t view_lock;
	struct pipeline_view view;
};

/* --- called by the intake thread */

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

void pipeline_finish_for_next(struct pipeline *p)
{
	atomic_store(&p->has_next, true);
	pipeline_finish(p);
}

void pipeline_leave(struct pipeline *p)
{
	wakeup_order(&p->wakeup, ORDER_LEAVE);
}

void pipeline_pause(struct pipeline *p)
{
	wakeup_order(&p->wakeup, ORDER_PAUSE);
}

void pipeline_resume(struct pipeline *p)
{
	wakeup_resume(&p->wakeup);
}

bool pipeline_is_paused(struct pipeline *p)
{
	return wakeup_is_paused(&p->wakeup);
}

void pipeline_stop_retrying(struct pipeline *p)
{
	wakeup_order(&p->wakeup, ORDER_STOP_RETRYING);
}

uint64_t pipeline_work(const struct pipeline *p, const char **filter)
{
	*filter = chain_working(p->opts.chain);
	return journal_work(p->opts.journal);
}

int64_t pipeline_cpu_wait_ns(const struct pipeline *p)
{
	return cpu_wait_ns(atomic_load(&p->thread_id));
}

uint64_t pipeline_output_work(const struct pipeline *p, struct output_work *at)
{
	return outputs_work(&p->outputs, at);
}

/* publish() follows each flush.  The lock decides which of the two comes first;
 * either way, nothing stays blocked after the flush. */
bool pipeline_set_hanging(struct pipeline *p, uint64_t output_work)
{
	struct output_work at;
	pthread_mutex_lock(&p->view_lock);
	bool is_hanging = outputs_work(&p->outputs, &at) == output_work;
	if (is_hanging) {
		p->view.is_blocked = p->view.is_hanging = true;
		p->opts.on_progress(p->opts.data, true);
	}
	pthread_mutex_unlock(&p->view_lock);
	return is_hanging;
}

/* --- the counters */

static void publish(struct pipeline *p, bool is_blocked, bool is_committed)
{
	pthread_mutex_lock(&p->view_lock);
	p->view.totals = p->totals;
	if (is_committed)
		p->view.committed = p->totals.taken;
	p->view.is_blocked = is_blocked;
	p->view.is_hanging = false;
	p->view.cpu_limit = p->share.limit;
	p->view.throttled_ns = p->throttled_ns;
	view_copy(&p->view, &p->opts);
	unsaved_count(&p->view, is_committed);
	pthread_mutex_unlock(&p->view_lock);
}

/* Continue with the counters and the spills of the previous process. */
static void restore(struct pipeline *p)
{
	view_restore(&p->view, &p->opts, &p->outputs);
	publish(p, false, true);
}

static void commit(struct pipeline *p)
{
	outputs_report_unclaimed(p->opts.journal);
	publish(p, false, true);
	size_t bytes;
	const void *block = counters_pack(p->counters, &bytes);
	journal_commit(p->opts.journal, block, bytes);
	outputs_committed(&p->outputs);
	p->opts.on_progress(p->opts.data, false);
}

/* --- one message */

static void on_record(void *data, struct record *r)
{
	struct pipeline *p = data;
	router_put(p->opts.router, r);
}

/* No sink counts the message.  Keep it as a dead letter if it has a loss; if
 * that is not possible, or if it has none, drop it. */
static void settle_unanswered(struct pipeline *p, const struct message *message,
			      const char *input)
{
	CHECK(message->reason != DROP_none);
	if (p->opts.dead_letter == NULL || !message_has_loss(message) ||
	    !dead_letter_put(p->opts.dead_letter, message, input,
			     drop_reason_name(message->reason)))
		p->totals.dropped[message->reason]++;
}

/* Why the message must not become a record; DROP_none if it may. */
static enum drop_reason refusal_of(struct pipeline *p,
				   const struct journal_entry *entry)
{
	if (entry->bytes.len == 0 || entry->is_replayed)
		return entry->is_replayed ? DROP_replayed : DROP_empty;
	if (entry->half_deaths < HALF_DEATHS_MAX)
		return DROP_none;
	p->has_set_aside = true;
	log_line(LOG_ERROR, "pipeline",
		 "input=%s bytes=%zu err=\"two workers died while they "
		 "processed this message\" reason=killed_worker action=\"%s\"",
		 decoder_name(p->opts.decoders[entry->input]), entry->bytes.len,
		 p->opts.dead_letter != NULL ? "keeping it in Dead_Letter"
					     : "dropping it");
	return DROP_killed_worker;
}

static void run_message(struct pipeline *p, struct journal_entry *entry)
{
	struct span peer_address = peer_address_take(entry);
	struct message message = {
		.bytes = entry->bytes,
		.peer_address = peer_address,
		.arrival_ns = entry->arrival_ns,
		.reason = refusal_of(p, entry),
	};
	struct decoder *decoder = p->opts.decoders[entry->input];
	if (message.reason == DROP_none) {
		struct record *r = decoder_decode(decoder, &message, p->arena);
		if (r == NULL)
			message.reason = DROP_unparsed;
		else
			chain_run(p->opts.chain, r, on_record, p);
	}
	router_end(p->opts.router);
	if (!message.is_answered)
		settle_unanswered(p, &message, decoder_name(decoder));
	p->totals.taken++;
	arena_reset(p->arena);
}

/* Leave CPU to receiving: see pipeline/cpu_share.h.  An order ends the pause;
 * the order is carried out after the batch.  Returns the time since the clock
 * was last read. */
static int64_t throttle(struct pipeline *p)
{
	int64_t now_ns = clock_mono_ns(), busy_ns = now_ns - p->now_ns;
	cpu_share_read_limit(&p->share, now_ns);
	p->now_ns = now_ns;
	/* Reading the CPU clock is a system call and takes 1 % of all time. */
	if (p->share.limit.quota_ns == 0)
		return busy_ns;
	int64_t pause_ns =
		cpu_share_pause_ns(&p->share, now_ns, clock_cpu_ns());
	if (pause_ns == 0)
		return busy_ns;
	journal_rest(p->opts.journal);
	wakeup_sleep(&p->wakeup, pause_ns);
	p->now_ns = clock_mono_ns();
	p->throttled_ns += p->now_ns - now_ns;
	return busy_ns;
}

/* A batch that a killed process had begun is repeated as a whole, however large
 * it was.  If only a part were committed, the rest would be written twice. */
static bool is_full(const struct pipeline *p, size_t messages, size_t bytes)
{
	if (messages == 0 || journal_is_repeating(p->opts.journal))
		return false;
	if (wakeup_has_order(&p->wakeup) || p->has_set_aside ||
	    p->now_ns - p->began_ns >= BATCH_NS_MAX)
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

/* False when the journal was empty. */
static bool take_batch(struct pipeline *p)
{
	struct journal_entry entry;
	size_t messages = 0, bytes = 0;
	unsigned until_clock = 0;
	p->began_ns = p->now_ns = clock_mono_ns();
	p->has_set_aside = false;
	while (!is_full(p, messages, bytes) &&
	       journal_take(p->opts.journal, &entry)) {
		if (until_clock-- == 0)
			until_clock =
				cpu_share_messages(&p->share, throttle(p)) - 1;
		journal_begin(p->opts.journal, &entry);
		run_message(p, &entry);
		messages++;
		bytes += entry.bytes.len;
	}
	journal_rest(p->opts.journal);
	return messages > 0;
}

/* Sleep as wakeup_wait does, and pause if ordered. */
static struct orders await(struct pipeline *p, int64_t ms, bool orders_only)
{
	struct orders orders = wakeup_wait(&p->wakeup, ms, orders_only);
	while (orders.pause) {
		p->opts.on_paused(p->opts.data);
		orders = wakeup_wait(&p->wakeup, IDLE_SLEEP_MS, true);
	}
	if (orders.reopen && !orders.leave)
		outputs_reopen(&p->outputs);
	return orders;
}

/* Write the batch and commit it.  False if it is left for the next process. */
static bool flush(struct pipeline *p, struct orders *orders)
{
	struct backoff backoff = {.min_ms = BACKOFF_MIN_MS,
				  .max_ms = BACKOFF_MAX_MS};
	while (!orders->leave && outputs_flush(&p->outputs) == SINK_BLOCKED) {
		if (orders->stop_retrying) {
			if (p->opts.is_durable)
				return false;
			outputs_drop_buffered(&p->outputs);
			break;
		}
		publish(p, true, false);
		p->opts.on_progress(p->opts.data, true);
		int64_t wait_ms = backoff_next_ms(&backoff);
		outputs_log_blocked(&p->outputs, p->opts.journal, wait_ms);
		*orders = await(p, wait_ms, true);
	}
	if (orders->leave)
		return false;
	commit(p);
	return true;
}

/* Run batches until the journal is empty.  False when it is time to leave. */
static bool run_batches(struct pipeline *p, struct orders *orders)
{
	while (!orders->leave && take_batch(p)) {
		p->totals.batches++;
		if (!flush(p, orders))
			return false;
		*orders = await(p, 0, false);
	}
	return !orders->leave;
}

/* The last batch is written.  Lines that still wait for their file are retried
 * even if they would not be due yet. */
static void end_well(struct pipeline *p, struct orders *orders)
{
	struct backoff backoff = {.min_ms = BACKOFF_MIN_MS,
				  .max_ms = BACKOFF_MAX_MS};
	outputs_reopen(&p->outputs);
	while (flush(p, orders)) {
		int64_t wait_ms = 0;
		if (!orders->stop_retrying)
			wait_ms = unsaved_retry_ms(&p->view, &backoff,
						   atomic_load(&p->has_next));
		if (wait_ms == 0) {
			outputs_drop_buffered(&p->outputs);
			commit(p);
			return;
		}
		*orders = await(p, wait_ms, true);
		outputs_reopen(&p->outputs);
	}
}

static struct orders sleep_until_woken(struct pipeline *p)
{
	bool is_due_soon = outputs_have_queued_lines(&p->outputs);
	return await(p, is_due_soon ? BACKOFF_MIN_MS : IDLE_SLEEP_MS, false);
}

static void *run_thread(void *data)
{
	struct pipeline *p = data;
	atomic_store(&p->thread_id, gettid());
	struct orders orders = sleep_until_woken(p);
	if (p->opts.starts_held) {
		if (orders.leave)
			goto end; /* the counters stay as they were */
		restore(p);
	}
	/* A batch that must be repeated comes first: flush commits, and a
	 * commit would erase its notes. */
	bool goes_on =
		journal_is_repeating(p->opts.journal) || flush(p, &orders);
	while (goes_on && run_batches(p, &orders)) {
		if (orders.finish) {
			end_well(p, &orders);
			break;
		}
		orders = sleep_until_woken(p);
		/* Close idle files and retry lines that wait. */
		goes_on = flush(p, &orders);
	}
	publish(p, false, false);
	unsaved_log_lost(&p->view);
end:
	p->opts.on_finished(p->opts.data);
	return NULL;
}

/* Before the thread starts: it begins with a pause. */
static void hold(struct pipeline *p)
{
	p->view.is_blocked = p->view.is_hanging = true;
	wakeup_order(&p->wakeup, ORDER_PAUSE);
	p->opts.on_progress(p->opts.data, true);
}

struct pipeline *pipeline_start(const struct pipeline_opts *opts, struct err *e)
{
	struct pipeline *p = mem_new(1, sizeof *p);
	p->opts = *opts;
	p->outputs.router = opts->router;
	p->outputs.dead_letter = opts->dead_letter;
	p->outputs.totals = &p->totals;
	p->arena = arena_new(ARENA_BYTES);
	wakeup_init(&p->wakeup);
	pthread_mutex_init(&p->view_lock, NULL);
	view_init(&p->view, &p->opts);
	p->counters = counters_new(&p->view);
	view_unpack(&p->view, &p->opts);
	if (opts->starts_held)
		hold(p);
	else
		restore(p);
	int error = pthread_create(&p->thread, NULL, run_thread, p);
	if (error != 0) {
		err_sys(e, error, "start the pipeline thread");
		pipeline_free(p);
		return NULL;
	}
	p->has_thread = true;
	pthread_setname_np(p->thread, PIPELINE_THREAD);
	return p;
}

void pipeline_join(struct pipeline *p)
{
	if (p->has_thread)
		pthread_join(p->thread, NULL);
	p->has_thread = false;
}

void pipeline_free(struct pipeline *p)
{
	if (p == NULL)
		return;
	pipeline_join(p);
	wakeup_fini(&p->wakeup);
	pthread_mutex_destroy(&p->view_lock);
	counters_free(p->counters);
	view_fini(&p->view);
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
