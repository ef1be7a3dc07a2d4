/* SPDX-License-Identifier: Apache-2.0 */
/* The messages move from a file to a new one:
 *
 * 1. journal_free_unused gives back the room in the old file that holds no
 *    message, because the new file may need it.
 * 2. journal_carry_over copies everything to the new file, PATH.new.
 * 3. journal_open.c renames the new file.
 *
 * Until then, the old file is good: if this process is killed or fails in
 * between, the next one continues in the old file.  So step 1 does not touch
 * its header, its tables and its waiting messages.  Nor does it touch the parts
 * that every process reserves when it opens the file.  All other parts are
 * reserved again before they are written. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"
#include "journal/journal_check.h"
#include "journal/journal_file.h"
#include "journal/journal_ring.h"

/* Free these bytes of the region, but not its beginning, which is ready. */
static void free_part(const struct journal *j, const struct journal_region *r,
		      size_t from, size_t upto)
{
	if (from < r->ready)
		from = r->ready;
	from = journal_round_up(from, JOURNAL_PAGE_BYTES);
	upto -= upto % JOURNAL_PAGE_BYTES;
	if (from < upto)
		journal_file_free(j->fd, r->at + from, upto - from);
}

/* Keeps the place after the last entry, because a skip may be written there
 * (can_write in journal.c). */
void journal_free_unused(struct journal *j)
{
	struct journal_producer *p = &j->producer;
	struct journal_region *ring = &p->ring;
	size_t used = (size_t)(p->head - p->tail) + JOURNAL_SKIP_BYTES;
	free_part(j, &p->buffers, 0, p->buffers.bytes);
	if (used >= ring->bytes)
		return;
	if (ring->ready > ring->step)
		ring->ready = ring->step;
	size_t from = (p->head + JOURNAL_SKIP_BYTES) % ring->bytes;
	size_t upto = from + ring->bytes - used;
	if (upto <= ring->bytes) {
		free_part(j, ring, from, upto);
		return;
	}
	free_part(j, ring, from, ring->bytes);
	free_part(j, ring, 0, upto - ring->bytes);
}

size_t journal_waiting_bytes(const struct journal *j)
{
	struct journal_state state;
	struct journal_entry entry;
	char why[JOURNAL_WHY_BYTES];
	size_t bytes = 0;
	CHECK(journal_state_read(&j->view, &state, why));
	struct journal_walk walk = journal_walk_of(&state);
	while (journal_walk_next(&j->view, &walk, &entry) == JOURNAL_FOUND)
		bytes += journal_item_bytes(entry.bytes.len);
	return bytes;
}

/* `to` begins with another number of the last commit. */
static void carry_replayed(struct journal *to, const struct journal *from,
			   uint64_t number)
{
	struct journal_replayed r = journal_replayed_read(&from->view);
	bool is_of_batch = r.end_seq > 0 && r.batch_number == number;
	r.batch_number = is_of_batch ? to->consumer.number : 0;
	r.check = journal_replayed_check(&r);
	to->view.header->replayed = r;
}

bool journal_carry_over(struct journal *to, struct journal *from)
{
	struct journal_content c;
	char why[JOURNAL_WHY_BYTES];
	CHECK(journal_content_read(&from->view, &c, why));
	struct journal_producer *p = &to->producer;
	p->stats = from->producer.stats;
	to->consumer.seq = c.state.tail.seq;
	size_t bytes = c.state.tail.counters_bytes;
	if (bytes > to->view.geometry.counters_bytes)
		bytes = 0;
	journal_commit(to, c.state.counters, bytes);

	size_t row_bytes = sizeof(struct journal_input_row);
	if (from->view.version != JOURNAL_VERSION_NUMBERS)
		memcpy(journal_row_at(&to->view, 0),
		       journal_row_at(&from->view, 0),
		       JOURNAL_INPUTS_MAX * row_bytes);
	struct journal_header *h = to->view.header;
	const struct journal_header *old = from->view.header;
	atomic_store(&h->work, atomic_load(&old->work));
	for (size_t i = 0; i < JOURNAL_SUSPECTS_MAX; i++)
		atomic_store(&h->suspects[i], atomic_load(&old->suspects[i]));
	carry_replayed(to, from, c.state.tail.number);
	struct journal_walk walk = journal_walk_of(&c.state);
	struct journal_entry entry;
	p->stats.appended_total = walk.seq;
	while (journal_walk_next(&from->view, &walk, &entry) == JOURNAL_FOUND)
		if (!journal_put(to, &entry))
			return false;
	journal_publish(to);

	const struct journal_noted *notes = journal_notes_at(&from->view);
	for (uint64_t i = 0; i < c.notes; i++) {
		to->consumer.seq = c.noted_end_seq;
		if (notes[i].check != JOURNAL_NOTE_VOID &&
		    journal_note(to, &notes[i].note, 0) == 0)
			return false;
	}
	CHECK(journal_content_read(&to->view, &c, why));
	free(to->consumer.counters);
	journal_take_state(to, &c);
	return true;
}
