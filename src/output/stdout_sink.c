/* SPDX-License-Identifier: Apache-2.0 */
/* Name stdout: writes records to standard output, for trying things out.
 *
 *     msgpack       [0] TAG: [SECONDS.NANOSECONDS, {"key"=>"value"}]
 *     json          [{"date":SECONDS.FRACTION,"key":"value"},{...}]
 *     json_stream   {"date":...}{"date":...}
 *     json_lines    {"date":...}           each on its own line
 *
 * A batch is treated as Fluent Bit treats a chunk: the number in msgpack counts
 * consecutive records of the batch with the same tag, and with json and
 * json_stream a batch is one line.
 *
 * The happy path:
 *  1. put renders the record at the end of the batch;
 *  2. flush completes the batch and writes it, at most PIPE_BUF bytes at once.
 * Failures:
 *  - The lines of the message together are too large (output/line_limit.h):
 *    put refuses the line, DROP_too_large.
 *  - Nobody reads the pipe: flush returns SINK_BLOCKED and never waits.
 *  - The disk is full, or fails (ENOSPC, EIO): flush returns SINK_BLOCKED.
 *  - The pipe is closed, or any other error: flush drops the batch,
 *    DROP_write_failed. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/conf_keys.h"
#include "output/format_text.h"
#include "output/kinds.h"
#include "output/line_limit.h"
#include "record/json.h"
#include "record/record.h"

enum stdout_style { MSGPACK, JSON, JSON_STREAM, JSON_LINES };
enum stdout_date { DOUBLE, ISO8601, EPOCH, JAVA_SQL_TIMESTAMP, EPOCH_MS };

enum { DATE_BYTES = 128 };

struct stdout_sink {
	struct sink sink;
	enum stdout_style style;
	enum stdout_date date;
	char *date_key; /* NULL: no date */
	struct buf batch;
	size_t done_bytes;  /* of the batch: written */
	bool is_complete;   /* complete() has ended the batch */
	struct buf tag;	    /* of the previous record */
	size_t number;	    /* of the next record with this tag */
	struct field *room; /* for the date and a record's fields */
	size_t room_count;
	struct log_rate failed_rate;
};

/* --- a record as text */

static void put_msgpack(struct stdout_sink *ss, const struct record *r)
{
	const struct value map = {
		.type = VALUE_MAP,
		.count = (uint32_t)r->count,
		.fields = r->fields,
	};
	if (!span_equals(r->tag, buf_span(&ss->tag))) {
		buf_clear(&ss->tag);
		buf_put_span(&ss->tag, r->tag);
		ss->number = 0;
	}
	buf_printf(&ss->batch, "[%zu] ", ss->number++);
	format_put_text(&ss->batch, r->tag, FORMAT_LINE);
	buf_put(&ss->batch, ": [", 3);
	format_put_exact_time(&ss->batch, r->time_ns);
	buf_put(&ss->batch, ", ", 2);
	format_put_value(&ss->batch, &map, FORMAT_LINE);
	buf_put(&ss->batch, "]\n", 2);
}

static struct value text_date(int64_t time_ns, char separator, const char *end,
			      char room[static DATE_BYTES])
{
	int64_t s = time_ns / NS_PER_S, ns = time_ns % NS_PER_S;
	if (ns < 0) {
		ns += NS_PER_S;
		s--;
	}
	time_t seconds = (time_t)s;
	struct tm tm;
	gmtime_r(&seconds, &tm);
	int len = snprintf(
		room, DATE_BYTES, "%04d-%02d-%02d%c%02d:%02d:%02d.%06lld%s",
		tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, separator,
		tm.tm_hour, tm.tm_min, tm.tm_sec, (long long)(ns / 1000), end);
	return value_string(span_make(room, (size_t)len));
}

static struct value date_of(enum stdout_date date, int64_t time_ns,
			    char room[static DATE_BYTES])
{
	switch (date) {
	case ISO8601:
		return text_date(time_ns, 'T', "Z", room);
	case JAVA_SQL_TIMESTAMP:
		return text_date(time_ns, ' ', "", room);
	case EPOCH:
		return value_int(time_ns / NS_PER_S);
	case EPOCH_MS:
		return value_int(time_ns / NS_PER_MS);
	case DOUBLE:
		break;
	}
	return value_float((double)(time_ns / NS_PER_S) +
			   (double)(time_ns % NS_PER_S) / NS_PER_S);
}

/* The date comes first: of two equal keys, readers of JSON take the last one,
 * which is the record's own field. */
static void put_object(struct stdout_sink *ss, const struct record *r)
{
	char date_room[DATE_BYTES];
	size_t count = 0;
	if (ss->room_count < r->count + 1) {
		ss->room_count = r->count + 1;
		ss->room = mem_grow(ss->room, ss->room_count, sizeof *ss->room);
	}
	if (ss->date_key != NULL)
		ss->room[count++] = (struct field){
			.key = span_of(ss->date_key),
			.value = date_of(ss->date, r->time_ns, date_room),
		};
	if (r->count > 0)
		memcpy(ss->room + count, r->fields,
		       r->count * sizeof *r->fields);
	count += r->count;
	const struct value map = {
		.type = VALUE_MAP,
		.count = (uint32_t)count,
		.fields = ss->room,
	};
	json_write(&ss->batch, &map);
}

/* False if the message has too many bytes. */
static bool render(struct stdout_sink *ss, const struct record *r)
{
	size_t from = ss->batch.len;
	if (!line_limit_begin(&ss->batch, r->message))
		return false;
	if (ss->style == MSGPACK) {
		put_msgpack(ss, r);
	} else {
		if (ss->style == JSON)
			buf_put_char(&ss->batch, ss->batch.len > 0 ? ',' : '[');
		put_object(ss, r);
		if (ss->style == JSON_LINES)
			buf_put_char(&ss->batch, '\n');
	}
	bool is_taken = line_limit_end(&ss->batch, r->message, from);
	if (!is_taken && ss->style == MSGPACK)
		ss->number--;
	return is_taken;
}

static bool put(struct sink *sink, const struct record *r, bool answers,
		enum drop_reason *reason)
{
	struct stdout_sink *ss = (struct stdout_sink *)sink;
	if (!render(ss, r))
		return sink_refuse(sink, DROP_too_large, reason);
	sink->stats.lines_total++;
	sink->stats.lines_queued++;
	sink->stats.messages_total += answers;
	sink->stats.messages_queued += answers;
	sink->batch_bytes = ss->batch.len;
	return true;
}

/* --- the batch */

static void complete(struct stdout_sink *ss)
{
	if (ss->is_complete)
		return;
	ss->is_complete = true;
	if (ss->style == JSON)
		buf_put(&ss->batch, "]\n", 2);
	else if (ss->style == JSON_STREAM)
		buf_put_char(&ss->batch, '\n');
}

static void start_batch(struct stdout_sink *ss)
{
	struct sink_stats *s = &ss->sink.stats;
	s->lines_queued = 0;
	s->messages_queued = 0;
	buf_clear(&ss->batch);
	buf_clear(&ss->tag);
	ss->sink.batch_bytes = 0;
	ss->done_bytes = 0;
	ss->number = 0;
	ss->is_complete = false;
}

static void count_written(struct stdout_sink *ss)
{
	struct sink_stats *s = &ss->sink.stats;
	s->lines_written_total += s->lines_queued;
	s->messages_written_total += s->messages_queued;
	start_batch(ss);
}

static void drop_buffered(struct sink *sink)
{
	struct sink_stats *s = &sink->stats;
	s->lines_dropped_total[DROP_write_failed] += s->lines_queued;
	s->messages_dropped_total[DROP_write_failed] += s->messages_queued;
	start_batch((struct stdout_sink *)sink);
}

/* A writable pipe has room for PIPE_BUF bytes.  Returns 0 or an errno; EAGAIN
 * if there is no room now. */
static int write_piece(struct stdout_sink *ss)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
	size_t left = ss->batch.len - ss->done_bytes;
	int ready = poll(&p, 1, 0);
	if (ready <= 0)
		return ready < 0 && errno != EINTR ? errno : EAGAIN;
	ssize_t n = write(STDOUT_FILENO, ss->batch.ptr + ss->done_bytes,
			  left < PIPE_BUF ? left : PIPE_BUF);
	if (n < 0)
		return errno == EINTR ? EAGAIN : errno;
	ss->done_bytes += (size_t)n;
	ss->sink.stats.writes_total++;
	ss->sink.stats.bytes_written_total += (uint64_t)n;
	return 0;
}

static enum sink_flush flush(struct sink *sink, int64_t now_ns)
{
	struct stdout_sink *ss = (struct stdout_sink *)sink;
	int error = 0;
	(void)now_ns;
	if (ss->batch.len == 0)
		return SINK_FLUSHED;
	complete(ss);
	while (error == 0 && ss->done_bytes < ss->batch.len)
		error = write_piece(ss);
	if (error == 0) {
		count_written(ss);
		return SINK_FLUSHED;
	}
	if (error == EAGAIN)
		return SINK_BLOCKED;
	sink->stats.errors_total++;
	bool is_disk = error == ENOSPC || error == EIO;
	log_rated(&ss->failed_rate, LOG_ERROR, "stdout_sink",
		  "err=\"%s\" action=\"%s\"", strerror(error),
		  is_disk ? "keeping the lines in the journal, retrying"
			  : "dropping the batch");
	if (is_disk)
		return SINK_BLOCKED;
	drop_buffered(sink);
	return SINK_FLUSHED;
}

static void reopen(struct sink *sink)
{
	(void)sink;
}

static void close_sink(struct sink *sink)
{
	struct stdout_sink *ss = (struct stdout_sink *)sink;
	buf_fini(&ss->batch);
	buf_fini(&ss->tag);
	free(ss->date_key);
	free(ss->room);
	free(ss);
}

/* --- the configuration */

static bool read_date(struct stdout_sink *ss, struct conf_section *s,
		      struct err *e)
{
	static const char *const names[] = {
		"double",
		"iso8601",
		"epoch",
		"java_sql_timestamp",
		"epoch_ms",
		"epoch_millis",
		"epoch_milliseconds",
		NULL,
	};
	static const char *const offs[] = {"false", "off", "no"};
	const char *key = "date";
	size_t date = DOUBLE;
	if (ss->style == MSGPACK) {
		conf_unused(s, "json_date_key", "Format msgpack",
			    "it is for the formats of JSON");
		conf_unused(s, "json_date_format", "Format msgpack",
			    "it is for the formats of JSON");
		return true;
	}
	if (!conf_get_choice(s, "json_date_format", names, &date, e) ||
	    !conf_get_text(s, "json_date_key", &key, e))
		return false;
	ss->date = date < EPOCH_MS ? (enum stdout_date)date : EPOCH_MS;
	for (size_t i = 0; i < sizeof offs / sizeof *offs; i++)
		if (strcasecmp(key, offs[i]) == 0)
			return true;
	ss->date_key = mem_text(key);
	return true;
}

static const struct conf_key_spec keys[] = {
	{"Format", CONF_CHOICE, .default_text = "msgpack",
	 .help = "msgpack (Fluent Bit's readable form), json, json_stream or "
		 "json_lines."},
	{"json_date_key", CONF_TEXT, .default_text = "date",
	 .help = "The key of the time in JSON; off leaves it out."},
	{"json_date_format", CONF_CHOICE, .default_text = "double",
	 .help = "The form of the time in JSON: double, iso8601, epoch, "
		 "epoch_ms or java_sql_timestamp."},
	{.name = NULL},
};

static struct sink *open_sink(struct conf_section *s,
			      const struct sink_env *env, struct err *e)
{
	static const char *const names[] = {"msgpack", "json", "json_stream",
					    "json_lines", NULL};
	size_t style = MSGPACK;
	(void)env;
	if (!conf_get_choice(s, "Format", names, &style, e))
		return NULL;
	struct stdout_sink *ss = mem_new(1, sizeof *ss);
	ss->style = (enum stdout_style)style;
	if (!read_date(ss, s, e)) {
		close_sink(&ss->sink);
		return NULL;
	}
	return &ss->sink;
}

const struct sink_ops stdout_sink_ops = {
	.name = "stdout",
	.keys = keys,
	.open = open_sink,
	.put = put,
	.flush = flush,
	.drop_buffered = drop_buffered,
	.reopen = reopen,
	.close = close_sink,
};
