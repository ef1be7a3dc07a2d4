/* SPDX-License-Identifier: Apache-2.0 */
/* decoder - makes a record of an input's message, with the input's Parser or,
 * without one, with the built-in syslog parser.
 *
 * A message that the Parser does not match is not decoded, as in Fluent Bit.
 * The built-in parser accepts everything: a message that is not syslog becomes
 * a record with the only field `message`.  For the pipeline thread only. */
#ifndef PIPELINE_DECODER_H
#define PIPELINE_DECODER_H

#include <stdint.h>

#include "base/err.h"
#include "parse/parser.h"

struct arena;
struct decoder;
struct message;
struct record;

struct decoder_stats {
	uint64_t records_total; /* decoded */
	uint64_t bytes_total;	/* of the decoded messages */
	uint64_t unparsed_total[PARSER_VERDICT_COUNT];
	uint64_t no_pri_total;	 /* built-in parser: accepted as plain text */
	uint64_t bad_time_total; /* the arrival time was used instead */
};

/* `name` and `tag` are the input's and are copied.  The parser is borrowed and
 * may be NULL.  NULL on failure. */
struct decoder *decoder_new(const char *name, const char *tag, struct parser *,
			    struct err *);

/* NULL is allowed. */
void decoder_free(struct decoder *);

/* Append these keys to each record, in this order: the message as received, and
 * its peer address, or `no_peer_address` if that is unknown.  Each key may be
 * NULL, but not `no_peer_address`.  All texts are borrowed. */
void decoder_add_keys(struct decoder *, const char *raw_message_key,
		      const char *source_address_key,
		      const char *no_peer_address);

/* The record lies in the arena.  NULL if the parser does not match; that is
 * counted. */
struct record *decoder_decode(struct decoder *, struct message *,
			      struct arena *);

/* The input's name and tag; they live as long as the decoder. */
const char *decoder_name(const struct decoder *);
const char *decoder_tag(const struct decoder *);

/* The input's parser; NULL means the built-in syslog parser. */
struct parser *decoder_parser(const struct decoder *);

/* The counters. */
const struct decoder_stats *decoder_stats(const struct decoder *);

/* Continue counting from these values. */
void decoder_restore(struct decoder *, const struct decoder_stats *);

#endif
