/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_dir.h"
#include "random.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal/journal_format.h"

static struct journal *open_journal(size_t ring_bytes, size_t slot_bytes,
				    unsigned slots)
{
	struct journal_found found;
	return must_open_journal(
		&(struct journal_opts){.ring_bytes = ring_bytes,
				       .slot_bytes = slot_bytes,
				       .slots = slots,
				       .counters_bytes = 64},
		&found);
}

static void messages_are_taken_exactly_as_they_were_appended(void **state)
{
	(void)state;
	struct journal *j = open_journal(SMALL_RING_BYTES, 64, 3);
	slot_receive(j, 0, SPAN("one"));
	slot_receive(j, 1, SPAN(""));
	slot_receive(j, 2, SPAN("three\0!"));
	assert_int_equal(journal_append(j, 3, NOW_NS), 3);

	const struct span expected[] = {SPAN("one"), SPAN(""),
					SPAN("three\0!")};
	for (unsigned i = 0; i < 3; i++) {
		struct journal_entry entry;
		assert_true(journal_take(j, &entry));
		assert_true(span_equals(entry.bytes, expected[i]));
		assert_int_equal(entry.seq, i);
		assert_int_equal(entry.input, 7);
		assert_int_equal(entry.arrival_ns, NOW_NS);
	}
	assert_takes_nothing(j);
	assert_int_equal(journal_stats(j)->appended_total, 3);
	journal_close(j);
}

static void the_kernels_receive_time_wins_over_now(void **state)
{
	(void)state;
	struct journal *j = open_journal(SMALL_RING_BYTES, 64, 1);
	slot_receive(j, 0, SPAN("x"));
	unsigned count;
	struct msghdr *m = &journal_slots(j, 7, &count)[0].msg_hdr;
	struct timespec ts = {.tv_sec = 1795219198, .tv_nsec = 123456789};
	m->msg_controllen = CMSG_SPACE(sizeof ts);
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_TIMESTAMPNS;
	c->cmsg_len = CMSG_LEN(sizeof ts);
	memcpy(CMSG_DATA(c), &ts, sizeof ts);
	assert_int_equal(journal_append(j, 1, NOW_NS), 1);
	struct journal_entry entry;
	assert_true(journal_take(j, &entry));
	assert_int_equal(entry.arrival_ns, INT64_C(1795219198123456789));

	/* The time of the previous message is not used for the next one. */
	assert_int_equal(append_bytes(j, SPAN("y")), 1);
	assert_true(journal_take(j, &entry));
	assert_int_equal(entry.arrival_ns, NOW_NS);
	journal_close(j);
}

static void a_datagram_longer_than_a_slot_is_cut_and_counted(void **state)
{
	(void)state;
	struct journal *j = open_journal(SMALL_RING_BYTES, 4, 1);
	assert_int_equal(append_bytes(j, SPAN("1234")), 1);
	assert_int_equal(journal_stats(j)->truncated_total, 0);
	assert_int_equal(append_bytes(j, SPAN("12345")), 1);
	assert_int_equal(journal_stats(j)->truncated_total, 1);
	assert_takes(j, SPAN("1234"));
	assert_takes(j, SPAN("1234"));
	journal_close(j);
}

static void used_slots_are_prepared_for_the_next_datagram(void **state)
{
	(void)state;
	struct journal *j = open_journal(SMALL_RING_BYTES, 4, 2);
	slot_receive(j, 0, SPAN("12345"));
	slot_receive(j, 1, SPAN("67890"));
	journal_append(j, 1, NOW_NS);
	unsigned count;
	struct mmsghdr *m = journal_slots(j, 7, &count);
	assert_int_equal(count, 2);
	assert_true(m[0].msg_len == JOURNAL_SLOT_EMPTY);
	assert_int_equal(m[0].msg_hdr.msg_flags, 0);
	assert_int_equal(m[0].msg_hdr.msg_controllen,
			 CMSG_SPACE(sizeof(struct timespec)));
	/* The other slot was not appended and stays unchanged. */
	assert_int_equal(m[1].msg_len, 4);
	assert_int_equal(m[1].msg_hdr.msg_flags, MSG_TRUNC);
	journal_close(j);
}

static void a_full_ring_refuses_the_newest_message(void **state)
{
	(void)state;
	struct journal *j = open_journal(SMALL_RING_BYTES, 1000, 5);
	char room[992];
	for (unsigned i = 0; i < 5; i++)
		slot_receive(j, i, numbered_text(i, sizeof room, room));
	assert_int_equal(journal_append(j, 5, NOW_NS), 4);
	assert_int_equal(journal_stats(j)->appended_total, 4);
	assert_int_equal(journal_stats(j)->refused_total, 1);
	assert_int_equal(journal_pending_bytes(j), SMALL_RING_BYTES);

	/* Taking a message does not make room; committing it does. */
	assert_takes(j, numbered_text(0, sizeof room, room));
	assert_int_equal(append_bytes(j, numbered_text(9, sizeof room, room)),
			 0);
	commit_taken(j);
	assert_int_equal(append_bytes(j, numbered_text(5, sizeof room, room)),
			 1);
	for (unsigned i = 1; i < 4; i++)
		assert_takes(j, numbered_text(i, sizeof room, room));
	struct journal_entry entry;
	assert_true(journal_take(j, &entry));
	assert_true(
		span_equals(entry.bytes, numbered_text(5, sizeof room, room)));
	assert_int_equal(entry.seq, 4); /* refused messages have no number */
	assert_takes_nothing(j);
	journal_close(j);
}

/* At every offset, whether the ring is empty or not, journal_room() messages
 * can be appended. */
static void the_journal_has_the_room_it_promises(void **state)
{
	enum { LENGTH = 1000, COUNT_MAX = 5 };
	char room[LENGTH] = {0};
	(void)state;
	for (size_t before = 1; before < LENGTH; before += 7) {
		struct journal *j =
			open_journal(SMALL_RING_BYTES, LENGTH, COUNT_MAX);
		for (unsigned i = 0; i < 40; i++) {
			struct journal_entry entry;
			size_t promised = journal_room(j);
			assert_true(promised <= 4);
			for (unsigned n = 0; n < promised; n++)
				slot_receive(j, n, span_make(room, LENGTH));
			assert_int_equal(
				journal_append(j, (unsigned)promised, 1),
				promised);
			while (journal_take(j, &entry))
				;
			journal_commit(j, NULL, 0);
			assert_true(journal_room(j) > 0);
			append_bytes(j, span_make(room, before));
			if (i % 2 ==
			    0) /* otherwise the ring is not empty next time */
				assert_true(journal_take(j, &entry));
			journal_commit(j, NULL, 0);
		}
		journal_close(j);
	}
}

static void a_taken_message_stays_valid_until_it_is_committed(void **state)
{
	(void)state;
	struct journal *j = open_journal(SMALL_RING_BYTES, 1000, 1);
	char room[992];
	append_bytes(j, numbered_text(1, 992, room));
	append_bytes(j, numbered_text(2, 992, room));
	struct journal_entry first;
	assert_true(journal_take(j, &first));
	assert_takes(j, numbered_text(2, 992, room));
	assert_int_equal(journal_pending_bytes(j), 2048);
	while (append_bytes(j, SPAN("")))
		;
	assert_true(span_equals(first.bytes, numbered_text(1, 992, room)));
	commit_taken(j);
	assert_int_equal(journal_pending_bytes(j), 2048);
	while (journal_take(j, &first))
		;
	commit_taken(j);
	assert_int_equal(journal_pending_bytes(j), 0);
	journal_close(j);
}

/* Append three entries so that `left` bytes stay free before the end of the
 * ring, and commit the first.  Then append an entry that does not fit at the
 * end. */
static void check_end_of_ring(size_t left)
{
	struct journal *j = open_journal(SMALL_RING_BYTES, 2048, 1);
	char room[2048];
	struct journal_entry entry;
	size_t lengths[] = {2040, 992,
			    SMALL_RING_BYTES - 2072 - 1024 - left -
				    ITEM_HEAD_BYTES};
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
			append_bytes(j, numbered_text(i, lengths[i], room)), 1);
	assert_takes(j, numbered_text(0, lengths[0], room));
	commit_taken(j);
	assert_true(journal_take(j, &entry));
	const char *beginning = entry.bytes.ptr - 2072;

	size_t length = left < 32 ? 32 : left;
	assert_int_equal(append_bytes(j, numbered_text(3, length, room)), 1);
	assert_takes(j, numbered_text(2, lengths[2], room));
	assert_true(journal_take(j, &entry));
	assert_true(span_equals(entry.bytes, numbered_text(3, length, room)));
	assert_ptr_equal(entry.bytes.ptr, beginning);
	assert_takes_nothing(j);
	commit_taken(j);
	assert_int_equal(journal_pending_bytes(j), 0);
	journal_close(j);
}

static void an_entry_never_wraps_at_the_end_of_the_ring(void **state)
{
	(void)state;
	for (size_t left = 0; left <= 64; left += 8)
		check_end_of_ring(left);
}

static void a_skip_is_not_written_without_room_following_it(void **state)
{
	(void)state;
	struct journal *j = open_journal(SMALL_RING_BYTES, 2048, 1);
	char room[2048];
	append_bytes(j, numbered_text(0, 992, room));
	append_bytes(j, numbered_text(1, 2016, room));
	assert_takes(j, numbered_text(0, 992, room));
	commit_taken(j);
	/* 1024 bytes are free before the end, and 1024 at the beginning. */
	assert_int_equal(append_bytes(j, numbered_text(2, 993, room)), 0);
	assert_int_equal(journal_pending_bytes(j), 2048);
	assert_int_equal(append_bytes(j, numbered_text(3, 992, room)), 1);
	assert_int_equal(append_bytes(j, numbered_text(4, 992, room)), 1);
	assert_int_equal(append_bytes(j, SPAN("")), 0);
	assert_takes(j, numbered_text(1, 2016, room));
	assert_takes(j, numbered_text(3, 992, room));
	assert_takes(j, numbered_text(4, 992, room));
	journal_close(j);
}

static void an_empty_ring_starts_over_at_its_beginning(void **state)
{
	(void)state;
	struct journal *j = open_journal(SMALL_RING_BYTES, 64, 1);
	struct journal_entry first, later;
	append_bytes(j, SPAN("first"));
	assert_true(journal_take(j, &first));
	commit_taken(j);
	for (int i = 0; i < 1000; i++) {
		append_bytes(j, SPAN("later"));
		assert_true(journal_take(j, &later));
		assert_ptr_equal(later.bytes.ptr, first.bytes.ptr);
		assert_takes_nothing(j);
		commit_taken(j);
	}
	journal_close(j);
}

static void committing_nothing_leaves_a_restarted_ring_alone(void **state)
{
	(void)state;
	struct journal *j = open_journal(SMALL_RING_BYTES, 64, 1);
	append_bytes(j, SPAN("one"));
	assert_takes(j, SPAN("one"));
	commit_taken(j);
	append_bytes(j, SPAN("two")); /* starts over and moves tail */
	commit_taken(j); /* nothing was taken: it must not move tail */
	assert_int_equal(journal_pending_bytes(j), 40);
	assert_takes(j, SPAN("two"));
	commit_taken(j);
	commit_taken(j);
	assert_int_equal(journal_pending_bytes(j), 0);
	assert_takes_nothing(j);
	journal_close(j);
}

/* journal_room() keeps its promise for messages of any length. */
static void journal_room_never_promises_too_much(void **state)
{
	(void)state;
	char room[300];
	for (unsigned start = 0; start < 40; start++) {
		struct journal *j = open_journal(SMALL_RING_BYTES, 300, 1);
		for (unsigned i = 0; i < start; i++) {
			struct journal_entry entry;
			append_bytes(j, numbered_text(i, i * 37 % 300, room));
			if (i % 3 != 0)
				continue;
			while (journal_take(j, &entry))
				;
			commit_taken(j);
		}
		for (size_t n = journal_room(j); n > 0; n--) {
			size_t length = n % 2 == 0 ? 300 : 300 - start;
			struct span text = numbered_text(start, length, room);
			assert_int_equal(append_bytes(j, text), 1);
		}
		assert_int_equal(journal_stats(j)->refused_total, 0);
		journal_close(j);
	}
}

static void an_empty_ring_has_room_for_the_largest_message(void **state)
{
	(void)state;
	enum { RING = 64 * 4096, LARGEST = RING - ITEM_HEAD_BYTES };
	struct journal *j = open_journal(RING, LARGEST, 1);
	char *room = calloc(LARGEST, 1);
	assert_non_null(room);
	append_bytes(j, SPAN("little: not yet worth starting over"));
	assert_int_equal(journal_room(j), 0);
	assert_takes(j, SPAN("little: not yet worth starting over"));
	commit_taken(j);
	assert_int_equal(journal_room(j), 1);
	assert_int_equal(append_bytes(j, numbered_text(1, LARGEST, room)), 1);
	assert_takes(j, numbered_text(1, LARGEST, room));
	free(room);
	journal_close(j);
}

static size_t resident_pages(const char *from, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *base = (char *)((uintptr_t)from & ~(page - 1));
	size_t count = bytes / page;
	unsigned char *pages = calloc(count, 1);
	assert_non_null(pages);
	assert_int_equal(mincore(base, count * page, pages), 0);
	size_t resident = 0;
	for (size_t i = 0; i < count; i++)
		resident += pages[i] & 1;
	free(pages);
	return resident;
}

static void a_journal_with_little_traffic_touches_few_pages(void **state)
{
	(void)state;
	struct journal *j = open_journal(64 << 20, 212960, 8);
	char room[800];
	struct journal_entry entry;
	append_bytes(j, numbered_text(0, sizeof room, room));
	assert_true(journal_take(j, &entry));
	const char *ring = entry.bytes.ptr;
	for (unsigned i = 0; i < 20000; i++) {
		for (unsigned k = 0; k < 8; k++)
			slot_receive(j, k, span_make(room, sizeof room));
		assert_int_equal(journal_append(j, 8, NOW_NS), 8);
		while (journal_take(j, &entry))
			;
		commit_taken(j);
	}
	/* 20,000 x 8 x 832 bytes fill the ring twice, but only a 256th of its
	 * pages is used. */
	assert_in_range(resident_pages(ring, 64 << 20), 1, 70);
	unsigned count;
	const struct mmsghdr *slots = journal_slots(j, 7, &count);
	const char *buffers = slots->msg_hdr.msg_iov->iov_base;
	assert_int_equal(count, 8);
	assert_in_range(resident_pages(buffers, 8 * 212992), 1, 16);
	journal_close(j);
}

static void a_ring_smaller_than_a_message_is_an_error(void **state)
{
	(void)state;
	static const struct {
		size_t ring_bytes;
		size_t slot_bytes;
		unsigned slots;
		const char *says;
	} cases[] = {
		{4096, 4065, 1, "needs 4104"},
		{0, 8, 1, "needs 40"},
		{4096, 0, 1, "messages of up to 0 bytes"},
		{4096, SIZE_MAX, 1, "must be"},
		{4096, 8, 0, "0 slots"},
		{4096, 8, 1025, "1025 slots"},
		{SIZE_MAX, 8, 1, "too many"},
		{(size_t)1 << 60, 8, 1, "Cannot allocate memory"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = {0};
		struct journal_found found;
		struct journal_opts opts = {
			.ring_bytes = cases[i].ring_bytes,
			.slot_bytes = cases[i].slot_bytes,
			.slots = cases[i].slots,
		};
		assert_null(journal_open(&opts, &found, &e));
		if (strstr(e.text, cases[i].says) == NULL)
			fail_msg("\"%s\" lacks \"%s\"", e.text, cases[i].says);
	}
	struct journal *j = open_journal(4096, 4064, 1);
	assert_int_equal(journal_ring_bytes(j), 4096);
	char room[4064];
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(append_bytes(j, numbered_text(i, 4064, room)),
				 1);
		assert_takes(j, numbered_text(i, 4064, room));
		commit_taken(j);
	}
	journal_close(j);
	journal_close(NULL);
}

/* Append batches, take and commit in random order; compare the taken messages
 * with the appended ones. */
static void any_order_of_calls_keeps_every_message(void **state)
{
	(void)state;
	enum { LENGTH_MAX = 700 };
	struct journal *j = open_journal(SMALL_RING_BYTES, LENGTH_MAX, SLOTS);
	struct random random = random_seed("journal", 1);
	unsigned sent = 0, taken = 0;
	char room[LENGTH_MAX];
	for (unsigned step = 0; step < 100000; step++) {
		unsigned what = random_below(&random, 8);
		if (what < 3) { /* a batch of equally long messages */
			size_t length = random_below(&random, LENGTH_MAX + 1);
			unsigned n = what + 1;
			for (unsigned i = 0; i < n; i++)
				slot_receive(
					j, i,
					numbered_text(sent + i, length, room));
			sent += journal_append(j, n, NOW_NS);
		} else if (what < 7) {
			struct journal_entry entry;
			if (!journal_take(j, &entry)) {
				assert_int_equal(taken, sent);
				continue;
			}
			assert_int_equal(entry.seq, taken);
			assert_true(span_equals(
				entry.bytes,
				numbered_text(taken, entry.bytes.len, room)));
			taken++;
		} else {
			commit_taken(j);
		}
		assert_in_range(journal_pending_bytes(j), 0, SMALL_RING_BYTES);
	}
	assert_true(taken > 10000);
	assert_int_equal(journal_stats(j)->appended_total, sent);
	journal_close(j);
}

/* --- two threads ---------------------------------------------------------- */

enum { MESSAGES = 200000, THREAD_SLOTS = 8, THREAD_LENGTH_MAX = 600 };

static size_t length_of(unsigned number)
{
	return sizeof number + number * 7919u % (THREAD_LENGTH_MAX - 3);
}

/* A message that holds its number, followed by bytes that depend on it. */
static struct span numbered(unsigned number, char *room)
{
	size_t length = length_of(number);
	memset(room, (int)(number & 0xff), length);
	memcpy(room, &number, sizeof number);
	return span_make(room, length);
}

/* A refused message is lost, but its number is used.  So the consumer sees
 * gaps, but it takes every appended message, in order. */
static void *produce(void *journal)
{
	struct journal *j = journal;
	char room[THREAD_LENGTH_MAX + 1];
	unsigned number = 0;
	while (journal_stats(j)->appended_total < MESSAGES) {
		uint64_t missing = MESSAGES - journal_stats(j)->appended_total;
		unsigned n = 1 + number % THREAD_SLOTS;
		if (n > missing)
			n = (unsigned)missing;
		for (unsigned i = 0; i < n; i++)
			slot_receive(j, i, numbered(number++, room));
		if (journal_append(j, n, NOW_NS) < n)
			sched_yield();
		if (journal_pending_bytes(j) > journal_ring_bytes(j))
			abort();
	}
	return NULL;
}

static void two_threads_pass_every_message_in_order(void **state)
{
	(void)state;
	struct journal *j = open_journal(2 * SMALL_RING_BYTES,
					 THREAD_LENGTH_MAX + 1, THREAD_SLOTS);
	pthread_t producer;
	assert_int_equal(pthread_create(&producer, NULL, produce, j), 0);
	unsigned taken = 0, next_number = 0;
	while (taken < MESSAGES) {
		struct journal_entry entry;
		if (!journal_take(j, &entry)) {
			commit_taken(j);
			sched_yield();
			continue;
		}
		assert_int_equal(entry.seq, taken);
		unsigned number;
		memcpy(&number, entry.bytes.ptr, sizeof number);
		assert_true(number >= next_number);
		char room[THREAD_LENGTH_MAX + 1];
		assert_true(span_equals(entry.bytes, numbered(number, room)));
		next_number = number + 1;
		if (++taken % 5 == 0)
			commit_taken(j);
		assert_in_range(journal_pending_bytes(j), 0,
				journal_ring_bytes(j));
	}
	assert_int_equal(pthread_join(producer, NULL), 0);
	assert_takes_nothing(j);
	commit_taken(j);
	assert_int_equal(journal_pending_bytes(j), 0);
	assert_int_equal(journal_stats(j)->appended_total, MESSAGES);
	journal_close(j);
}

static bool offer(struct journal *j, struct span bytes)
{
	struct journal_entry entry = {
		.bytes = bytes, .arrival_ns = NOW_NS, .input = 5};
	return journal_offer(j, &entry);
}

static void offered_messages_are_queued_among_received_ones(void **state)
{
	(void)state;
	struct journal *j = open_journal(SMALL_RING_BYTES, 64, 2);
	assert_true(offer(j, SPAN("one")));
	assert_int_equal(append_bytes(j, SPAN("two")), 1);
	assert_true(offer(j, SPAN("three")));
	const struct span expected[] = {SPAN("one"), SPAN("two"),
					SPAN("three")};
	for (unsigned i = 0; i < 3; i++) {
		struct journal_entry entry;
		assert_true(journal_take(j, &entry));
		assert_true(span_equals(entry.bytes, expected[i]));
		assert_int_equal(entry.seq, i);
		assert_int_equal(entry.input, i == 1 ? 7 : 5);
		assert_int_equal(entry.arrival_ns, NOW_NS);
	}
	assert_takes_nothing(j);
	assert_int_equal(journal_stats(j)->appended_total, 3);
	journal_close(j);
}

static void an_offer_without_room_changes_nothing(void **state)
{
	(void)state;
	struct journal *j = open_journal(SMALL_RING_BYTES, 64, 1);
	char room[64];
	unsigned offered = 0;
	while (offer(j, numbered_text(offered, sizeof room, room)))
		offered++;
	assert_int_equal(journal_room(j), 0);
	for (int i = 0; i < 3; i++)
		assert_false(offer(j, numbered_text(0, sizeof room, room)));
	assert_int_equal(journal_stats(j)->appended_total, offered);
	assert_int_equal(journal_stats(j)->refused_total, 0);
	for (unsigned i = 0; i < offered; i++)
		assert_takes(j, numbered_text(i, sizeof room, room));
	assert_takes_nothing(j);
	commit_taken(j);
	assert_true(offer(j, SPAN("again")));
	assert_takes(j, SPAN("again"));
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			offered_messages_are_queued_among_received_ones),
		cmocka_unit_test(an_offer_without_room_changes_nothing),
		cmocka_unit_test(
			messages_are_taken_exactly_as_they_were_appended),
		cmocka_unit_test(the_kernels_receive_time_wins_over_now),
		cmocka_unit_test(
			a_datagram_longer_than_a_slot_is_cut_and_counted),
		cmocka_unit_test(used_slots_are_prepared_for_the_next_datagram),
		cmocka_unit_test(a_full_ring_refuses_the_newest_message),
		cmocka_unit_test(the_journal_has_the_room_it_promises),
		cmocka_unit_test(
			a_taken_message_stays_valid_until_it_is_committed),
		cmocka_unit_test(an_entry_never_wraps_at_the_end_of_the_ring),
		cmocka_unit_test(
			a_skip_is_not_written_without_room_following_it),
		cmocka_unit_test(an_empty_ring_starts_over_at_its_beginning),
		cmocka_unit_test(
			committing_nothing_leaves_a_restarted_ring_alone),
		cmocka_unit_test(journal_room_never_promises_too_much),
		cmocka_unit_test(
			an_empty_ring_has_room_for_the_largest_message),
		cmocka_unit_test(
			a_journal_with_little_traffic_touches_few_pages),
		cmocka_unit_test(a_ring_smaller_than_a_message_is_an_error),
		cmocka_unit_test(any_order_of_calls_keeps_every_message),
		cmocka_unit_test(two_threads_pass_every_message_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
