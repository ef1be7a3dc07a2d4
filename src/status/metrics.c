/* SPDX-License-Identifier: Apache-2.0 */
#include "status/metrics.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log_output.h"
#include "intake/socket.h"
#include "journal/journal.h"
#include "pipeline/pipeline.h"
#include "status/worker_counts.h"

const char *metrics_version(void)
{
	return SLUICED_VERSION;
}

struct metrics_balance metrics_balance(const struct metrics *m)
{
	const struct pipeline_view *v = m->view;
	const struct pipeline_totals *t = &v->totals;
	struct metrics_balance sum = {
		.received = m->journal->appended_total +
			    m->journal->refused_total + t->found,
		.written = t->written,
		.dead_lettered = t->dead_lettered,
		.queued = m->journal->appended_total - t->taken + t->queued,
	};
	for (size_t r = 0; r < DROP_REASON_COUNT; r++)
		sum.dropped[r] = t->dropped[r];
	sum.dropped[DROP_journal_full] += m->journal->refused_total;
	for (size_t i = 0; i < v->sink_count; i++) {
		const struct sink_stats *s = &v->sinks[i].stats;
		if (v->sinks[i].is_dead_letter)
			sum.dead_lettered += s->messages_written_total;
		else
			sum.written += s->messages_written_total;
		sum.queued += s->messages_queued;
		for (size_t r = 0; r < DROP_REASON_COUNT; r++)
			sum.dropped[r] += s->messages_dropped_total[r];
	}
	return sum;
}

void metrics_put_label(struct buf *b, const char *value)
{
	for (const char *c = value; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			buf_put_char(b, '\\');
		if (*c == '\n')
			buf_put_text(b, "\\n");
		else
			buf_put_char(b, *c);
	}
}

struct labels {
	const char *key;
	const char *value;
	const char *reason; /* or NULL */
};

static void head(struct buf *b, const char *name, const char *type,
		 const char *help)
{
	buf_printf(b, "# HELP sluiced_%s %s\n# TYPE sluiced_%s %s\n", name,
		   help, name, type);
}

static void plain(struct buf *b, const char *name, uint64_t value)
{
	buf_printf(b, "sluiced_%s %" PRIu64 "\n", name, value);
}

static void sample(struct buf *b, const char *name, struct labels labels,
		   uint64_t value)
{
	buf_printf(b, "sluiced_%s{%s=\"", name, labels.key);
	metrics_put_label(b, labels.value);
	if (labels.reason != NULL)
		buf_printf(b, "\",reason=\"%s", labels.reason);
	buf_printf(b, "\"} %" PRIu64 "\n", value);
}

/* A 64-bit counter in a module's struct. */
struct row {
	const char *name;
	const char *type;
	const char *help;
	size_t offset;
};

static uint64_t figure(const void *stats, const struct row *row)
{
	return *(const uint64_t *)((const char *)stats + row->offset);
}

static void put_balance(struct buf *b, const struct metrics *m)
{
	struct metrics_balance sum = metrics_balance(m);
	struct buf reasons = {0};
	buf_put_text(&reasons, "Messages of which no line, or not every line, "
			       "was written, by reason");
	for (size_t r = 0; r < DROP_REASON_COUNT; r++)
		buf_printf(&reasons, "%s %s: %s", r > 0 ? ";" : ":",
			   drop_reason_name((enum drop_reason)r),
			   drop_reason_help((enum drop_reason)r));
	head(b, "messages_received_total", "counter",
	     "Messages received.  Always equal to written + dropped + "
	     "dead_lettered + queued.");
	plain(b, "messages_received_total", sum.received);
	head(b, "messages_written_total", "counter",
	     "Messages that lost no record and whose line was written.  Of "
	     "several lines, only one decides.  "
	     "sluiced_output_lines_written_total counts each output's lines.");
	plain(b, "messages_written_total", sum.written);
	head(b, "messages_dropped_total", "counter", buf_text(&reasons));
	for (size_t r = 0; r < DROP_REASON_COUNT; r++)
		sample(b, "messages_dropped_total",
		       (struct labels){"reason",
				       drop_reason_name((enum drop_reason)r),
				       NULL},
		       sum.dropped[r]);
	buf_fini(&reasons);
	head(b, "messages_dead_lettered_total", "counter",
	     "Messages kept in the Dead_Letter file for sluiced replay.  Some "
	     "of their records may have become lines.");
	plain(b, "messages_dead_lettered_total", sum.dead_lettered);
	head(b, "messages_queued", "gauge",
	     "Messages that wait in the journal, or whose line waits for its "
	     "file.  If several outputs get a line of a message, only one of "
	     "these lines counts here; the others count only in "
	     "sluiced_output_lines_queued.");
	plain(b, "messages_queued", sum.queued);
}

static void real(struct buf *b, const char *name, double value)
{
	buf_printf(b, "sluiced_%s %.3f\n", name, value);
}

static void put_cpu(struct buf *b, const struct pipeline_view *v)
{
	const struct cpu_limit *limit = &v->cpu_limit;
	head(b, "cpu_limit_cores", "gauge",
	     "CPU limit of the container; 0 if there is none.");
	real(b, "cpu_limit_cores",
	     limit->quota_ns == 0
		     ? 0
		     : (double)limit->quota_ns / (double)limit->period_ns);
	head(b, "pipeline_throttled_seconds_total", "counter",
	     "Time for which the pipeline throttled itself to leave CPU to "
	     "receiving.  If it grows steadily, the CPU limit is too low.");
	real(b, "pipeline_throttled_seconds_total",
	     (double)v->throttled_ns / NS_PER_S);
}

static void put_journal(struct buf *b, const struct metrics *m)
{
	head(b, "journal_pending_bytes", "gauge",
	     "Bytes in the journal that are not committed yet.");
	plain(b, "journal_pending_bytes", m->journal_pending_bytes);
	head(b, "journal_size_bytes", "gauge", "Size of the journal.");
	plain(b, "journal_size_bytes", m->journal_ring_bytes);
	head(b, "journal_truncated_total", "counter",
	     "Datagrams that were truncated, because they were longer than "
	     "the largest Buffer_Chunk_Size of all inputs (at least 212992 "
	     "bytes), or than the journal's file allows.");
	plain(b, "journal_truncated_total", m->journal->truncated_total);
	head(b, "pipeline_batches_total", "counter", "Batches begun.");
	plain(b, "pipeline_batches_total", m->view->totals.batches);
	head(b, "pipeline_blocked", "gauge",
	     "1 while an output cannot write: its disk rejects writes or has "
	     "not answered for two seconds, another process keeps a file busy "
	     "and the spill is full, or nobody reads standard output. "
	     "Otherwise 0.");
	plain(b, "pipeline_blocked", m->view->is_blocked);
	head(b, "pipeline_stuck", "gauge",
	     "1 while a message takes longer than Hook_Timeout, or while a "
	     "message that killed a worker is not yet processed, otherwise 0.");
	plain(b, "pipeline_stuck", m->health.is_stuck);
	put_cpu(b, m->view);
}

static void put_worker_counts(struct buf *b, const struct worker_counts *t)
{
	head(b, "reloads_total", "counter",
	     "Reloads of the configuration.  After a failed reload, the old "
	     "configuration stays in force.  too_soon: requests over HTTP that "
	     "were refused, because such reloads take at most a tenth of the "
	     "time.");
	sample(b, "reloads_total", (struct labels){"result", "done", NULL},
	       t->reloads_done);
	sample(b, "reloads_total", (struct labels){"result", "failed", NULL},
	       t->reloads_failed);
	sample(b, "reloads_total", (struct labels){"result", "too_soon", NULL},
	       t->reloads_too_soon);
	head(b, "worker_deaths_total", "counter",
	     "Workers that failed, crashed, were killed, or were replaced "
	     "because a message took too long.");
	plain(b, "worker_deaths_total", t->deaths);
}

static void put_inputs(struct buf *b, const struct metrics *m)
{
	static const struct row rows[] = {
#define X(field, type, help)               \
	{"input_" #field, #type, help ".", \
	 offsetof(struct socket_stats, field)},
		SOCKET_STATS(X)
#undef X
	};
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		head(b, rows[r].name, rows[r].type, rows[r].help);
		bool is_of_kernel =
			rows[r].offset ==
			offsetof(struct socket_stats, kernel_dropped_total);
		for (size_t i = 0; i < m->input_count; i++)
			if (!is_of_kernel || m->inputs[i].counts_kernel_drops)
				sample(b, rows[r].name,
				       (struct labels){"input",
						       m->inputs[i].name, NULL},
				       figure(m->inputs[i].socket, &rows[r]));
	}
	head(b, "input_queue_length", "gauge",
	     "net.unix.max_dgram_qlen when the socket was created.  The queue "
	     "holds one datagram more than this number.  0 if the input is no "
	     "Unix datagram socket, or if the limit is unknown.");
	for (size_t i = 0; i < m->input_count; i++)
		sample(b, "input_queue_length",
		       (struct labels){"input", m->inputs[i].name, NULL},
		       m->inputs[i].queue_length);
}

static void put_decoders(struct buf *b, const struct pipeline_view *v)
{
	head(b, "input_unparsed_total", "counter",
	     "Messages that the input's parser did not match, or that the "
	     "built-in parser accepted as plain text (no_pri), by reason.");
	for (size_t i = 0; i < v->decoder_count; i++) {
		const struct decoder_view *d = &v->decoders[i];
		for (size_t r = PARSER_no_match; r < PARSER_VERDICT_COUNT; r++)
			sample(b, "input_unparsed_total",
			       (struct labels){"input", d->name,
					       parser_verdict_name(
						       (enum parser_verdict)r)},
			       d->stats.unparsed_total[r]);
		sample(b, "input_unparsed_total",
		       (struct labels){"input", d->name, "no_pri"},
		       d->stats.no_pri_total);
	}
	head(b, "input_bad_time_total", "counter",
	     "Messages whose time could not be read.  The arrival time was "
	     "used.");
	for (size_t i = 0; i < v->decoder_count; i++)
		sample(b, "input_bad_time_total",
		       (struct labels){"input", v->decoders[i].name, NULL},
		       v->decoders[i].stats.bad_time_total);
}

static void put_filters(struct buf *b, const struct pipeline_view *v)
{
	static const struct row rows[] = {
#define ROW(field, help)                    \
	{"filter_" #field, "counter", help, \
	 offsetof(struct filter_stats, field)}
		ROW(records_total, "Records given to the filter."),
		ROW(dropped_total,
		    "Records that the filter dropped, as configured."),
		ROW(undecided_total,
		    "Records on which a hook failed while Dead_Letter was "
		    "set.  Their messages become dead letters or, without "
		    "room for them, are dropped as undecided."),
		ROW(added_total,
		    "Records that the filter made in addition to the given "
		    "one."),
		ROW(restarted_total,
		    "Records that the filter sent to the start of the chain "
		    "with a new tag."),
		ROW(refused_total,
		    "Records whose new tag was refused because of a rewrite "
		    "loop, or because the copies of the message exceed 16 "
		    "MiB.  They keep their tag."),
		ROW(script_loads_total,
		    "Times that the filter loaded its script again because the "
		    "script kept too much memory."),
#undef ROW
	};
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		head(b, rows[r].name, rows[r].type, rows[r].help);
		for (size_t i = 0; i < v->filter_count; i++)
			sample(b, rows[r].name,
			       (struct labels){"filter", v->filters[i].name,
					       NULL},
			       figure(&v->filters[i].stats, &rows[r]));
	}
	head(b, "filter_failures_total", "counter",
	     "Records that the filter could not process, by reason.  They "
	     "continued unchanged or became dead letters.  After bad_time, "
	     "the record may also have continued with the hook's changes and "
	     "the time that it had before.");
	for (size_t i = 0; i < v->filter_count; i++) {
		const struct filter_view *f = &v->filters[i];
		const char *const *reasons = f->ops->failures;
		for (size_t r = 0; reasons != NULL && reasons[r] != NULL; r++)
			sample(b, "filter_failures_total",
			       (struct labels){"filter", f->name, reasons[r]},
			       f->stats.failures[r]);
	}
}

static void put_sinks(struct buf *b, const struct pipeline_view *v)
{
	static const struct row rows[] = {
#define ROW(field, type, help) \
	{"output_" #field, type, help, offsetof(struct sink_stats, field)}
		ROW(lines_total, "counter",
		    "Lines given to the output.  Always equal to written + "
		    "dropped + queued."),
		ROW(lines_written_total, "counter",
		    "Lines written to their file."),
		ROW(lines_queued, "gauge",
		    "Lines that wait until their file can be written."),
		ROW(bytes_written_total, "counter", "Bytes written."),
		ROW(writes_total, "counter", "Successful calls of write()."),
		ROW(errors_total, "counter", "Failed opens, writes and syncs."),
		ROW(retries_total, "counter", "Retries after a failure."),
		ROW(fsyncs_total, "counter",
		    "Calls of fsync().  The key Fsync decides when sluiced "
		    "calls it."),
		ROW(recovered_bytes_total, "counter",
		    "Bytes that a killed process had already written, and that "
		    "were not written again."),
		ROW(files_open, "gauge", "Files that are open."),
		ROW(lines_spilled, "gauge",
		    "Lines that wait in spills; part of lines_queued."),
		ROW(spilled_bytes, "gauge", "Size of the spill files."),
#undef ROW
	};
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		head(b, rows[r].name, rows[r].type, rows[r].help);
		for (size_t i = 0; i < v->sink_count; i++)
			sample(b, rows[r].name,
			       (struct labels){"output", v->sinks[i].name,
					       NULL},
			       figure(&v->sinks[i].stats, &rows[r]));
	}
	head(b, "output_lines_dropped_total", "counter",
	     "Lines that were dropped, by reason.");
	for (size_t i = 0; i < v->sink_count; i++)
		for (size_t r = 0; r < DROP_REASON_COUNT; r++)
			sample(b, "output_lines_dropped_total",
			       (struct labels){
				       "output", v->sinks[i].name,
				       drop_reason_name((enum drop_reason)r)},
			       v->sinks[i].stats.lines_dropped_total[r]);
}

void metrics_put(struct buf *b, const struct metrics *m)
{
	put_balance(b, m);
	put_journal(b, m);
	put_inputs(b, m);
	put_decoders(b, m->view);
	put_filters(b, m->view);
	put_sinks(b, m->view);
	put_worker_counts(b, m->worker_counts);
	head(b, "log_lines_dropped_total", "counter",
	     "Lines of sluiced's own log that the worker could not write, "
	     "because nobody reads the log or its disk is full or hangs.");
	plain(b, "log_lines_dropped_total", log_output_dropped_total());
	head(b, "uptime_seconds", "gauge", "Seconds since the worker started.");
	plain(b, "uptime_seconds", (uint64_t)m->uptime_s);
	head(b, "build_info", "gauge", "The running version, as a label.");
	buf_printf(b, "sluiced_build_info{version=\"%s\"} 1\n",
		   metrics_version());
}
