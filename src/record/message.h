/* SPDX-License-Identifier: Apache-2.0 */
/* message - one message as a sender sent it, and the rule for counting it.
 *
 * A message may become no line, one line or several lines, because rewrite_tag
 * copies records, a hook splits them, or several outputs match.  The accounting
 * equation
 *     received = written + dropped{reason} + dead_lettered + queued
 * counts messages, so each message must be counted exactly once.  The first
 * sink that accepts one of its lines counts it: as written when the sink writes
 * that line.  If no sink accepts a line, the pipeline counts it as dropped for
 * `reason`. */
#ifndef RECORD_MESSAGE_H
#define RECORD_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* X(name, help): why a message or a line was not written. */
#define DROP_REASONS(X)                                                   \
	X(journal_full, "the journal was full")                           \
	X(empty, "the datagram was empty")                                \
	X(unparsed, "the Parser of the input does not match")             \
	X(filtered, "a filter dropped the record, as configured")         \
	X(undecided, "a hook failed, and Dead_Letter had no room")        \
	X(unrouted, "no output matches the tag")                          \
	X(killed_worker, "two workers died while processing the message") \
	X(path_refused, "the path is empty, too long, ends in '/', or "   \
			"has '..' or NUL")                                \
	X(write_failed, "the file cannot be written; the spill is full")

enum drop_reason {
#define X(name, help) DROP_##name,
	DROP_REASONS(X)
#undef X
		DROP_REASON_COUNT
};

/* The name in the metrics, for example "journal_full". */
const char *drop_reason_name(enum drop_reason);
/* The help text above. */
const char *drop_reason_help(enum drop_reason);

struct message {
	struct span bytes;	  /* as received; points into the journal */
	struct span peer_address; /* for Source_Address_Key */
	int64_t arrival_ns;	  /* the kernel's receive time, since 1970 */
	bool is_answered;	  /* a sink accepted one of its lines */
	enum drop_reason reason;  /* if no sink did: why, as known so far */
};

#endif
