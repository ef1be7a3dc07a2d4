/* SPDX-License-Identifier: Apache-2.0 */
/* chain - the filters in their order, and the one loop over them.
 *
 *     record -> [parser.0] -> [lua.1] -> [rewrite_tag.2] -> out()
 *                  ^                            |
 *                  +------- restart, new tag ---+
 *
 * A filter that does not match a record's tag is passed by.  A restarted
 * record goes through the whole chain before the record that caused it goes
 * on, as in Fluent Bit.  The filter that restarted it cannot do so again; a
 * record can be restarted CHAIN_RESTARTS_MAX times, and all that comes of one
 * together CHAIN_RUN_RESTARTS_MAX times, so that filters which copy one
 * another's copies do not multiply.
 * No recursion: what is under way waits in a list. */
#ifndef FILTER_CHAIN_H
#define FILTER_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/err.h"
#include "filter/filter.h"

struct chain;

enum { CHAIN_RESTARTS_MAX = 16, CHAIN_RUN_RESTARTS_MAX = 1024 };

/* A record that has come through. */
typedef void (*chain_out_fn)(void *, struct record *);

struct chain *chain_new(void);
void chain_free(struct chain *);

/* Open the filter that a [FILTER] section asks for and append it.  Reads Name,
 * Match, Match_Regex and Alias, then lets the kind read its keys, then ends the
 * section.  Without a match, or with `Active false`, it is left out.  The filter is
 * called NAME.N, N counting all filters from 0, or its Alias. */
bool chain_add(struct chain *, struct conf_section *, const struct filter_env *,
	       struct err *) MUST_USE;

/* Run a record through; out is called for each record that comes out.  When a
 * filter drops the record, its message's reason becomes DROP_filtered; when
 * one leaves it undecided, DROP_undecided, which the drop of another record of
 * the same message does not undo. */
void chain_run(struct chain *, struct record *, chain_out_fn out,
	       void *out_data);

/* For the metrics: index from 0; false behind the last. */
bool chain_filter(const struct chain *, size_t index, const char **name,
		  const struct filter **);

/* The filter at that index goes on counting from there. */
void chain_restore(struct chain *, size_t index, const struct filter_stats *);

#endif
