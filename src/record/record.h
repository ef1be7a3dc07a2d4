/* SPDX-License-Identifier: Apache-2.0 */
/* record - a parsed message: an ordered map of fields, a tag and a time.
 *
 *     tag "kube.*"   time 1795219198.000000000
 *     [ method="GET" | uri="/" | ... | pri="190" | ident="nginx" ]
 *       first                                          last
 *
 * A key may occur twice, as in Fluent Bit, where a parser puts its fields in
 * front of the existing ones.  A template uses the first of the two fields;
 * accessors, hooks and JSON use the last (record_first_at, record_last_at).
 * A record lives in the arena of its message and is never freed separately. */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "record/value.h"

struct arena;
struct message;

struct record {
	struct arena *arena;
	struct message *message; /* its origin; may be NULL in tests */
	struct span tag;
	int64_t time_ns; /* since 1970 */
	struct field *fields;
	size_t count;
	size_t cap;
	/* True: no key occurs twice.  False: unknown.  Code that writes a key
	 * into `fields` directly must set it to false. */
	bool has_unique_keys;
	unsigned restarts;     /* how often the chain restarted it */
	unsigned restarted_by; /* 1 + the index of the filter that restarted
				* it last; 0: none */
	bool is_over_limit;    /* too many restarts made it keep its tag */
};

/* An empty record in the arena. */
struct record *record_new(struct arena *, struct message *, struct span tag,
			  int64_t time_ns);

/* A copy with its own fields.  The values are shared, since they never
 * change. */
struct record *record_copy(const struct record *);

/* Make room for at least one more field. */
void record_grow(struct record *);

/* Append a field whose key the record does not have. */
static inline void record_add_new(struct record *r, struct span key,
				  struct value value)
{
	if (r->count == r->cap)
		record_grow(r);
	r->fields[r->count++] = (struct field){key, value};
}

/* Append a field, even if the key exists. */
static inline void record_add(struct record *r, struct span key,
			      struct value value)
{
	r->has_unique_keys = false;
	record_add_new(r, key, value);
}

/* Remove every field of that key. */
void record_remove(struct record *, struct span key);

/* The first and the last value of that key; NULL if there is none.  *place must
 * start as 0 and remembers where the key was: records of one input look alike,
 * so that the next look-up of the same key usually needs one comparison.  The
 * pointer is valid until the record changes. */
const struct value *record_first_at(const struct record *, struct span key,
				    size_t *place);
const struct value *record_last_at(const struct record *, struct span key,
				   size_t *place);

/* The last value of that key, for a look-up that is not repeated. */
const struct value *record_last(const struct record *, struct span key);

/* Keep only the last field of each key.  Costs nothing if the keys are known to
 * be unique. */
void record_keep_last(struct record *);

/* Set is_last[i] to whether no field after field i has the same key.  `places`
 * is room for `count` numbers, whose values have no meaning afterwards.  The
 * fields are sorted by key, so the work grows with count * log(count).  With a
 * hash table, a sender could choose keys that make it grow with count^2. */
void fields_mark_last(const struct field *, size_t count, uint32_t *places,
		      bool *is_last);

/* The index of the last field of that key; `count` if there is none. */
size_t fields_index_of_last(const struct field *, size_t count,
			    struct span key);

/* The value of that field, as in a VALUE_MAP; NULL if there is none. */
const struct value *fields_last(const struct field *, size_t count,
				struct span key);

#endif
