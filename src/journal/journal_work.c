/* SPDX-License-Identifier: Apache-2.0 */
/* What the consumer works on, and which messages killed a process:
 *
 * 1. journal_begin stores the message's word in the header.  The word holds its
 *    seq and twice the number of processes that have died of it.
 * 2. Before the consumer writes or sleeps, journal_rest stores 0.
 * 3. If the process dies, the next one finds a word that is not 0.  It adds one
 *    death to the word, or half a death if the process was killed from outside.
 *    It stores the word among the suspects, and then 0 as in step 2.  If it is
 *    killed before the second store, the process after it does the same.
 * 4. journal_take returns the deaths with the message.
 * 5. After a commit, the message's suspect is removed.
 *
 * A word is ignored if its message was committed or never received.  An older
 * sluiced that used the file in between leaves only words of this kind. */
#include <stdatomic.h>

#include "journal/journal.h"
#include "journal/journal_ring.h"

enum { HALVES_BITS = 8, HALVES_MAX = (1 << HALVES_BITS) - 2 };

static uint64_t word_of(uint64_t seq, unsigned halves)
{
	return (seq + 1) << HALVES_BITS | halves;
}

static uint64_t seq_of(uint64_t word)
{
	return (word >> HALVES_BITS) - 1;
}

static unsigned halves_of(uint64_t word)
{
	return word & ((1 << HALVES_BITS) - 1);
}

static bool is_pending(const struct journal *j, uint64_t word)
{
	return word >> HALVES_BITS != 0 && seq_of(word) >= j->consumer.seq &&
	       seq_of(word) < j->producer.stats.appended_total;
}

static void set_suspect(struct journal *j, size_t i, uint64_t word)
{
	j->consumer.suspects[i] = word;
	atomic_store_explicit(&j->view.header->suspects[i], word,
			      memory_order_relaxed);
}

/* The place of the suspect with that seq.  If no suspect has it, a free place;
 * if no place is free, that of the earliest message, which is committed first.
 */
static size_t place_for(const struct journal *j, uint64_t seq)
{
	const uint64_t *all = j->consumer.suspects;
	size_t place = 0;
	for (size_t i = 0; i < JOURNAL_SUSPECTS_MAX; i++) {
		if (all[i] != 0 && seq_of(all[i]) == seq)
			return i;
		if (all[i] < all[place])
			place = i;
	}
	return place;
}

static void count_suspects(struct journal *j)
{
	struct journal_consumer *c = &j->consumer;
	c->suspect_count = 0;
	for (size_t i = 0; i < JOURNAL_SUSPECTS_MAX; i++)
		c->suspect_count += c->suspects[i] != 0;
}

bool journal_find_suspects(struct journal *j, bool died_of_other)
{
	struct journal_header *h = j->view.header;
	for (size_t i = 0; i < JOURNAL_SUSPECTS_MAX; i++) {
		uint64_t word = atomic_load(&h->suspects[i]);
		j->consumer.suspects[i] = is_pending(j, word) ? word : 0;
	}
	uint64_t work = atomic_load(&h->work);
	bool is_suspect = is_pending(j, work);
	if (is_suspect) {
		if (halves_of(work) < HALVES_MAX)
			work += died_of_other ? 1 : 2;
		set_suspect(j, place_for(j, seq_of(work)), work);
	}
	atomic_signal_fence(memory_order_seq_cst);
	journal_rest(j);
	count_suspects(j);
	return is_suspect;
}

unsigned journal_half_deaths_at(const struct journal *j, uint64_t seq)
{
	for (size_t i = 0; i < JOURNAL_SUSPECTS_MAX; i++) {
		uint64_t word = j->consumer.suspects[i];
		if (word != 0 && seq_of(word) == seq)
			return halves_of(word);
	}
	return 0;
}

bool journal_is_replayed(const struct journal *j, uint64_t seq)
{
	const struct journal_consumer *c = &j->consumer;
	bool is_repeated = c->replayed.batch_number == c->number &&
			   c->hold_seq != UINT64_MAX && seq < c->hold_seq;
	return !is_repeated && journal_replayed_has(&c->replayed, seq);
}

void journal_begin(struct journal *j, const struct journal_entry *entry)
{
	atomic_store_explicit(&j->view.header->work,
			      word_of(entry->seq, entry->half_deaths),
			      memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

void journal_rest(struct journal *j)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&j->view.header->work, 0, memory_order_relaxed);
}

uint64_t journal_work(const struct journal *j)
{
	return atomic_load_explicit(&j->view.header->work,
				    memory_order_relaxed);
}

void journal_forget_suspects(struct journal *j)
{
	const struct journal_consumer *c = &j->consumer;
	for (size_t i = 0; i < JOURNAL_SUSPECTS_MAX; i++)
		if (c->suspects[i] != 0 && seq_of(c->suspects[i]) < c->seq)
			set_suspect(j, i, 0);
	count_suspects(j);
}

bool journal_has_suspects(const struct journal *j)
{
	return j->consumer.suspect_count > 0;
}
