/* SPDX-License-Identifier: Apache-2.0 */
/* journal_unit - a journal in the tests: opened, filled as recvmmsg fills it,
 * emptied. */
#ifndef JOURNAL_UNIT_H
#define JOURNAL_UNIT_H

#include "unit.h"

#include <string.h>

#include "journal/journal.h"

enum { NOW_NS = 4711, ITEM_HEAD_BYTES = 32, SMALL_RING_BYTES = 4096 };

static inline struct journal *open_found(const struct journal_opts *opts,
					 struct journal_found *found)
{
	struct err e = {0};
	struct journal *j = journal_open(opts, found, &e);
	if (j == NULL)
		fail_msg("%s", e.text);
	return j;
}

/* What recvmmsg does to one slot. */
static inline void receive(struct journal *j, unsigned slot, struct span bytes)
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

static inline unsigned append(struct journal *j, struct span bytes)
{
	receive(j, 0, bytes);
	return journal_append(j, 1, NOW_NS);
}

/* Text whose every byte depends on its number and its place. */
static inline struct span text_of(unsigned number, size_t length, char *room)
{
	for (size_t i = 0; i < length; i++)
		room[i] = (char)('a' + (number + i) % 26);
	return span_make(room, length);
}

static inline void assert_takes(struct journal *j, struct span expected)
{
	struct journal_entry entry;
	assert_true(journal_take(j, &entry));
	assert_int_equal(entry.bytes.len, expected.len);
	assert_true(span_equals(entry.bytes, expected));
}

static inline void assert_takes_nothing(struct journal *j)
{
	struct journal_entry entry;
	assert_false(journal_take(j, &entry));
}

static inline void commit(struct journal *j)
{
	journal_commit(j, NULL, 0);
}

#endif
