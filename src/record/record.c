/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record.h"

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

const struct value *record_first_at(const struct record *r, struct span key,
				    size_t *place)
{
	size_t i = *place;
	if (r->has_unique_keys && i < r->count && is_key(r->fields[i].key, key))
		return &r->fields[i].value;
	for (i = 0; i < r->count; i++)
		if (is_key(r->fields[i].key, key)) {
			*place = i;
			return &r->fields[i].value;
		}
	return NULL;
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

static uint32_t hash_of(struct span key)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.ptr[i]) * 16777619u;
	return hash;
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

/* For the few fields of an access log.  For 27 fields this costs a third of
 * keep_last_of_many.  Returns the index of the first kept field. */
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

/* A hash table of the kept keys keeps the time linear for thousands of keys.
 * Returns the index of the first kept field. */
static size_t keep_last_of_many(struct record *r)
{
	size_t size = 256;
	while (size < r->count * 2)
		size *= 2;
	/* An entry is 1 + the index of a field; 0 is free. */
	uint32_t *table = arena_take(r->arena, size * sizeof *table);
	memset(table, 0, size * sizeof *table);
	size_t kept = r->count;
	for (size_t i = r->count; i-- > 0;) {
		struct field f = r->fields[i];
		size_t at = hash_of(f.key) & (size - 1);
		while (table[at] != 0 &&
		       !span_equals(r->fields[table[at] - 1].key, f.key))
			at = (at + 1) & (size - 1);
		if (table[at] != 0)
			continue;
		r->fields[--kept] = f;
		table[at] = (uint32_t)kept + 1;
	}
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
