/* SPDX-License-Identifier: Apache-2.0 */
/* message - what one sender sent at once, on its way, and who answers for it.
 *
 * A message may become no line, one line or several (copies of rewrite_tag,
 * records that a hook split, several outputs).  The law
 *     received = written + dropped{reason} + queued
 * counts messages, so each message is answered for exactly once: by the first
 * sink that takes a line of it (written when that line is), or, when no sink
 * took one, by the pipeline with `reason`. */
#ifndef RECORD_MESSAGE_H
#define RECORD_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* X(name, help): why a message or a line was not written. */
#define DROP_REASONS(X)                                                  \
	X(journal_full, "the journal had no room")                       \
	X(empty, "a datagram without a byte")                            \
	X(unparsed, "no parser of the input takes it")                   \
	X(filtered, "a filter dropped it, as configured")                \
	X(undecided, "a hook failed and Dead_Letter keeps it")           \
	X(unrouted, "no output's Match takes its tag")                   \
	X(path_refused, "its path has '..' or NUL, or can be no file's") \
	X(write_failed, "its file could not be written")

enum drop_reason {
#define X(name, help) DROP_##name,
	DROP_REASONS(X)
#undef X
		DROP_REASON_COUNT
};

/* As in the metrics, "journal_full". */
const char *drop_reason_name(enum drop_reason);
const char *drop_reason_help(enum drop_reason);

struct message {
	struct span bytes;	  /* as received; in the journal's map */
	struct span peer_address; /* its sender, for Source_Address_Key */
	int64_t arrival_ns;	  /* the kernel's receive time, since 1970 */
	bool is_answered;	  /* a sink took a line of it */
	enum drop_reason reason;  /* else: why not, as known so far */
};

#endif
