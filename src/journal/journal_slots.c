/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "journal/journal_ring.h"

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

/* Wait here, and not in recvmmsg, for pages that are not in memory or are being
 * written back. */
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

void journal_limit_slots(struct journal *j, unsigned count)
{
	struct journal_producer *p = &j->producer;
	if (p->slots_max > count)
		p->slots_max = count;
	if (p->slots > count)
		p->slots = count;
}

/* All slots were used: more may be of use. */
static void add_slots(struct journal *j)
{
	size_t wanted = 2 * (size_t)j->producer.slots;
	size_t all = j->producer.slots_max;
	(void)!journal_use_slots(j, wanted < all ? wanted : all);
}

struct mmsghdr *journal_slots(struct journal *j, uint16_t input,
			      unsigned *count)
{
	struct journal_producer *p = &j->producer;
	struct journal_header *h = j->view.header;
	if (j->is_written_back)
		touch_slots(j, 0, p->slots);
	atomic_store_explicit(&h->slots_input, journal_input_stored(j, input),
			      memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
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
