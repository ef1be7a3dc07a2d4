/* SPDX-License-Identifier: Apache-2.0 */
/* router - which outputs a record goes to, by its tag.
 *
 * Every output whose Match or Match_Regex takes the tag gets the record.  Also settles who
 * answers for a message: the first sink that takes a line of it. */
#ifndef OUTPUT_ROUTER_H
#define OUTPUT_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "output/sink.h"

struct router;

struct router *router_new(void);

/* Closes the sinks. */
void router_free(struct router *);

/* Open the sink that an [OUTPUT] section asks for and append it.  Reads Name,
 * Match, Match_Regex and Alias, lets the kind read its keys, ends the section.  The sink is
 * called NAME.N, N counting all sinks, or its Alias. */
bool router_add(struct router *, struct conf_section *, const struct sink_env *,
		struct err *) MUST_USE;

/* Hand the record to its sinks.  Its message's reason becomes DROP_unrouted
 * when no Match takes the tag, or the sink's reason when it was refused; its
 * is_answered is set by the first sink that takes it. */
void router_put(struct router *, struct record *);

/* What was put since the last flush: the bytes of the lines, and the files
 * that they are for. */
void router_batch(const struct router *, size_t *bytes, size_t *files);

/* Flush all sinks.  SINK_BLOCKED when any is. */
enum sink_flush router_flush(struct router *, int64_t now_mono_ns);
void router_abandon(struct router *);
void router_reopen(struct router *);

/* After each commit of the journal, see sink_ops. */
void router_committed(struct router *);

/* Go on counting from there, see sink_ops. */
void router_restore(struct router *, size_t index, const struct sink_stats *);

/* For the metrics: index from 0; false behind the last. */
bool router_sink(const struct router *, size_t index, const char **name,
		 const struct sink **);

#endif
