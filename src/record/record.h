/* SPDX-License-Identifier: Apache-2.0 */
/* record - the parsed thing: an ordered map of fields, a tag and a time.
 *
 *     tag "kube.*"   time 1795219198.000000000
 *     [ method="GET" | uri="/" | ... | pri="190" | ident="nginx" ]
 *       first                                          last
 *
 * A key may occur twice, as in Fluent Bit, where a parser's keys are put in
 * front of those that were there: a template sees the first of the two,
 * accessors, hooks and JSON see the last (record_first, record_last).
 * Lives in the arena of its message and is never freed by itself. */
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
	struct message *message; /* that it came from; may be NULL in tests */
	struct span tag;
	int64_t time_ns; /* since 1970 */
	struct field *fields;
	size_t count;
	size_t cap;
	/* True: no key occurs twice.  False: nobody has looked.  Who puts a
	 * key into `fields` by hand makes it false. */
	bool has_unique_keys;
	unsigned restarts;     /* how often it went back to the chain's head */
	unsigned restarted_by; /* 1 + the filter that sent it there; 0: none */
};

/* An empty record in the arena. */
struct record *record_new(struct arena *, struct message *, struct span tag,
			  int64_t time_ns);

/* A copy with fields of its own (values are shared, they never change). */
struct record *record_copy(const struct record *);

/* Make room for more fields. */
void record_grow(struct record *);

/* Append; the key must not be there. */
static inline void record_add_new(struct record *r, struct span key,
				  struct value value)
{
	if (r->count == r->cap)
		record_grow(r);
	r->fields[r->count++] = (struct field){key, value};
}

/* Append, also when the key is there already. */
static inline void record_add(struct record *r, struct span key,
			      struct value value)
{
	r->has_unique_keys = false;
	record_add_new(r, key, value);
}

/* Replace the last field of that key in its place, or append. */
void record_set(struct record *, struct span key, struct value);

/* Remove every field of that key. */
void record_remove(struct record *, struct span key);

/* The first or the last value of that key; NULL when there is none.  Valid
 * until the record is changed. */
const struct value *record_first(const struct record *, struct span key);
const struct value *record_last(const struct record *, struct span key);

/* record_first, for one who asks record after record: *place, at first 0, is
 * where the key was last time.  Records of one input are alike. */
const struct value *record_first_at(const struct record *, struct span key,
				    size_t *place);

/* Where a key occurs twice, leave only the last field of it.  Costs nothing
 * when it is known that none does. */
void record_keep_last(struct record *);

/* Where the last field of that key is; count when there is none. */
size_t fields_index_of_last(const struct field *, size_t count,
			    struct span key);

/* The same look-up in the fields of a VALUE_MAP. */
const struct value *fields_last(const struct field *, size_t count,
				struct span key);

#endif
