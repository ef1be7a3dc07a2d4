/* SPDX-License-Identifier: Apache-2.0 */
#include "record/field_index.h"

#include <stdlib.h>

#include "base/arena.h"
#include "record/record.h"

enum { FEW = 64 };

static int by_key(const void *a, const void *b, void *data)
{
	const struct field *fields = data;
	return span_compare(fields[*(const uint32_t *)a].key,
			    fields[*(const uint32_t *)b].key);
}

void field_index_build(struct field_index *index, struct arena *arena,
		       const struct field *fields, size_t count)
{
	*index = (struct field_index){.fields = fields};
	if (count <= FEW)
		return;
	index->count = count;
	index->sorted = arena_take(arena, count * sizeof *index->sorted);
	for (size_t i = 0; i < count; i++)
		index->sorted[i] = (uint32_t)i;
	qsort_r(index->sorted, count, sizeof *index->sorted, by_key,
		(void *)fields);
}

size_t field_index_find(const struct field_index *index, size_t count,
			struct span key)
{
	if (index->count == 0)
		return fields_index_of_last(index->fields, count, key);
	size_t indexed = index->count < count ? index->count : count;
	for (size_t i = count; i-- > indexed;)
		if (span_equals(index->fields[i].key, key))
			return i;
	size_t low = 0, high = index->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint32_t at = index->sorted[middle];
		int order = span_compare(key, index->fields[at].key);
		if (order == 0)
			return at < count ? at : count;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return count;
}
