/* SPDX-License-Identifier: Apache-2.0 */
/* field_index - finds a key among many fields.
 *
 * A search through the fields takes longer the more there are, so a script that
 * touches each of 10,000 fields would take seconds.  With more than a few
 * fields, the index is a list of their numbers in the order of their keys; with
 * few, it costs nothing.  A sender cannot make it slow, unlike a hash table. */
#ifndef RECORD_FIELD_INDEX_H
#define RECORD_FIELD_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct arena;
struct field;

struct field_index {
	const struct field *fields;
	size_t count;	  /* of the indexed fields; 0: there are few */
	uint32_t *sorted; /* their numbers, by key */
};

/* Index the first `count` fields.  No two of them may have the same key.  Their
 * keys must not change while the index is in use, and the list of fields must
 * stay where it is; their values may change, and fields may be appended. */
void field_index_build(struct field_index *, struct arena *,
		       const struct field *fields, size_t count);

/* The number of the last field of that key among the first `count` fields;
 * `count` if there is none.  `count` may differ from the number of indexed
 * fields. */
size_t field_index_find(const struct field_index *, size_t count,
			struct span key);

#endif
