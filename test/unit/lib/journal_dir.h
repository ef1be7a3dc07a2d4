/* SPDX-License-Identifier: Apache-2.0 */
/* journal_dir - a journal in its own directory, and short functions to fill a
 * journal as recvmmsg does, to take from it and to commit. */
#ifndef UNIT_JOURNAL_DIR_H
#define UNIT_JOURNAL_DIR_H

#include "files.h"
#include "unit.h"

#include "journal/journal.h"

enum { NOW_NS = 4711, ITEM_HEAD_BYTES = 32, SMALL_RING_BYTES = 4096 };
enum { SLOTS = 4, SLOT_BYTES = 700, COUNTERS = 3 };

/* --- any journal */

/* Open a journal; the test fails if that fails. */
struct journal *must_open_journal(const struct journal_opts *,
				  struct journal_found *found);

/* Do what recvmmsg does to one slot when a datagram arrives. */
void slot_receive(struct journal *, unsigned slot, struct span bytes);

/* Receive one datagram and append it.  Returns the result of
 * journal_append(). */
unsigned append_bytes(struct journal *, struct span bytes);

/* A text in which every byte depends on the number and on its position, so
 * that a wrong or shifted text is noticed. */
struct span numbered_text(unsigned number, size_t length, char *room);

/* Assert that the journal's next entry has exactly these bytes. */
void assert_takes(struct journal *, struct span expected);
void assert_takes_nothing(struct journal *);

/* Commit everything taken so far, without counters. */
void commit_taken(struct journal *);

/* --- a journal file with SLOTS slots of SLOT_BYTES */

struct journal_dir {
	char root[TEMP_DIR_BYTES];
	char path[96]; /* of the journal */
	char other[128];
};

/* cmocka set-up and teardown; *state is the struct journal_dir.  The teardown
 * fails if the directory holds a file that is not the journal's. */
int journal_dir_set_up(void **state);
int journal_dir_set_up_in(const char *parent, void **state);
int journal_dir_tear_down(void **state);

/* The journal's path with a suffix; valid until the next call. */
const char *journal_dir_beside(struct journal_dir *, const char *suffix);

struct journal_opts journal_dir_opts(const struct journal_dir *);

/* Open the journal file, which may be damaged. */
struct journal *journal_dir_open(const struct journal_dir *,
				 struct journal_found *found);

/* Open the journal file; assert that it is not damaged. */
struct journal *journal_dir_open_good(const struct journal_dir *);

/* Append, or take and compare, the numbered texts from..from + count - 1. */
void append_texts(struct journal *, unsigned from, unsigned count);
void assert_texts(struct journal *, unsigned from, unsigned count);

/* Commit all taken entries with counters that hold `count`; read the `count` of
 * the last commit. */
void commit_counter(struct journal *, uint64_t count);
uint64_t committed_counter(const struct journal *);

#endif
