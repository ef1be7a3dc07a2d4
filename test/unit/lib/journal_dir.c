/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct journal *must_open_journal(const struct journal_opts *opts,
				  struct journal_found *found)
{
	struct err e = {0};
	struct journal *j = journal_open(opts, found, &e);
	if (j == NULL)
		fail_msg("%s", e.text);
	return j;
}

void slot_receive(struct journal *j, unsigned slot, struct span bytes)
{
	unsigned count;
	struct mmsghdr *m = &journal_slots(j, 7, &count)[slot];
	assert_true(slot < count);
	size_t room = m->msg_hdr.msg_iov->iov_len;
	size_t length = bytes.len < room ? bytes.len : room;
	if (length > 0)
		memcpy(m->msg_hdr.msg_iov->iov_base, bytes.ptr, length);
	m->msg_hdr.msg_flags = bytes.len > room ? MSG_TRUNC : 0;
	m->msg_hdr.msg_controllen = 0;
	m->msg_len = (unsigned)length;
}

unsigned append_bytes(struct journal *j, struct span bytes)
{
	slot_receive(j, 0, bytes);
	return journal_append(j, 1, NOW_NS);
}

struct span numbered_text(unsigned number, size_t length, char *room)
{
	for (size_t i = 0; i < length; i++)
		room[i] = (char)('a' + (number + i) % 26);
	return span_make(room, length);
}

void assert_takes(struct journal *j, struct span expected)
{
	struct journal_entry entry;
	assert_true(journal_take(j, &entry));
	assert_int_equal(entry.bytes.len, expected.len);
	assert_true(span_equals(entry.bytes, expected));
}

void assert_takes_nothing(struct journal *j)
{
	struct journal_entry entry;
	assert_false(journal_take(j, &entry));
}

void commit_taken(struct journal *j)
{
	journal_commit(j, NULL, 0);
}

int journal_dir_set_up_in(const char *parent, void **state)
{
	struct journal_dir *d = mem_new(1, sizeof *d);
	*state = d;
	if (!temp_dir_make(d->root, parent, "sluiced-journal"))
		return -1;
	snprintf(d->path, sizeof d->path, "%s/journal", d->root);
	return 0;
}

int journal_dir_set_up(void **state)
{
	return journal_dir_set_up_in("/tmp", state);
}

const char *journal_dir_beside(struct journal_dir *d, const char *suffix)
{
	snprintf(d->other, sizeof d->other, "%s%s", d->path, suffix);
	return d->other;
}

int journal_dir_tear_down(void **state)
{
	struct journal_dir *d = *state;
	unlink(d->path);
	unlink(journal_dir_beside(d, ".new"));
	for (int i = 1; i < 20; i++) {
		char suffix[32];
		snprintf(suffix, sizeof suffix, ".damaged.%d", i);
		unlink(journal_dir_beside(d, suffix));
	}
	unlink(journal_dir_beside(d, ".foreign.1"));
	unlink(journal_dir_beside(d, ".new.foreign.1"));
	int result = rmdir(d->root); /* the journal left nothing else */
	free(d);
	return result;
}

struct journal_opts journal_dir_opts(const struct journal_dir *d)
{
	return (struct journal_opts){
		.path = d->path,
		.ring_bytes = SMALL_RING_BYTES,
		.slot_bytes = SLOT_BYTES,
		.slots = SLOTS,
		.counters_bytes = COUNTERS * sizeof(uint64_t),
	};
}

struct journal *journal_dir_open(const struct journal_dir *d,
				 struct journal_found *found)
{
	struct journal_opts opts = journal_dir_opts(d);
	return must_open_journal(&opts, found);
}

struct journal *journal_dir_open_good(const struct journal_dir *d)
{
	struct journal_found found;
	struct journal *j = journal_dir_open(d, &found);
	assert_string_equal(found.why, "");
	return j;
}

void append_texts(struct journal *j, unsigned from, unsigned count)
{
	char room[SLOT_BYTES];
	for (unsigned i = from; i < from + count; i++) {
		assert_int_equal(
			append_bytes(j, numbered_text(i, i * 31 % 100, room)),
			1);
	}
}

void assert_texts(struct journal *j, unsigned from, unsigned count)
{
	char room[SLOT_BYTES];
	for (unsigned i = from; i < from + count; i++)
		assert_takes(j, numbered_text(i, i * 31 % 100, room));
}

void commit_counter(struct journal *j, uint64_t count)
{
	uint64_t counters[COUNTERS] = {count, ~count, 7};
	journal_commit(j, counters, sizeof counters);
}

uint64_t committed_counter(const struct journal *j)
{
	size_t bytes;
	const uint64_t *counters = journal_counters(j, &bytes);
	assert_non_null(counters);
	assert_int_equal(bytes, COUNTERS * sizeof(uint64_t));
	assert_true(counters[1] == ~counters[0] && counters[2] == 7);
	return counters[0];
}
