/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { FIRST_CAP = 32, FEW = 64, MARKS = 256, MARK_SHIFT = 64 - 8 };

static struct field *fields_new(struct arena *a, size_t cap)
{
	return arena_take(a, cap * sizeof(struct field));
}

struct record *record_new(struct arena *a, struct message *message,
			  struct span tag, int64_t time_ns)
{
	struct record *r = arena_take(a, sizeof *r);
	*r = (struct record){
		.arena = a,
		.message = message,
		.tag = tag,
		.time_ns = time_ns,
		.fields = fields_new(a, FIRST_CAP),
		.cap = FIRST_CAP,
	};
	return r;
}

struct record *record_copy(const struct record *from)
{
	struct record *r = arena_take(from->arena, sizeof *r);
	*r = *from;
	r->cap = from->count + 4;
	r->fields = fields_new(r->arena, r->cap);
	memcpy(r->fields, from->fields, from->count * sizeof *r->fields);
	return r;
}

void record_grow(struct record *r)
{
	struct field *old = r->fields;
	r->cap = r->cap * 2 + FIRST_CAP;
	r->fields = fields_new(r->arena, r->cap);
	memcpy(r->fields, old, r->count * sizeof *old);
}

static uint64_t eight_at(const char *bytes)
{
	uint64_t eight;
	memcpy(&eight, bytes, sizeof eight);
	return eight;
}

static uint32_t four_at(const char *bytes)
{
	uint32_t four;
	memcpy(&four, bytes, sizeof four);
	return four;
}

/* span_equals for keys: they are so short that a call of memcmp would cost more
 * than comparing them here.  Keys of one length often start alike and rarely
 * end alike, so this compares from the end. */
static inline bool is_key(struct span a, struct span b)
{
	size_t len = a.len;
	if (len != b.len)
		return false;
	if (len >= 8) {
		for (size_t end = len; end > 8; end -= 8)
			if (eight_at(a.ptr + end - 8) !=
			    eight_at(b.ptr + end - 8))
				return false;
		return eight_at(a.ptr) == eight_at(b.ptr);
	}
	if (len >= 4)
		return four_at(a.ptr + len - 4) == four_at(b.ptr + len - 4) &&
		       four_at(a.ptr) == four_at(b.ptr);
	while (len > 0 && a.ptr[len - 1] == b.ptr[len - 1])
		len--;
	return len == 0;
}

size_t fields_index_of_last(const struct field *fields, size_t count,
			    struct span key)
{
	for (size_t i = count; i-- > 0;)
		if (is_key(fields[i].key, key))
			return i;
	return count;
}

void record_remove(struct record *r, struct span key)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->count; i++)
		if (!span_equals(r->fields[i].key, key))
			r->fields[kept++] = r->fields[i];
	r->count = kept;
}

/* Whether the only field of that key is at this place. */
static inline bool is_only_at(const struct record *r, struct span key,
			      size_t place)
{
	return r->has_unique_keys && place < r->count &&
	       is_key(r->fields[place].key, key);
}

const struct value *record_first_at(const struct record *r, struct span key,
				    size_t *place)
{
	if (is_only_at(r, key, *place))
		return &r->fields[*place].value;
	for (size_t i = 0; i < r->count; i++)
		if (is_key(r->fields[i].key, key)) {
			*place = i;
			return &r->fields[i].value;
		}
	return NULL;
}

const struct value *record_last_at(const struct record *r, struct span key,
				   size_t *place)
{
	if (is_only_at(r, key, *place))
		return &r->fields[*place].value;
	size_t i = fields_index_of_last(r->fields, r->count, key);
	if (i == r->count)
		return NULL;
	*place = i;
	return &r->fields[i].value;
}

const struct value *fields_last(const struct field *fields, size_t count,
				struct span key)
{
	size_t at = fields_index_of_last(fields, count, key);
	return at < count ? &fields[at].value : NULL;
}

const struct value *record_last(const struct record *r, struct span key)
{
	return fields_last(r->fields, r->count, key);
}

/* A hash of both ends of the key.  The keys of one record mostly differ there,
 * so that two keys rarely share a mark. */
static size_t mark_of(struct span key)
{
	uint64_t ends = 0;
	if (key.len >= 8)
		ends = eight_at(key.ptr) + eight_at(key.ptr + key.len - 8);
	else if (key.len >= 4)
		ends = (uint64_t)four_at(key.ptr) << 32 |
		       four_at(key.ptr + key.len - 4);
	else if (key.len > 0)
		ends = (unsigned char)key.ptr[0] +
		       256 * (uint64_t)(unsigned char)key.ptr[key.len - 1];
	return (ends + key.len) * UINT64_C(0x9e3779b97f4a7c15) >> MARK_SHIFT;
}

/* For the few fields of an access log.  If all keys share one mark, each one is
 * compared with all that are kept, at most FEW.  Returns the index of the first
 * kept field. */
static size_t keep_last_of_few(struct record *r)
{
	bool is_marked[MARKS] = {false};
	size_t kept = r->count;
	for (size_t i = r->count; i-- > 0;) {
		size_t mark = mark_of(r->fields[i].key);
		if (is_marked[mark] &&
		    fields_index_of_last(r->fields + kept, r->count - kept,
					 r->fields[i].key) < r->count - kept)
			continue;
		is_marked[mark] = true;
		if (--kept != i)
			r->fields[kept] = r->fields[i];
	}
	return kept;
}

/* Lengths are compared first, since that is cheaper than comparing texts. */
static int by_key_and_place(const void *a, const void *b, void *data)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	const struct field *fields = data;
	struct span key = fields[left].key, other = fields[right].key;
	if (key.len != other.len)
		return key.len < other.len ? -1 : 1;
	int order = key.len > 0 ? memcmp(key.ptr, other.ptr, key.len) : 0;
	return order != 0 ? order : (left > right) - (left < right);
}

void fields_mark_last(const struct field *fields, size_t count,
		      uint32_t *places, bool *is_last)
{
	for (size_t i = 0; i < count; i++)
		places[i] = (uint32_t)i;
	qsort_r(places, count, sizeof *places, by_key_and_place,
		(void *)fields);
	for (size_t i = 0; i < count; i++)
		is_last[places[i]] = i + 1 == count ||
				     !span_equals(fields[places[i]].key,
						  fields[places[i + 1]].key);
}

/* Returns the index of the first kept field. */
static size_t keep_last_of_many(struct record *r)
{
	uint32_t *places = arena_take(r->arena, r->count * sizeof *places);
	bool *is_last = arena_take(r->arena, r->count * sizeof *is_last);
	fields_mark_last(r->fields, r->count, places, is_last);
	size_t kept = r->count;
	for (size_t i = r->count; i-- > 0;)
		if (is_last[i])
			r->fields[--kept] = r->fields[i];
	arena_give_back(r->arena, places);
	return kept;
}

void record_keep_last(struct record *r)
{
	if (r->has_unique_keys)
		return;
	size_t kept =
		r->count <= FEW ? keep_last_of_few(r) : keep_last_of_many(r);
	r->fields += kept;
	r->cap -= kept;
	r->count -= kept;
	r->has_unique_keys = true;
}
