/* SPDX-License-Identifier: Apache-2.0 */
/* router - chooses the outputs that a record goes to, by its tag.
 *
 * A record goes to every output whose Match or Match_Regex matches its tag.
 * The first sink that gets a line of a message counts the message
 * (record/message.h).  A sink with spills takes precedence over one without.
 * It can still lose a line that it has spilled, and the message must then count
 * as dropped.
 *
 * Whether a message has a loss is known only at its end.  So the router holds
 * back one line of that sink until router_end().  The message counts as written
 * when the sink writes this line. */
#ifndef OUTPUT_ROUTER_H
#define OUTPUT_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
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

/* Give the record to its sinks; one of them perhaps gets it only in
 * router_end(). The message loses the record (message_lose) if no Match matches
 * the tag, as DROP_unrouted or, if filters retagged it too often,
 * DROP_rewrite_loop.  If a sink refuses the line, the message loses it for the
 * sink's reason. */
void router_put(struct router *, struct record *);

/* All records of a message were put: put the line that was held back.  If the
 * message has no loss, the sink that accepts that line counts the message, and
 * is_answered becomes true. */
void router_end(struct router *);

/* The lines in memory since the last flush: their bytes, and the number of
 * files that they are for. */
void router_batch(const struct router *, size_t *bytes, size_t *files);

/* Flush all sinks.  Returns SINK_BLOCKED if any sink is blocked. */
enum sink_flush router_flush(struct router *, int64_t now_mono_ns);
/* Let all sinks drop the lines in memory; see sink_ops. */
void router_drop_buffered(struct router *);
/* Let all sinks close their files, to open them again; see sink_ops. */
void router_reopen(struct router *);

/* The name of the output that router_flush or router_reopen works on at this
 * moment, or NULL.  Any thread may ask. */
const char *router_working(const struct router *);

/* The path of the file that this output writes at this moment, in double quotes
 * (log_quoted), or an empty text.  Any thread may ask. */
void router_working_path(const struct router *,
			 char room[static LOG_QUOTED_BYTES]);

/* The sum of the sinks' answers.  Any thread may ask. */
uint64_t router_answers(const struct router *);

/* Call this after each commit of the journal; see sink_ops. */
void router_committed(struct router *);

/* Take over the counters of the sink with that index; see sink_ops. */
void router_restore(struct router *, size_t index, const struct sink_stats *);

/* Add the spilled lines that the sinks have found; see sink_ops.  False if a
 * sink has spills that cannot be read. */
bool router_found(struct router *, struct sink_moved *) MUST_USE;

/* All sinks have found their spilled lines: settle them (see sink_ops). */
void router_settle(struct router *, struct sink_moved *);

/* The sink with that index, for the metrics.  False after the last one. */
bool router_sink(const struct router *, size_t index, const char **name,
		 const struct sink **);

#endif
