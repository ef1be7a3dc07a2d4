/* SPDX-License-Identifier: Apache-2.0 */
#include "file/spill_owners.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/span.h"

enum { BUCKET_COUNT = 16 * 1024 };

struct owned_spill {
	struct owned_spill *bucket_next;
	uint64_t hash;
	uint32_t owner;
	bool is_loaded;
	char name[];
};

struct spill_owners {
	uint64_t seed; /* random, as clients can choose paths */
	struct owned_spill *buckets[BUCKET_COUNT];
};

struct spill_owners *spill_owners_new(void)
{
	struct spill_owners *owners = mem_new(1, sizeof *owners);
	CHECK(getrandom(&owners->seed, sizeof owners->seed, 0) ==
	      sizeof owners->seed);
	return owners;
}

void spill_owners_free(struct spill_owners *owners)
{
	if (owners == NULL)
		return;
	for (size_t i = 0; i < BUCKET_COUNT; i++) {
		struct owned_spill *n = owners->buckets[i], *next;
		for (; n != NULL; n = next) {
			next = n->bucket_next;
			free(n);
		}
	}
	free(owners);
}

static uint64_t hash_of(const struct spill_owners *owners, const char *name)
{
	return XXH3_64bits_withSeed(name, strlen(name), owners->seed);
}

/* The place that points to the name, or to NULL at the end of its bucket. */
static struct owned_spill **find(struct spill_owners *owners, const char *name,
				 uint64_t hash)
{
	struct owned_spill **at = &owners->buckets[hash % BUCKET_COUNT];
	while (*at != NULL &&
	       !((*at)->hash == hash &&
		 span_equals(span_of((*at)->name), span_of(name))))
		at = &(*at)->bucket_next;
	return at;
}

void spill_owners_put(struct spill_owners *owners, const char *name,
		      uint32_t owner, bool is_loaded)
{
	uint64_t hash = hash_of(owners, name);
	struct owned_spill **at = find(owners, name, hash);
	if (*at == NULL) {
		size_t name_bytes = strlen(name) + 1;
		*at = mem_new(1, sizeof **at + name_bytes);
		(*at)->hash = hash;
		memcpy((*at)->name, name, name_bytes);
	}
	(*at)->owner = owner;
	(*at)->is_loaded = is_loaded;
}

void spill_owners_forget(struct spill_owners *owners, const char *name)
{
	struct owned_spill **at = find(owners, name, hash_of(owners, name));
	struct owned_spill *n = *at;
	if (n == NULL)
		return;
	*at = n->bucket_next;
	free(n);
}

bool spill_owners_may_load(struct spill_owners *owners, const char *name,
			   uint32_t id)
{
	const struct owned_spill *n =
		*find(owners, name, hash_of(owners, name));
	return n == NULL || (n->owner == id && !n->is_loaded);
}
