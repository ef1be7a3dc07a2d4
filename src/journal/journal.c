/* SPDX-License-Identifier: Apache-2.0 */
/* One batch through the journal, with its two threads:
 *
 * 1. journal_slots says in the header which input the slots are for, and at
 *    which head; recvmmsg fills them; the producer calls journal_append.
 * 2. It loads tail (acquire): what lies before it is read and free.
 * 3. It copies each datagram behind its private head: no one looks there.
 * 4. It stores head (release), once for the batch: the entries are published.
 *    Then the slots are made empty for the next time.
 * 5. The consumer, when it has read all that it knew of, loads head (acquire)
 *    and takes entry after entry up to there, moving its private read.
 * 6. Before each append to a file: journal_note.
 * 7. journal_commit stores tail = read (release): the room is free, step 2.
 *
 * journal_offer is steps 2 to 4 for one message that is in no slot: it is there
 * when head is stored, and until then its sender's connection has it to lose.
 *
 * Each word has one writer, and a stale value of it is only cautious: the
 * producer sees less room, the consumer fewer entries, than there are.
 *
 * The entry does not fit before the end of the ring: a skip fills the rest,
 * and the entry goes to the beginning.  Both are published by one head, so
 * behind a skip there always is an entry.
 *
 * The entry does not fit at all: it is refused and counted, nothing is written.
 *
 * The file system has no room for more of the ring: it ends earlier, until
 * there is room; a skip leads from there to the beginning.
 *
 * The ring is empty: the producer sees tail == head in step 2.  When a part of
 * the ring has been used up it goes to the next multiple of the ring's size:
 * start, before which everything counts as committed, and head, in step 4.
 * The consumer writes tail only, which may lie before start:
 * - the tail that counts is the later one of tail and start;
 * - with tail == head the consumer's read is there too.  As long as it sees
 *   the old head it has nothing to take.  When it sees the new head it sees
 *   the new start too (release, acquire), and continues from there;
 * - start cannot move again before that: for this the ring must be empty.
 *
 * The process is killed.  To its file that is what a signal handler is to its
 * thread: the stores up to some instruction are there, in program order, and
 * none behind it; the fence in settled() keeps the compiler from another
 * order.  Found by the next process (journal_open.c), by instant:
 *
 *  a. In journal_slots.  The slots are empty: no length in any of them.
 *  b. In recvmmsg, or before head is stored.  slots_head is head, so what is
 *     in the slots is not in the ring: it is appended now.  recvmmsg writes
 *     msg_len last, so each length stands for a datagram that is there, one
 *     of no bytes too; behind the last one all lengths are JOURNAL_SLOT_EMPTY.
 *     Of step 3 nothing is seen: it is done again, with the same entries.
 *  c. After head is stored, while the slots are made empty.  slots_head is
 *     not head: they are in the ring.
 *  d. While the block for the next head is written, refused messages counted
 *     in it or a start moved: it is not valid before head says so.
 *  e. In journal_take.  It writes nothing.
 *  f. In journal_note.  The note counts when noted_count is stored, which is
 *     before the append that it is for.
 *  g. After that: the first batch ends at noted_end_seq, and whoever appends
 *     finds the notes.  They stay, new ones follow, until the first commit.
 *  h. In journal_commit.  The block for the next tail is not valid before tail
 *     says so: no message of the batch is committed, then all are.
 *  i. After tail is stored: the notes are of another commit's number; they
 *     count no more.
 *  j. In journal_open: the file has no name yet, or it is b again.
 *
 * What is lost all the same, unless the file is on a tmpfs: recvmmsg stores to
 * a page that is being written back at that moment, and the process is killed
 * while it waits for that.  Then the kernel gives up the store, and the
 * datagram with it.  touch_slots leaves no more than the time between it and
 * the store. */
#include "journal/journal.h"

#include <stdatomic.h>
#include <string.h>

#include "journal/journal_file.h"
#include "journal/journal_ring.h"

/* Start over when a 256th of the ring is used: 256 KiB of 64 MiB.  Each time
 * the positions advance by a whole ring, so if it were done for each message,
 * 64 bits would last half a year at 20,000 messages a second; like this they
 * last 50 years at 50,000. */
enum { USED_PART = 256 };

/* What stands before is in the file when what stands behind is. */
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

/* Of an empty ring: whether so much of it is used, or so little left before
 * its end, that it is time to start over. */
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

/* Whether the ring can be written up to there.  A skip must be possible
 * behind it, in case there is no more. */
static bool can_write(struct journal *j, size_t upto)
{
	struct journal_producer *p = &j->producer;
	upto = earlier(upto + JOURNAL_SKIP_BYTES, p->ring.bytes);
	if (upto <= p->ring.ready)
		return true;
	p->is_short = !journal_reserve(j, &p->ring, upto);
	return !p->is_short;
}

/* Where an entry of that size goes; NULL when there is no room. */
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
		skip->source = 0;
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
	item->source = entry->source;
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

void journal_make_ready(struct mmsghdr *slot)
{
	slot->msg_hdr.msg_controllen = sizeof(struct journal_control);
	slot->msg_hdr.msg_flags = 0;
	slot->msg_len = JOURNAL_SLOT_EMPTY;
}

static void touch(volatile char *byte)
{
	*byte = *byte;
}

/* A page that is not in memory, or is being written back, is waited for now,
 * and not in recvmmsg. */
static void touch_slots(struct journal *j, size_t from, size_t upto)
{
	for (size_t i = from; i < upto; i++) {
		touch((char *)&j->slots[i]);
		touch(journal_control_at(&j->view, i)->bytes);
		char *buffer = journal_buffer_at(&j->view, i);
		for (size_t at = 0; at <= j->producer.longest;
		     at += JOURNAL_PAGE_BYTES)
			touch(buffer + at);
	}
}

bool journal_use_slots(struct journal *j, size_t count)
{
	struct journal_producer *p = &j->producer;
	if (!journal_reserve(j, &p->buffers, count * j->view.at.buffer_stride))
		return false;
	if (j->fd >= 0)
		touch_slots(j, p->slots, count);
	p->slots = (unsigned)count;
	return true;
}

/* All were used: twice as many may be of use. */
static void add_slots(struct journal *j)
{
	size_t all = j->view.geometry.slots;
	(void)!journal_use_slots(j, earlier(2 * j->producer.slots, all));
}

struct mmsghdr *journal_slots(struct journal *j, uint16_t source,
			      unsigned *count)
{
	struct journal_producer *p = &j->producer;
	struct journal_header *h = j->view.header;
	if (j->is_written_back)
		touch_slots(j, 0, p->slots);
	atomic_store_explicit(&h->slots_source, source, memory_order_relaxed);
	settled();
	atomic_store_explicit(&h->slots_head, p->word, memory_order_relaxed);
	*count = p->slots;
	return j->slots;
}

unsigned journal_append(struct journal *j, unsigned received, int64_t now_ns)
{
	struct journal_producer *p = &j->producer;
	CHECK(received <= p->slots);
	if (received == 0)
		return 0;
	unsigned appended = journal_take_over(j, received, now_ns);
	for (unsigned i = 0; i < received; i++)
		journal_make_ready(&j->slots[i]);
	if (received == p->slots)
		add_slots(j);
	return appended;
}

bool journal_offer(struct journal *j, const struct journal_entry *message)
{
	struct journal_entry entry = *message;
	CHECK(entry.bytes.len <= j->view.geometry.slot_bytes);
	see_tail(j);
	start_over(j);
	entry.seq = j->producer.stats.appended_total;
	if (!journal_put(j, &entry))
		return false;
	journal_publish(j);
	return true;
}

const struct journal_stats *journal_stats(const struct journal *j)
{
	return &j->producer.stats;
}

/* How many of the largest entries fit there. */
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

/* Whether there is more to take than the consumer knew of. */
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
		.source = item->source,
	};
	c->read += journal_item_bytes(item->length);
	c->seq++;
	return true;
}

bool journal_is_repeating(const struct journal *j)
{
	return j->consumer.hold_seq != UINT64_MAX;
}

void journal_note(struct journal *j, const struct append_note *note)
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
	if (n == JOURNAL_NOTES_MAX ||
	    !journal_reserve(j, &c->notes,
			     (n + 1) * sizeof(struct journal_noted)))
		return;
	struct journal_noted *noted = &journal_notes_at(&j->view)[n];
	noted->note = *note;
	noted->check = journal_note_check(note);
	/* A batch that is repeated keeps its end. */
	atomic_store_explicit(&h->noted_end_seq,
			      c->hold_seq != UINT64_MAX ? c->hold_seq : c->seq,
			      memory_order_relaxed);
	settled();
	atomic_store_explicit(&h->noted_count, n + 1, memory_order_relaxed);
	settled();
}

const struct append_note *journal_noted(const struct journal *j, uint32_t sink,
					uint64_t device, uint64_t inode,
					size_t nth)
{
	const struct journal_noted *notes = journal_notes_at(&j->view);
	for (uint64_t i = 0; i < j->consumer.found_notes; i++) {
		const struct append_note *note = &notes[i].note;
		if (note->sink == sink && note->device == device &&
		    note->inode == inode && nth-- == 0)
			return note;
	}
	return NULL;
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
}

const void *journal_counters(const struct journal *j, size_t bytes)
{
	const struct journal_consumer *c = &j->consumer;
	return bytes > 0 && c->counters_bytes == bytes ? c->counters : NULL;
}

size_t journal_pending_bytes(const struct journal *j)
{
	/* head first: the tail and the start that go with it, or later ones,
	 * are seen. */
	uint64_t head = position_of(atomic_load_explicit(&j->view.header->head,
							 memory_order_acquire));
	uint64_t tail = position_of(atomic_load_explicit(&j->view.header->tail,
							 memory_order_relaxed));
	uint64_t start = atomic_load_explicit(&j->start, memory_order_relaxed);
	tail = later(tail, start);
	return head > tail ? (size_t)(head - tail) : 0;
}

size_t journal_ring_bytes(const struct journal *j)
{
	return j->view.geometry.ring_bytes;
}
