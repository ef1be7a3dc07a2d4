/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/outputs.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/log.h"
#include "file/dead_letter.h"
#include "journal/journal.h"
#include "output/router.h"
#include "pipeline/pipeline.h"

static void set_began(struct outputs *o, int64_t now_ns)
{
	atomic_store_explicit(&o->began_ns, now_ns, memory_order_relaxed);
}

static void move(uint64_t *from, uint64_t *found)
{
	uint64_t count = *found < *from ? *found : *from;
	*from -= count;
	*found -= count;
}

/* Outputs may find spilled lines that they had not counted.  First, these are
 * taken from the lines of removed outputs (totals->queued).  Any others count
 * as received, because they may come from another journal.  When all outputs
 * have found their lines, router_settle() finds those that another output had
 * counted, for example because its name now belongs to another section: they
 * are subtracted from that output and no longer count as received. */
void outputs_settle(struct outputs *o)
{
	struct pipeline_totals *totals = o->totals;
	struct sink_moved found = {0};
	bool is_all = router_found(o->router, &found);
	if (o->dead_letter != NULL &&
	    !dead_letter_found(o->dead_letter, &found))
		is_all = false;
	move(&totals->queued, &found.messages);
	move(&totals->queued_lines, &found.lines);
	totals->found += found.messages;
	o->moved.messages += found.messages;
	o->moved.lines += found.lines;
	if (!is_all)
		return;
	uint64_t messages = o->moved.messages;
	router_settle(o->router, &o->moved);
	if (o->dead_letter != NULL)
		dead_letter_settle(o->dead_letter, &o->moved);
	totals->found -= messages - o->moved.messages;
	o->moved = (struct sink_moved){0};
}

enum sink_flush outputs_flush(struct outputs *o)
{
	int64_t now_ns = clock_mono_ns();
	set_began(o, now_ns);
	enum sink_flush answer = router_flush(o->router, now_ns);
	if (o->dead_letter != NULL &&
	    dead_letter_flush(o->dead_letter, now_ns) == SINK_BLOCKED)
		answer = SINK_BLOCKED;
	outputs_settle(o);
	set_began(o, 0);
	return answer;
}

void outputs_log_blocked(struct outputs *o, const struct journal *journal,
			 int64_t wait_ms)
{
	log_rated(&o->blocked_rate, LOG_ERROR, "pipeline",
		  "err=\"output blocked\" journal_bytes=%zu "
		  "journal_size_bytes=%zu retry_ms=%lld "
		  "action=\"messages stay in the journal\"",
		  journal_pending_bytes(journal), journal_ring_bytes(journal),
		  (long long)wait_ms);
}

void outputs_report_unclaimed(const struct journal *journal)
{
	size_t notes = journal_unclaimed(journal);
	if (notes > 0)
		log_line(LOG_WARN, "pipeline",
			 "noted_writes=%zu err=\"the previous process began to "
			 "write this batch to files that no output writes "
			 "now\" action=\"writing all lines of the batch; they "
			 "may be in the old files too\"",
			 notes);
}

void outputs_committed(const struct outputs *o)
{
	router_committed(o->router);
	if (o->dead_letter != NULL)
		dead_letter_committed(o->dead_letter);
}

void outputs_reopen(struct outputs *o)
{
	set_began(o, clock_mono_ns());
	router_reopen(o->router);
	if (o->dead_letter != NULL)
		dead_letter_reopen(o->dead_letter);
	set_began(o, 0);
}

uint64_t outputs_work(const struct outputs *o, struct output_work *at)
{
	int64_t began_ns =
		atomic_load_explicit(&o->began_ns, memory_order_relaxed);
	at->output = router_working(o->router);
	router_working_path(o->router, at->path);
	if (at->output == NULL)
		at->output = DEAD_LETTER_NAME;
	/* Both terms only grow, so no value occurs twice. */
	return began_ns == 0 ? 0
			     : (uint64_t)began_ns + router_answers(o->router);
}

void outputs_drop_buffered(const struct outputs *o)
{
	router_drop_buffered(o->router);
	if (o->dead_letter != NULL)
		dead_letter_drop_buffered(o->dead_letter);
}

bool outputs_have_queued_lines(const struct outputs *o)
{
	const char *name;
	const struct sink *sink;
	for (size_t i = 0; router_sink(o->router, i, &name, &sink); i++)
		if (sink->stats.lines_queued > 0)
			return true;
	return o->dead_letter != NULL &&
	       dead_letter_stats(o->dead_letter)->lines_queued > 0;
}
