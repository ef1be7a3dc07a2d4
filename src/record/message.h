/* SPDX-License-Identifier: Apache-2.0 */
/* message - one message as a sender sent it, and the rule for counting it.
 *
 * A message may become no line, one line or several lines, because rewrite_tag
 * copies records, a hook splits them, or several outputs match.  The accounting
 * equation
 *     received = written + dropped{reason} + dead_lettered + queued
 * counts messages, so each message must be counted exactly once, and its worst
 * record decides:
 *  1. If a record was lost (message_has_loss), the message becomes a dead
 *     letter or is dropped for `reason`, even if other records become lines.
 *  2. Otherwise, if a sink accepted a line, one sink counts the message: as
 *     written when it writes the line that the router held back until the end
 *     of the message (output/router.h).
 *  3. Otherwise the configuration left no record of it, and the message is
 *     dropped for `reason`. */
#ifndef RECORD_MESSAGE_H
#define RECORD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "regex/search_cost.h"

/* X(name, help): why a message or a line was not written.  If a message has
 * several reasons, the last of them in this order counts.  From DROP_unparsed
 * on, the reason is a loss: the configuration did not ask for it. */
#define DROP_REASONS(X)                                                    \
	X(journal_full, "the journal was full")                            \
	X(empty, "the datagram was empty")                                 \
	X(filtered, "a filter dropped the record, as configured")          \
	X(unrouted, "no output matches the tag")                           \
	X(replayed, "sluiced replay has sent the message; the sluiced "    \
		    "that received it again counts it")                    \
	X(unparsed, "the Parser of the input does not match")              \
	X(killed_worker, "two workers died while processing the message")  \
	X(rewrite_loop, "filters retagged the record too often, and no "   \
			"output matches its tag")                          \
	X(path_refused, "the path is empty or too long, has too many "     \
			"components, contains '..', '.sluiced' or NUL, "   \
			"ends in '/' or '/.', or the configuration uses "  \
			"it")                                              \
	X(too_large, "all lines of the message together exceed 24 MiB, "   \
		     "or its copies exceed 16 MiB, or all records that "   \
		     "filters made of it exceed 24 MiB")                   \
	X(write_failed, "the output could not be written and the spill "   \
			"was full, or too many files waited, or lines in " \
			"memory or in a spill were lost, or the reader "   \
			"of standard output had ended")                    \
	X(undecided, "a hook failed, and Dead_Letter had no room")

enum drop_reason {
	DROP_none = -1,
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
	bool is_answered;	  /* a sink counts it */
	enum drop_reason reason;  /* the worst so far */
	struct search_cost search_cost;
	size_t results_bytes; /* of its hooks: hook/lua_record_result.c */
	size_t lines_bytes;   /* of its lines so far: output/line_limit.h */
};

/* For pattern_matches.  The message may be NULL. */
static inline struct search_cost *message_search_cost(struct message *m)
{
	return m != NULL ? &m->search_cost : NULL;
}

/* A record or a line of the message ended for this reason. */
static inline void message_lose(struct message *m, enum drop_reason why)
{
	if (why > m->reason)
		m->reason = why;
}

/* Whether a record was lost, although the configuration did not ask for it. */
static inline bool message_has_loss(const struct message *m)
{
	return m->reason >= DROP_unparsed;
}

#endif
