/* SPDX-License-Identifier: Apache-2.0 */
/* skip_hash - tells whether the lines of a batch begin with those that a note
 * skips (journal/append_note.h), because they were written before.
 *
 * They do not if the previous process made other lines of the same messages,
 * for example with another template.  Only a batch that was written in several
 * parts has such a hash, so it costs nothing otherwise. */
#ifndef FILE_SKIP_HASH_H
#define FILE_SKIP_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

struct append_note;

/* Add the first bytes of `lines` to the hash.  batch_at is the offset of
 * `lines` in the batch.  If it is negative, the first -batch_at bytes belong to
 * earlier batches and are left out.  If it is 0 or less, the hash begins here,
 * and its old value is ignored. */
uint64_t skip_hash_add(uint64_t hash, int64_t batch_at, const char *lines,
		       size_t bytes) MUST_USE;

/* The hash as it is noted, which is never 0. */
uint32_t skip_hash_end(uint64_t hash) MUST_USE;

/* Whether the lines, which are all of a batch, begin with the bytes that the
 * note skips.  True if the note has no hash. */
bool skip_hash_is_of(const struct append_note *, struct span lines) MUST_USE;

#endif
