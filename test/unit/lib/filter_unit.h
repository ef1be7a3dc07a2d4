/* SPDX-License-Identifier: Apache-2.0 */
/* filter_unit - one filter: JSON goes in, JSON comes out. */
#ifndef UNIT_FILTER_UNIT_H
#define UNIT_FILTER_UNIT_H

#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"
#include "filter/chain.h"
#include "record/json.h"
#include "record/record.h"

/* An expression, and a text for which it reaches its match limit. */
#define ENDLESS_REGEX "^(a+)+$"
#define ENDLESS_TEXT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"

struct filter_unit {
	struct conf *conf;
	struct chain *chain;
	struct arena *arena;
	struct json_reader *reader;
	struct buf out; /* the records that came out of the chain */
};

/* A chain with one [FILTER] of that name and these keys.  False on a mistake
 * in the keys, with *e saying which; filter_unit_fini() is needed anyway. */
bool filter_unit_init(struct filter_unit *, const char *name, const char *keys,
		      struct err *e);
void filter_unit_fini(struct filter_unit *);

/* A record from JSON, with the tag "a.b"; valid as long as the unit. */
struct record *filter_unit_read(struct filter_unit *, const char *json);

/* Run the record through the chain.  Returns the JSON of all records that came
 * out, or "" if the record was dropped; valid until the next call.  If a key
 * occurs several times, the JSON has all its fields; json_write_record() would
 * write only the last. */
const char *filter_unit_give(struct filter_unit *, struct record *);

/* filter_unit_read() and filter_unit_give(). */
const char *filter_unit_run(struct filter_unit *, const char *json);

/* The filter's counters. */
const struct filter_stats *filter_unit_stats(const struct filter_unit *);

struct filter_case {
	const char *keys, *in, *out; /* out is "" for a dropped record */
};

/* Run each case in a filter of its own; a record that is known to have unique
 * keys must give the same answer. */
void filter_unit_check(const char *name, const struct filter_case *cases,
		       size_t count);

struct mistake_case {
	const char *keys, *place, *says;
};

/* Each case must be refused, with `place` and `says` in the message. */
void filter_unit_mistakes(const char *name, const struct mistake_case *cases,
			  size_t count);

#endif
