/* SPDX-License-Identifier: Apache-2.0 */
/* router - chooses the outputs that a record goes to, by its tag.
 *
 * A record goes to every output whose Match or Match_Regex matches its tag.
 * The router also decides which sink counts a message: the first one that
 * accepts a line of it. */
#ifndef OUTPUT_ROUTER_H
#define OUTPUT_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "output/sink.h"

struct router;

/* A router without sinks. */
struct router *router_new(void);

/* Closes the sinks.  NULL is fine. */
void router_free(struct router *);

/* Open the sink for an [OUTPUT] section and append it to the list.  Reads Name,
 * Match, Match_Regex and Alias, lets the kind read its keys, and ends the
 * section.  The sink's name is its Alias or, without one, NAME.N, where N is
 * the number of sinks before it. */
bool router_add(struct router *, struct conf_section *, const struct sink_env *,
		struct err *) MUST_USE;

/* Give the record to its sinks.  The first sink that accepts it sets
 * is_answered of its message.  The message's reason becomes DROP_unrouted if no
 * Match matches the tag, or the reason of a sink that refused it. */
void router_put(struct router *, struct record *);

/* The lines in memory since the last flush: their bytes, and the number of
 * files that they are for. */
void router_batch(const struct router *, size_t *bytes, size_t *files);

/* Flush all sinks.  Returns SINK_BLOCKED if any sink is blocked. */
enum sink_flush router_flush(struct router *, int64_t now_mono_ns);
/* Let all sinks drop the lines in memory; see sink_ops. */
void router_drop_buffered(struct router *);
/* Let all sinks close their files, to open them again; see sink_ops. */
void router_reopen(struct router *);

/* Call this after each commit of the journal; see sink_ops. */
void router_committed(struct router *);

/* Take over the counters of the sink with that index; see sink_ops. */
void router_restore(struct router *, size_t index, const struct sink_stats *);

/* The sink with that index, for the metrics.  False after the last one. */
bool router_sink(const struct router *, size_t index, const char **name,
		 const struct sink **);

#endif
