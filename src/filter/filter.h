/* SPDX-License-Identifier: Apache-2.0 */
/* filter - the contract of everything between the parser and the outputs.
 *
 * A kind is one file with one `const struct filter_ops` and one row in the
 * table in chain.c.  Each kind embeds struct filter as its first member and
 * allocates itself in open.  The chain matches tags, calls apply and counts;
 * a kind only looks at one record. */
#ifndef FILTER_FILTER_H
#define FILTER_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct conf_section;
struct filter;
struct parser_set;
struct record;

enum filter_verdict {
	FILTER_PASS,	  /* the record goes on, changed or not */
	FILTER_DROP,	  /* it ends here, as configured */
	FILTER_DONE,	  /* what it became has been emitted; nothing: a drop */
	FILTER_UNDECIDED, /* a hook failed: it ends here, as a dead letter */
};

/* Where a filter hands on records other than the one it was given.  All live
 * in the arena of that record and belong to its message.  They go in the order
 * of the calls, before the record itself if that passes. */
struct emit {
	/* Goes on behind this filter, in the order of the calls. */
	void (*next)(struct emit *, struct record *);
	/* Goes through the chain from its head, with its new tag, before
	 * anything else goes on.  False when it did so too often already, or
	 * comes from this very filter: the record was not taken. */
	bool (*restart)(struct emit *, struct record *);
};

/* What a filter may use of the configuration; outlives the filters. */
struct filter_env {
	struct parser_set *parsers;
	struct span lua_prelude; /* lua/prelude.lua, for hooks */
	const char *conf_dir;	 /* for conf_find_file */
	/* Where a hook fails the record is FILTER_UNDECIDED, since there are
	 * dead letters; else it goes on as it was, as in Fluent Bit. */
	bool dead_letters;
};

struct filter_ops {
	const char *name;	     /* as in the configuration */
	const char *const *failures; /* NULL-terminated reasons, or NULL */
	/* The section's texts live longer than the filter. */
	struct filter *(*open)(struct conf_section *, const struct filter_env *,
			       struct err *);
	enum filter_verdict (*apply)(struct filter *, struct record *,
				     struct emit *);
	void (*close)(struct filter *);
};

enum { FILTER_FAILURES_MAX = 12 };

/* Counted by the chain, but for failures[]: by the kind, an index into
 * ops->failures, when it could not do its work on a record (which goes on
 * as it was, or is undecided). */
struct filter_stats {
	uint64_t records_total;	  /* given to it */
	uint64_t dropped_total;	  /* FILTER_DROP */
	uint64_t undecided_total; /* FILTER_UNDECIDED */
	uint64_t added_total;	  /* next(), beyond the one given */
	uint64_t restarted_total; /* restart() taken */
	uint64_t refused_total;	  /* restart() refused */
	uint64_t failures[FILTER_FAILURES_MAX];
};

struct filter {
	const struct filter_ops *ops; /* set by open */
	const char *name; /* "parser.0" or the Alias; set by the chain */
	/* What the records that it restarts come from, as Fluent Bit counts
	 * them: Emitter_Name, or NULL for "emitter_for_" and the name. */
	const char *emitter;
	struct filter_stats stats;
};

#endif
