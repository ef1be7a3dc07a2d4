/* SPDX-License-Identifier: Apache-2.0 */
/* journal_dir - a journal in a directory of its own, for each test. */
#ifndef JOURNAL_DIR_H
#define JOURNAL_DIR_H

#include "journal_unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { SLOTS = 4, SLOT_BYTES = 700, COUNTERS = 3 };

struct dir {
	char root[64];
	char path[96];
	char other[128];
};

static inline int set_up_in(const char *parent, void **state)
{
	struct dir *d = mem_new(1, sizeof *d);
	snprintf(d->root, sizeof d->root, "%s/sluiced-journal-XXXXXX", parent);
	if (mkdtemp(d->root) == NULL) {
		free(d);
		return -1;
	}
	snprintf(d->path, sizeof d->path, "%s/journal", d->root);
	*state = d;
	return 0;
}

static inline int set_up(void **state)
{
	return set_up_in("/tmp", state);
}

/* The name beside the journal's. */
static inline const char *beside(struct dir *d, const char *suffix)
{
	snprintf(d->other, sizeof d->other, "%s%s", d->path, suffix);
	return d->other;
}

static inline bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static inline int tear_down(void **state)
{
	struct dir *d = *state;
	unlink(d->path);
	unlink(beside(d, ".new"));
	for (int i = 1; i < 20; i++) {
		char suffix[32];
		snprintf(suffix, sizeof suffix, ".damaged.%d", i);
		unlink(beside(d, suffix));
	}
	int result = rmdir(d->root); /* nothing else was left there */
	free(d);
	return result;
}

static inline struct journal_opts opts_of(const struct dir *d)
{
	return (struct journal_opts){
		.path = d->path,
		.ring_bytes = SMALL_RING_BYTES,
		.slot_bytes = SLOT_BYTES,
		.slots = SLOTS,
		.counters_bytes = COUNTERS * sizeof(uint64_t),
	};
}

static inline struct journal *open_in(const struct dir *d,
				      struct journal_found *found)
{
	struct journal_opts opts = opts_of(d);
	return open_found(&opts, found);
}

/* Opens what was damaged by nobody. */
static inline struct journal *open_good(const struct dir *d)
{
	struct journal_found found;
	struct journal *j = open_in(d, &found);
	assert_string_equal(found.why, "");
	return j;
}

static inline void append_texts(struct journal *j, unsigned from,
				unsigned count)
{
	char room[SLOT_BYTES];
	for (unsigned i = from; i < from + count; i++) {
		assert_int_equal(append(j, text_of(i, i * 31 % 100, room)), 1);
	}
}

static inline void assert_texts(struct journal *j, unsigned from,
				unsigned count)
{
	char room[SLOT_BYTES];
	for (unsigned i = from; i < from + count; i++)
		assert_takes(j, text_of(i, i * 31 % 100, room));
}

static inline void commit_count(struct journal *j, uint64_t count)
{
	uint64_t counters[COUNTERS] = {count, ~count, 7};
	journal_commit(j, counters, sizeof counters);
}

static inline uint64_t count_of(const struct journal *j)
{
	size_t bytes;
	const uint64_t *counters = journal_counters(j, &bytes);
	assert_non_null(counters);
	assert_int_equal(bytes, COUNTERS * sizeof(uint64_t));
	assert_true(counters[1] == ~counters[0] && counters[2] == 7);
	return counters[0];
}

#endif
