/* SPDX-License-Identifier: Apache-2.0 */
/* One batch through the journal, with its two threads:
 *
 * 1. journal_slots stores in the header which input the slots are for, and the
 *    present head.  recvmmsg fills the slots; the producer calls
 *    journal_append.
 * 2. The producer loads tail (acquire): the consumer has finished with all
 *    entries before tail, so their room is free.
 * 3. It copies each datagram after its private head, where nobody reads.
 * 4. It stores head (release), once for the batch: the entries are published.
 *    Then it empties the slots for the next use.
 * 5. The consumer, once it has read all entries that it knew of, loads head
 *    (acquire) and takes entry after entry, moving its private position `read`.
 * 6. Before each append to a file, a sink calls journal_note.
 * 7. journal_commit stores tail = read (release), which frees room for step 2.
 *
 * journal_offer is steps 2 to 4 for one message that is not in a slot.  The
 * message is in the journal once head is stored; before that, its sender's
 * connection still holds it.
 *
 * Each word has one writer, and a stale value is only cautious: the producer
 * sees less room, and the consumer sees fewer entries, than there are.
 *
 * If an entry does not fit before the end of the ring, a skip fills the rest,
 * and the entry goes to the beginning.  One head publishes both, so an entry
 * always follows a skip.
 *
 * If an entry does not fit at all, nothing is written, and journal_append drops
 * and counts it.
 *
 * If the file system has no room for more of the ring, the ring ends earlier
 * until there is room: a skip leads from its last entry to the beginning.
 *
 * If the ring is empty (tail == head in step 2) and a part of it has been used,
 * the producer moves its head to the next multiple of the ring's size.  In step
 * 4 it publishes head and start; everything before start counts as committed.
 * The consumer writes only tail, which may lie before start:
 * - the later one of tail and start is the tail that counts;
 * - with tail == head, the consumer's `read` equals them.  As long as the
 *   consumer sees the old head, it has nothing to take.  When it sees the new
 *   head, it also sees the new start (release, acquire) and continues there;
 * - start cannot move again before that, because the ring must be empty.
 *
 * If the process is killed, the file contains its stores up to some
 * instruction, in program order, and no later ones.  (A signal handler sees the
 * stores of the thread that it interrupts in the same way.)  The fence in
 * settled() keeps the compiler from reordering the stores.  What the next
 * process (journal_open.c) finds depends on the instant of the kill:
 *
 *  a. In journal_slots: the slots are empty, none has a length.
 *  b. In recvmmsg, or before head is stored: slots_head is head, so the
 *     datagrams in the slots are not in the ring; the next process appends
 *     them.  recvmmsg writes msg_len last, so each length stands for a whole
 *     datagram, even an empty one; after the last datagram all lengths are
 *     JOURNAL_SLOT_EMPTY.  Step 3 is repeated with the same entries, which
 *     overwrite those of the killed process.
 *  c. After head is stored, while the slots are emptied: slots_head is not
 *     head, so the datagrams are in the ring.
 *  d. While the block for the next head is written (with its count of dropped
 *     messages and its start): the block is not valid before that head is
 *     stored.
 *  e. In journal_take: it writes nothing, so there is nothing to recover.
 *  f. In journal_note: the note counts once noted_count is stored, which is
 *     before the append that the note is for.  A note that replaces another one
 *     is void meanwhile; nothing was written for either of them.  In
 *     journal_note_failed: the note is valid with both lengths.
 *  g. After journal_note: the next process ends its first batch at
 *     noted_end_seq, and its sinks find the notes.  The notes stay, and new
 *     ones are added, until the first commit.
 *  h. In journal_commit: the block for the next tail is not valid before that
 *     tail is stored.  Either no message of the batch is committed, or all are.
 *  i. After tail is stored: the notes have the number of an earlier commit and
 *     are void.
 *  j. In journal_open: a new file does not have its name yet; an old one is in
 *     case b.  A row of the table of inputs that was being written is empty,
 *     and no message uses it.
 *
 * One loss remains, unless the file is on a tmpfs.  If recvmmsg stores to a
 * page that the kernel is writing back, the store waits.  If the process is
 * killed meanwhile, the kernel abandons the store, and the datagram is lost.
 * touch_slots makes this unlikely: the page must be written back between
 * touch_slots and the store. */
#include "journal/journal.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "journal/journal_check.h"
#include "journal/journal_file.h"
#include "journal/journal_ring.h"

/* Start over when a 256th of the ring is used: 256 KiB of 64 MiB.  Each time
 * the positions advance by a whole ring.  If the producer started over for each
 * message, 64 bits would last half a year at 20,000 messages a second; with
 * this limit they last 50 years at 50,000 messages a second. */
enum { USED_PART = 256 };

/* If a store after this call is in the file, all stores before it are, too. */
static void settled(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static size_t earlier(size_t a, size_t b)
{
	return a < b ? a : b;
}

static uint64_t position_of(uint64_t word)
{
	return word & ~UINT64_C(1);
}

static uint64_t next_lap(const struct journal *j, uint64_t position)
{
	return journal_round_up(position, j->view.geometry.ring_bytes);
}

bool journal_reserve(struct journal *j, struct journal_region *r, size_t upto)
{
	if (upto <= r->ready)
		return true;
	if (upto > r->bytes)
		return false;
	size_t to = earlier(journal_round_up(upto, r->step), r->bytes);
	if (!journal_file_reserve(j->fd, r->at + r->ready, to - r->ready))
		return false;
	r->ready = to;
	return true;
}

/* --- producer */

static void see_tail(struct journal *j)
{
	struct journal_producer *p = &j->producer;
	uint64_t word = atomic_load_explicit(&j->view.header->tail,
					     memory_order_acquire);
	p->tail = later(position_of(word), p->start);
}

static bool is_empty(const struct journal_producer *p)
{
	return p->tail == p->head;
}

/* For an empty ring: whether so much of it is used, or so little is left before
 * its end, that the producer starts over. */
static bool is_used(const struct journal *j)
{
	size_t ring_bytes = j->view.geometry.ring_bytes;
	size_t used = j->producer.head % ring_bytes;
	return used >= ring_bytes / USED_PART ||
	       ring_bytes - used <
		       journal_item_bytes(j->view.geometry.slot_bytes);
}

static void start_over(struct journal *j)
{
	struct journal_producer *p = &j->producer;
	if (!is_empty(p) || !is_used(j))
		return;
	p->head = next_lap(j, p->head);
	p->start = p->head;
	p->tail = p->head;
}

/* Reserve the ring up to that offset.  On failure, the file system has no room
 * for it; "journal full" names only the size that the journal may have. */
static NO_INLINE bool grow_ring(struct journal *j, size_t upto)
{
	struct journal_producer *p = &j->producer;
	p->is_short = !journal_reserve(j, &p->ring, upto);
	if (p->is_short)
		log_rated(&p->short_rate, LOG_ERROR, "journal",
			  "err=\"the journal cannot grow: %s\" "
			  "usable_bytes=%zu size_bytes=%zu action=\"it is "
			  "full sooner until there is room on its file "
			  "system\"",
			  strerror(errno), p->ring.ready, p->ring.bytes);
	return !p->is_short;
}

/* Whether the ring can be written up to the offset `upto`.  Room for a skip
 * must remain, in case the file system has no room for more of the ring. */
static bool can_write(struct journal *j, size_t upto)
{
	struct journal_producer *p = &j->producer;
	upto = earlier(upto + JOURNAL_SKIP_BYTES, p->ring.bytes);
	return upto <= p->ring.ready || grow_ring(j, upto);
}

/* The place for an entry of that size; NULL when there is no room. */
static struct journal_item *make_room(struct journal *j, size_t need)
{
	struct journal_producer *p = &j->producer;
	size_t ring_bytes = j->view.geometry.ring_bytes;
	size_t used = p->head % ring_bytes;
	size_t free_bytes = ring_bytes - (size_t)(p->head - p->tail);
	size_t skipped = 0;
	if (need > free_bytes)
		return NULL;
	if (need > ring_bytes - used || !can_write(j, used + need)) {
		skipped = ring_bytes - used;
		if (skipped + need > free_bytes || !can_write(j, need))
			return NULL;
		struct journal_item *skip = journal_item_at(&j->view, p->head);
		skip->length = 0;
		skip->input = 0;
		skip->kind = JOURNAL_SKIP;
	}
	struct journal_item *item =
		journal_item_at(&j->view, p->head + skipped);
	p->head += skipped + need;
	return item;
}

bool journal_put(struct journal *j, const struct journal_entry *entry)
{
	struct journal_item *item =
		make_room(j, journal_item_bytes(entry->bytes.len));
	if (item == NULL)
		return false;
	item->length = (uint32_t)entry->bytes.len;
	item->input = entry->input;
	item->kind = JOURNAL_MESSAGE;
	item->seq = entry->seq;
	item->arrival_ns = entry->arrival_ns;
	memcpy(item->bytes, entry->bytes.ptr, entry->bytes.len);
	item->check = journal_item_check(item, item->bytes);
	j->producer.stats.appended_total++;
	return true;
}

void journal_publish(struct journal *j)
{
	struct journal_producer *p = &j->producer;
	struct journal_header *h = j->view.header;
	p->word = p->head | (~p->word & 1);
	struct journal_head_block *b = &h->heads[p->word & 1];
	b->word = p->word;
	b->start = p->start;
	b->refused_total = p->stats.refused_total;
	b->truncated_total = p->stats.truncated_total;
	b->check = journal_head_check(b);
	atomic_store_explicit(&j->start, p->start, memory_order_relaxed);
	settled();
	atomic_store_explicit(&h->head, p->word, memory_order_release);
	settled();
}

static bool put_slot(struct journal *j, unsigned i, int64_t now_ns)
{
	struct journal_producer *p = &j->producer;
	const struct mmsghdr *slot = &j->slots[i];
	CHECK(slot->msg_len <= j->view.geometry.slot_bytes);
	if ((slot->msg_hdr.msg_flags & MSG_TRUNC) != 0)
		p->stats.truncated_total++;
	if (slot->msg_len > p->longest)
		p->longest = slot->msg_len;
	struct journal_entry entry = journal_slot_entry(&j->view, i, now_ns);
	entry.seq = p->stats.appended_total;
	if (journal_put(j, &entry))
		return true;
	p->stats.refused_total++;
	return false;
}

unsigned journal_take_over(struct journal *j, unsigned received, int64_t now_ns)
{
	see_tail(j);
	start_over(j);
	unsigned appended = 0;
	for (unsigned i = 0; i < received; i++)
		appended += put_slot(j, i, now_ns);
	journal_publish(j);
	return appended;
}

bool journal_offer(struct journal *j, const struct journal_entry *message)
{
	struct journal_entry entry = *message;
	CHECK(entry.bytes.len <= j->view.geometry.slot_bytes);
	see_tail(j);
	start_over(j);
	entry.seq = j->producer.stats.appended_total;
	entry.input = journal_input_stored(j, message->input);
	if (!journal_put(j, &entry))
		return false;
	journal_publish(j);
	return true;
}

const struct journal_stats *journal_stats(const struct journal *j)
{
	return &j->producer.stats;
}

/* How many of the largest entries fit between these offsets. */
static size_t count_largest(const struct journal *j, size_t from, size_t upto)
{
	const struct journal_producer *p = &j->producer;
	if (p->is_short)
		upto = earlier(upto, p->ring.ready - JOURNAL_SKIP_BYTES);
	size_t largest = journal_item_bytes(j->view.geometry.slot_bytes);
	return upto > from ? (upto - from) / largest : 0;
}

size_t journal_room(struct journal *j)
{
	struct journal_producer *p = &j->producer;
	size_t ring_bytes = j->view.geometry.ring_bytes;
	if (p->is_short)
		p->is_short = !journal_reserve(
			j, &p->ring, earlier(p->ring.ready + 1, p->ring.bytes));
	see_tail(j);
	size_t free_bytes = ring_bytes - (size_t)(p->head - p->tail);
	size_t used = p->head % ring_bytes;
	if (is_empty(p) && is_used(j))
		used = 0;
	size_t to_end = ring_bytes - used;
	if (free_bytes <= to_end)
		return count_largest(j, used, used + free_bytes);
	return count_largest(j, used, ring_bytes) +
	       count_largest(j, 0, free_bytes - to_end);
}

/* --- consumer */

/* Whether there are entries that the consumer did not know of. */
static bool look_again(struct journal *j)
{
	struct journal_consumer *c = &j->consumer;
	uint64_t word = atomic_load_explicit(&j->view.header->head,
					     memory_order_acquire);
	c->head = position_of(word);
	if (c->head == c->read)
		return false;
	uint64_t start = atomic_load_explicit(&j->start, memory_order_relaxed);
	c->read = later(c->read, start);
	return c->head != c->read;
}

bool journal_take(struct journal *j, struct journal_entry *out)
{
	struct journal_consumer *c = &j->consumer;
	if (c->seq == c->hold_seq || (c->read == c->head && !look_again(j)))
		return false;
	const struct journal_item *item = journal_item_at(&j->view, c->read);
	if (item->kind == JOURNAL_SKIP) {
		c->read = next_lap(j, c->read);
		item = journal_item_at(&j->view, c->read);
	}
	CHECK(item->kind == JOURNAL_MESSAGE && item->seq == c->seq);
	*out = (struct journal_entry){
		.bytes = span_make(item->bytes, item->length),
		.seq = item->seq,
		.arrival_ns = item->arrival_ns,
		.input = (uint16_t)((item->input & JOURNAL_INPUT_MARK) |
				    c->number_of[journal_row_of(item->input)]),
		.half_deaths = c->suspect_count > 0
				       ? journal_half_deaths_at(j, c->seq)
				       : 0,
		.is_replayed = c->seq < c->replayed.end_seq &&
			       journal_is_replayed(j, c->seq),
	};
	c->read += journal_item_bytes(item->length);
	c->seq++;
	return true;
}

bool journal_is_repeating(const struct journal *j)
{
	return j->consumer.hold_seq != UINT64_MAX;
}

/* The room for the note at that index. */
static struct journal_noted *room_for_note(struct journal *j, uint64_t n)
{
	bool has_room = n < JOURNAL_NOTES_MAX &&
			journal_reserve(j, &j->consumer.notes,
					(n + 1) * sizeof(struct journal_noted));
	return has_room ? &journal_notes_at(&j->view)[n] : NULL;
}

uint32_t journal_note(struct journal *j, const struct append_note *note,
		      uint32_t replaced)
{
	struct journal_consumer *c = &j->consumer;
	struct journal_header *h = j->view.header;
	uint64_t n =
		atomic_load_explicit(&h->noted_count, memory_order_relaxed);
	if (atomic_load_explicit(&h->noted_number, memory_order_relaxed) !=
	    c->number) {
		n = 0;
		atomic_store_explicit(&h->noted_count, 0, memory_order_relaxed);
		settled();
		atomic_store_explicit(&h->noted_number, c->number,
				      memory_order_relaxed);
	}
	uint64_t place = replaced != 0 ? replaced : n + 1;
	struct journal_noted *noted = room_for_note(j, place - 1);
	if (noted == NULL)
		return 0;
	noted->check = JOURNAL_NOTE_VOID;
	settled();
	noted->note = *note;
	settled();
	noted->check = journal_note_check(note);
	/* A batch that is repeated keeps its end. */
	atomic_store_explicit(&h->noted_end_seq,
			      c->hold_seq != UINT64_MAX ? c->hold_seq : c->seq,
			      memory_order_relaxed);
	settled();
	if (place > n)
		atomic_store_explicit(&h->noted_count, place,
				      memory_order_relaxed);
	settled();
	return (uint32_t)place;
}

void journal_note_failed(struct journal *j, uint32_t place,
			 uint32_t length_bytes)
{
	if (place == 0)
		return;
	struct journal_noted *noted = &journal_notes_at(&j->view)[place - 1];
	noted->check = journal_note_check_any_length(&noted->note);
	settled();
	noted->note.length_bytes = length_bytes;
	settled();
	noted->check = journal_note_check(&noted->note);
	settled();
}

void journal_commit(struct journal *j, const void *counters, size_t bytes)
{
	struct journal_consumer *c = &j->consumer;
	CHECK(bytes <= j->view.geometry.counters_bytes);
	c->number++;
	unsigned which = c->number & 1;
	struct journal_tail_block *b = journal_tail_at(&j->view, which);
	void *to = journal_counters_at(&j->view, which);
	b->word = c->read | which;
	b->number = c->number;
	b->seq = c->seq;
	b->counters_bytes = bytes;
	if (bytes > 0)
		memcpy(to, counters, bytes);
	b->check = journal_tail_check(b, to);
	settled();
	atomic_store_explicit(&j->view.header->tail, b->word,
			      memory_order_release);
	settled();
	c->hold_seq = UINT64_MAX;
	c->found_notes = 0;
	if (c->suspect_count > 0)
		journal_forget_suspects(j);
}

const void *journal_counters(const struct journal *j, size_t *bytes)
{
	*bytes = j->consumer.counters_bytes;
	return *bytes > 0 ? j->consumer.counters : NULL;
}

size_t journal_pending_bytes(const struct journal *j)
{
	/* Load head first, so that tail and start are at least as new. */
	uint64_t head = position_of(atomic_load_explicit(&j->view.header->head,
							 memory_order_acquire));
	uint64_t tail = position_of(atomic_load_explicit(&j->view.header->tail,
							 memory_order_relaxed));
	uint64_t start = atomic_load_explicit(&j->start, memory_order_relaxed);
	tail = later(tail, start);
	return head > tail ? (size_t)(head - tail) : 0;
}

size_t journal_message_bytes_max(const struct journal *j)
{
	return j->view.geometry.slot_bytes;
}

size_t journal_ring_bytes(const struct journal *j)
{
	return j->view.geometry.ring_bytes;
}
