/* SPDX-License-Identifier: Apache-2.0 */
/* chain - the filters in the order of the configuration, and the one loop over
 * them.
 *
 *     record -> [parser.0] -> [lua.1] -> [rewrite_tag.2] -> out()
 *                  ^                            |
 *                  +------- restart, new tag ---+
 *
 * A record skips the filters whose Match does not match its tag.  As in Fluent
 * Bit, a restarted record goes through the whole chain before the record that
 * caused it continues.  The filter that restarted a record cannot restart it
 * again.  One record can be restarted at most CHAIN_RESTARTS_MAX times.  One
 * chain_run() can restart records at most CHAIN_RUN_RESTARTS_MAX times
 * altogether, so that filters that copy each other's copies cannot multiply
 * records without end.  Each record that a filter makes with next() raises this
 * limit by CHAIN_RESTARTS_MAX, so that a hook may split a message into any
 * number of records.  A part of a record that was restarted twice or more does
 * not raise it, because filters could split each other's parts without end.
 * The chain does not recurse: unfinished records wait in a list.
 *
 * All records of a message are in memory until the message ends.  A sender
 * chooses how many fields and how long a tag each copy has, so the bytes that
 * the filters take from the arena for one message have a limit, too.  Beyond
 * CHAIN_RESTARTS_BYTES_MAX, no record is restarted.  The waiting records still
 * come out, unless the filters need more than CHAIN_BYTES_MAX for them.  Either
 * way, the message loses a record as DROP_too_large. */
#ifndef FILTER_CHAIN_H
#define FILTER_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/err.h"
#include "filter/filter.h"

struct chain;

enum {
	CHAIN_RESTARTS_MAX = 16,
	CHAIN_RUN_RESTARTS_MAX = 1024,
	CHAIN_RESTARTS_BYTES_MAX = 16 * 1024 * 1024,
	/* While the lines of a message are made, there is room for this beside
	 * them: output/line_limit.h. */
	CHAIN_BYTES_MAX = 24 * 1024 * 1024,
};

/* Called for each record that leaves the chain. */
typedef void (*chain_out_fn)(void *, struct record *);

/* An empty chain. */
struct chain *chain_new(void);

/* Close all filters.  NULL is fine. */
void chain_free(struct chain *);

/* Open the filter that a [FILTER] section describes and append it.  This
 * declares and reads the common keys, lets the kind read its own, and ends the
 * section.  A filter without Match and Match_Regex, or with `Active false`, is
 * checked but left out.  The name of a filter is its Alias, or NAME.N, where N
 * is the number of [FILTER] sections before it.  False with *e set on a
 * mistake; the chain is then unchanged. */
bool chain_add(struct chain *, struct conf_section *, const struct filter_env *,
	       struct err *) MUST_USE;

/* Send a record through the chain and call out for each record that leaves it.
 * The message loses a record (message_lose) as DROP_filtered if a filter drops
 * it, and as DROP_undecided if a filter leaves it undecided.  A record that
 * keeps its tag because it or its message was restarted too often leaves the
 * chain with is_over_limit. */
void chain_run(struct chain *, struct record *, chain_out_fn out,
	       void *out_data);

/* The name of the filter that works on a record at this moment, or NULL.  Any
 * thread may ask. */
const char *chain_working(const struct chain *);

/* The name and the filter at an index from 0; false if there is none. */
bool chain_filter(const struct chain *, size_t index, const char **name,
		  const struct filter **);

/* Set the counters of the filter at that index, which must exist. */
void chain_restore(struct chain *, size_t index, const struct filter_stats *);

#endif
