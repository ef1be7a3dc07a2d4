/* SPDX-License-Identifier: Apache-2.0 */
/* decoder - an input's messages to records: its Parser, or the built-in
 * syslog parser when it has none.
 *
 * With a Parser, a message that does not match is not taken (Fluent Bit's
 * way); the built-in one takes everything: what is not syslog is a record
 * with only `message`.  The pipeline thread only. */
#ifndef PIPELINE_DECODER_H
#define PIPELINE_DECODER_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "parse/parser.h"

struct arena;
struct decoder;
struct message;
struct record;

struct decoder_stats {
	uint64_t records_total; /* decoded */
	uint64_t bytes_total;	/* of those messages */
	uint64_t unparsed_total[PARSER_VERDICT_COUNT];
	uint64_t no_pri_total;	 /* built-in parser: taken as plain text */
	uint64_t bad_time_total; /* the arrival time stands in */
};

/* `parser` may be NULL and is borrowed, as is `name` (of the input). */
struct decoder *decoder_new(const char *name, const char *tag, struct parser *,
			    struct err *);
void decoder_free(struct decoder *);

/* Append these keys to each record, in this order: the message as it was
 * received, and its sender or `no_origin` where that is not known.  Each may
 * be NULL; borrowed. */
void decoder_add_keys(struct decoder *, const char *raw_message_key,
		      const char *source_address_key, const char *no_origin);

/* NULL when no parser takes the message: counted. */
struct record *decoder_decode(struct decoder *, struct message *,
			      struct arena *);

const char *decoder_name(const struct decoder *);
/* Go on counting from there. */
void decoder_restore(struct decoder *, const struct decoder_stats *);

const struct decoder_stats *decoder_stats(const struct decoder *);

#endif
