/* SPDX-License-Identifier: Apache-2.0 */
/* filter - the contract between the filter chain and each kind of filter.
 *
 * A kind is one file with one `const struct filter_ops filter_NAME` and one
 * row in filter/kinds.h.  Each kind embeds struct filter as its first member
 * and allocates itself in open.  The chain matches tags, calls apply and
 * counts; a kind only looks at one record. */
#ifndef FILTER_FILTER_H
#define FILTER_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct conf_key_spec;
struct conf_section;
struct filter;
struct parser_set;
struct record;

enum filter_verdict {
	FILTER_PASS, /* the record continues, changed or not */
	FILTER_DROP, /* the configuration says to drop the record */
	FILTER_DONE, /* the filter has emitted the records that replace this
		      * one; if it emitted none, the record is dropped */
	FILTER_UNDECIDED, /* a hook failed; the message becomes a dead
			   * letter */
};

/* How a filter emits records.  They continue in the order of the calls, and
 * before the given record if that one passes. */
struct emit {
	/* The record, which must not be the given one, continues after this
	 * filter.  It must live in the arena of the given record and belong to
	 * its message. */
	void (*next)(struct emit *, struct record *);
	/* The given record, or a copy if `is_copy`, starts again at the head of
	 * the chain with a copy of this tag, before any other record continues.
	 * If it is the given record, the filter must answer FILTER_DONE.  False
	 * if the chain refuses and nothing has changed: this same filter
	 * restarted the record before, or a limit of restarts is reached
	 * (filter/chain.h). */
	bool (*restart)(struct emit *, struct span tag, bool is_copy);
	/* The chain refuses to restart a record with a longer tag.  A sender
	 * can choose values from which a tag of any length is composed, so a
	 * filter should not compose longer ones.  Never 0. */
	size_t (*tag_bytes_max)(struct emit *);
};

/* The parts of the configuration outside its own section that a filter may use.
 * The struct is valid during open; what it points to outlives the filters. */
struct filter_env {
	struct parser_set *parsers;
	struct span lua_prelude; /* the text of lua/prelude.lua */
	const char *conf_dir;	 /* for conf_find_file */
	/* If a hook fails: true makes the record FILTER_UNDECIDED, false passes
	 * it on unchanged as Fluent Bit does. */
	bool dead_letters;
};

/* Called with a tag that a filter can give to records.  If `is_prefix`, only
 * the start of the tag is known. */
typedef void (*filter_tag_fn)(void *data, struct span tag, bool is_prefix);

struct filter_ops {
	const char *name; /* as the user writes it */
	const struct conf_key_spec *keys;
	const char *const *failures; /* NULL-terminated reasons, or NULL */
	/* This kind restarts records under a new tag.  For such a filter,
	 * Fluent Bit also counts an input: the filter's emitter. */
	bool has_emitter;

	/* Create a filter from its section, which outlives it; NULL on
	 * failure. */
	struct filter *(*open)(struct conf_section *, const struct filter_env *,
			       struct err *);
	/* Decide about one record, which the filter may change. */
	enum filter_verdict (*apply)(struct filter *, struct record *,
				     struct emit *);
	/* Free the filter. */
	void (*close)(struct filter *);
	/* Report every tag that the rules of a section can make, without
	 * opening the filter.  NULL if the kind changes no tags. */
	void (*list_tags)(struct conf_section *, filter_tag_fn, void *data);
};

enum { FILTER_FAILURES_MAX = 12 };

/* The chain counts these, except script_loads_total and failures[]: if the kind
 * cannot process a record for the reason ops->failures[i], it increments
 * failures[i].  Such a record continues unchanged or is undecided. */
struct filter_stats {
	uint64_t records_total;	     /* given to it */
	uint64_t dropped_total;	     /* FILTER_DROP */
	uint64_t undecided_total;    /* FILTER_UNDECIDED */
	uint64_t added_total;	     /* next() calls, not counting one
				   * that replaces the given record */
	uint64_t restarted_total;    /* restart() that the chain accepted */
	uint64_t refused_total;	     /* restart() that the chain refused */
	uint64_t script_loads_total; /* the kind loaded its script again */
	uint64_t failures[FILTER_FAILURES_MAX];
};

struct filter {
	const struct filter_ops *ops; /* set by open */
	const char *name; /* "parser.0" or the Alias; set by the chain */
	/* The input name under which Fluent Bit counts restarted records:
	 * Emitter_Name, or NULL for "emitter_for_" and the filter's name. */
	const char *emitter;
	struct filter_stats stats;
};

#endif
