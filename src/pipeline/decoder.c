/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/decoder.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "parse/syslog.h"
#include "record/message.h"
#include "record/record.h"

struct decoder {
	char *name;
	char *tag;
	struct parser *parser; /* borrowed, or NULL */
	struct syslog_parser *syslog;
	const char *raw_message_key;	/* or NULL */
	const char *source_address_key; /* or NULL */
	const char *no_peer_address;
	struct decoder_stats stats;
	struct log_rate unparsed_rate;
	struct log_rate time_rate;
};

struct decoder *decoder_new(const char *name, const char *tag,
			    struct parser *parser, struct err *e)
{
	struct decoder *d = mem_new(1, sizeof *d);
	d->name = mem_text(name);
	d->tag = mem_text(tag);
	d->parser = parser;
	if (parser == NULL) {
		d->syslog = syslog_parser_new(e);
		if (d->syslog == NULL)
			goto fail;
	}
	return d;
fail:
	decoder_free(d);
	return NULL;
}

void decoder_free(struct decoder *d)
{
	if (d == NULL)
		return;
	syslog_parser_free(d->syslog);
	free(d->name);
	free(d->tag);
	free(d);
}

void decoder_add_keys(struct decoder *d, const char *raw_message_key,
		      const char *source_address_key,
		      const char *no_peer_address)
{
	d->raw_message_key = raw_message_key;
	d->source_address_key = source_address_key;
	d->no_peer_address = no_peer_address;
}

static void add_keys(const struct decoder *d, const struct message *m,
		     struct record *r)
{
	struct span peer_address = m->peer_address;
	if (span_is_empty(peer_address))
		peer_address = span_of(d->no_peer_address);
	if (d->raw_message_key != NULL)
		record_add(r, span_of(d->raw_message_key),
			   value_string(m->bytes));
	if (d->source_address_key != NULL)
		record_add(r, span_of(d->source_address_key),
			   value_string(peer_address));
}

static void log_unparsed(struct decoder *d, const struct message *m,
			 enum parser_verdict verdict)
{
	char quoted[LOG_QUOTED_BYTES];
	log_rated(
		&d->unparsed_rate, LOG_WARN, "input",
		"input=%s parser=%s reason=%s err=\"the parser does not "
		"match\" action=\"keeping the message in Dead_Letter, if that "
		"is set, otherwise dropping it\"",
		d->name, parser_name(d->parser), parser_verdict_name(verdict));
	if (log_is_on(LOG_DEBUG))
		log_line(LOG_DEBUG, "input", "input=%s unparsed=%s", d->name,
			 log_quoted(m->bytes, quoted));
}

/* The part of a message that has the header's time. */
static struct span beginning_of(struct span bytes)
{
	enum { TIME_BYTES = 40 };
	return span_make(bytes.ptr,
			 bytes.len < TIME_BYTES ? bytes.len : TIME_BYTES);
}

static void count_bad_time(struct decoder *d, const char *parser,
			   const char *format, struct span text)
{
	char quoted[LOG_QUOTED_BYTES];
	d->stats.bad_time_total++;
	log_rated(&d->time_rate, LOG_WARN, "input",
		  "input=%s parser=%s err=\"the time does not fit its format\" "
		  "format=\"%s\" text=%s action=\"using the arrival time\"",
		  d->name, parser, format, log_quoted(text, quoted));
}

static bool run_parser(struct decoder *d, struct message *m, struct record *r)
{
	struct span bad_time;
	enum parser_verdict verdict =
		parser_apply(d->parser, m->bytes, m->arrival_ns, r, &bad_time);
	if (verdict != PARSER_parsed) {
		d->stats.unparsed_total[verdict]++;
		log_unparsed(d, m, verdict);
		return false;
	}
	if (bad_time.ptr != NULL)
		count_bad_time(d, parser_name(d->parser),
			       parser_time_format(d->parser), bad_time);
	return true;
}

static void run_syslog(struct decoder *d, struct message *m, struct record *r)
{
	switch (syslog_parse(d->syslog, m->bytes, m->arrival_ns, r)) {
	case SYSLOG_PARSED:
		break;
	case SYSLOG_BAD_TIME:
		count_bad_time(d, "built-in", "RFC 3164 or RFC 5424",
			       beginning_of(m->bytes));
		break;
	case SYSLOG_NO_PRI:
		d->stats.no_pri_total++;
		break;
	}
}

struct record *decoder_decode(struct decoder *d, struct message *m,
			      struct arena *a)
{
	struct record *r = record_new(a, m, span_of(d->tag), m->arrival_ns);
	if (d->parser == NULL)
		run_syslog(d, m, r);
	else if (!run_parser(d, m, r))
		return NULL;
	if (d->no_peer_address != NULL)
		add_keys(d, m, r);
	d->stats.records_total++;
	d->stats.bytes_total += m->bytes.len;
	return r;
}

const char *decoder_name(const struct decoder *d)
{
	return d->name;
}

const char *decoder_tag(const struct decoder *d)
{
	return d->tag;
}

struct parser *decoder_parser(const struct decoder *d)
{
	return d->parser;
}

const struct decoder_stats *decoder_stats(const struct decoder *d)
{
	return &d->stats;
}

void decoder_restore(struct decoder *d, const struct decoder_stats *stats)
{
	d->stats = *stats;
}
