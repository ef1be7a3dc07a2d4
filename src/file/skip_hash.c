/* SPDX-License-Identifier: Apache-2.0 */
#include "file/skip_hash.h"

#include "base/hash.h"
#include "journal/append_note.h"

uint64_t skip_hash_add(uint64_t hash, int64_t batch_at, const char *lines,
		       size_t bytes)
{
	size_t old_bytes = batch_at < 0 ? (size_t)-batch_at : 0;
	if (batch_at <= 0)
		hash = HASH_FNV1A_BEGIN;
	if (bytes <= old_bytes)
		return hash;
	return hash_fnv1a(hash,
			  span_make(lines + old_bytes, bytes - old_bytes));
}

uint32_t skip_hash_end(uint64_t hash)
{
	uint32_t folded = (uint32_t)(hash ^ hash >> 32);
	return folded != 0 ? folded : 1;
}

bool skip_hash_is_of(const struct append_note *n, struct span lines)
{
	if (n->skip_hash == 0)
		return true;
	return n->skip_bytes <= lines.len &&
	       n->skip_hash == skip_hash_end(skip_hash_add(
				       0, 0, lines.ptr, (size_t)n->skip_bytes));
}
