/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_dir.h"
#include "random.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static struct append_note note_of(uint64_t inode, uint64_t offset)
{
	return (struct append_note){
		.device = 3,
		.inode = inode,
		.offset_bytes = offset,
		.length_bytes = 9,
		.path_hash = (uint16_t)inode,
		.sink = 1,
	};
}

static void add_note(struct journal *j, uint64_t inode, uint64_t offset)
{
	struct append_note note = note_of(inode, offset);
	journal_note(j, &note, 0);
}

/* The nth note about the inode, from 0 on. */
static const struct append_note *noted(const struct journal *j, uint64_t inode,
				       size_t nth)
{
	const struct append_note *n = NULL;
	while ((n = journal_noted(j, n)) != NULL)
		if (n->inode == inode && nth-- == 0)
			return n;
	return NULL;
}

static void assert_noted(const struct journal *j, uint64_t inode, size_t nth,
			 uint64_t offset)
{
	const struct append_note *found = noted(j, inode, nth);
	struct append_note expected = note_of(inode, offset);
	assert_non_null(found);
	assert_memory_equal(found, &expected, sizeof expected);
}

static void assert_not_noted(const struct journal *j, uint64_t inode,
			     size_t nth)
{
	assert_null(noted(j, inode, nth));
}

static void uncommitted_messages_are_delivered_again(void **state)
{
	const struct journal_dir *d = *state;
	struct journal_found found;
	struct journal *j = journal_dir_open(d, &found);
	assert_int_equal(found.messages, 0);
	size_t bytes;
	assert_null(journal_counters(j, &bytes));
	append_texts(j, 0, 5);
	assert_texts(j, 0, 2);
	commit_counter(j, 2);
	assert_texts(j, 2, 2);
	journal_close(j);

	for (int again = 0; again < 3; again++) {
		j = journal_dir_open(d, &found);
		assert_int_equal(found.messages, 3);
		assert_int_equal(found.from_slots, 0);
		assert_int_equal(found.noted, 0);
		assert_string_equal(found.damaged, "");
		assert_int_equal(committed_counter(j), 2);
		assert_int_equal(journal_stats(j)->appended_total, 5);
		assert_texts(j, 2, 3);
		assert_takes_nothing(j);
		journal_close(j);
	}
	j = journal_dir_open_good(d);
	append_texts(j, 5, 1);
	assert_texts(j, 2, 3);
	struct journal_entry entry;
	assert_true(journal_take(j, &entry));
	assert_int_equal(entry.seq, 5);
	assert_int_equal(entry.input, 7);
	assert_int_equal(entry.arrival_ns, NOW_NS);
	commit_counter(j, 6);
	journal_close(j);
	j = journal_dir_open_good(d);
	assert_takes_nothing(j);
	assert_int_equal(committed_counter(j), 6);
	assert_int_equal(journal_pending_bytes(j), 0);
	journal_close(j);
}

static void counters_alone_are_committed_too(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	for (uint64_t i = 1; i < 6; i++) {
		commit_counter(j, i);
		journal_close(j);
		j = journal_dir_open_good(d);
		assert_int_equal(committed_counter(j), i);
	}
	/* The same if the producer has started over at the beginning of the
	 * ring and nothing has been taken since. */
	append_texts(j, 3, 1);
	assert_texts(j, 3, 1);
	commit_counter(j, 7);
	append_texts(j, 4, 1);
	commit_counter(j, 8);
	assert_true(journal_pending_bytes(j) < 256);
	journal_close(j);
	j = journal_dir_open_good(d);
	assert_int_equal(committed_counter(j), 8);
	assert_texts(j, 4, 1);
	assert_takes_nothing(j);
	journal_close(j);
}

static void refused_and_truncated_messages_stay_counted(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	char room[SLOT_BYTES + 1];
	for (unsigned i = 0; i < 10; i++)
		append_bytes(j, numbered_text(i, SLOT_BYTES + 1, room));
	struct journal_stats stats = *journal_stats(j);
	assert_int_equal(stats.appended_total, 5);
	assert_int_equal(stats.refused_total, 5);
	assert_int_equal(stats.truncated_total, 10);
	journal_close(j);
	j = journal_dir_open_good(d);
	assert_memory_equal(journal_stats(j), &stats, sizeof stats);
	journal_close(j);
}

/* Receive messages from a socket into the journal's slots without appending
 * them. */
static struct journal *receive_only(struct journal *j, unsigned sent)
{
	int sockets[2], one = 1;
	char room[SLOT_BYTES + 100];
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
	assert_int_equal(setsockopt(sockets[1], SOL_SOCKET, SO_TIMESTAMPNS,
				    &one, sizeof one),
			 0);
	for (unsigned i = 0; i < sent; i++) { /* the second datagram is empty */
		size_t length = (i + 1) % 3 * 400;
		if (i == 1)
			length = 0;
		assert_int_equal(send(sockets[0],
				      numbered_text(i, length, room).ptr,
				      length, 0),
				 length);
	}
	unsigned count;
	struct mmsghdr *slots = journal_slots(j, 9, &count);
	assert_int_equal(recvmmsg(sockets[1], slots, count, MSG_DONTWAIT, NULL),
			 sent);
	close(sockets[0]);
	close(sockets[1]);
	return j;
}

static void datagrams_left_in_slots_are_recovered(void **state)
{
	const struct journal_dir *d = *state;
	for (unsigned sent = 1; sent <= SLOTS; sent++) {
		int64_t before_ns = clock_real_ns();
		journal_close(receive_only(journal_dir_open_good(d), sent));
		struct journal_found found;
		struct journal *j = journal_dir_open(d, &found);
		assert_int_equal(found.from_slots, sent);
		assert_int_equal(found.messages, sent);
		int64_t last_ns = clock_real_ns();
		journal_close(j); /* they are recovered only once */
		j = journal_dir_open(d, &found);
		assert_int_equal(found.from_slots, 0);
		assert_int_equal(found.messages, sent);
		for (unsigned i = 0; i < sent; i++) {
			struct journal_entry entry;
			char room[SLOT_BYTES];
			size_t length = i == 1 ? 0 : (i + 1) % 3 * 400;
			if (length > SLOT_BYTES)
				length = SLOT_BYTES;
			assert_true(journal_take(j, &entry));
			assert_true(span_equals(
				entry.bytes, numbered_text(i, length, room)));
			assert_int_equal(entry.input, 9);
			assert_true(entry.arrival_ns >= before_ns);
			assert_true(entry.arrival_ns <= last_ns);
		}
		assert_takes_nothing(j);
		commit_taken(j);
		journal_close(j);
	}
}

static void slots_that_were_appended_are_not_recovered_again(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = receive_only(journal_dir_open_good(d), 3);
	assert_int_equal(journal_append(j, 3, NOW_NS), 3);
	unsigned count;
	journal_slots(j, 1, &count);
	journal_close(j);
	struct journal_found found;
	j = journal_dir_open(d, &found);
	assert_int_equal(found.messages, 3);
	assert_int_equal(found.from_slots, 0);
	journal_close(j);
}

static void the_repeated_batch_ends_where_it_ended_before(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	append_texts(j, 0, 6);
	assert_texts(j, 0, 1);
	add_note(j, 5, 10);
	commit_counter(j, 1);
	assert_texts(j, 1, 3);
	add_note(j, 10, 100);
	add_note(j, 11, 0);
	add_note(j, 10, 200);
	assert_not_noted(j, 10, 0); /* notes are for the next process */
	journal_close(j);

	struct journal_found found;
	j = journal_dir_open(d, &found);
	assert_int_equal(found.messages, 5);
	assert_int_equal(found.noted, 3);
	assert_int_equal(committed_counter(j), 1);
	assert_texts(j, 1, 3);
	assert_takes_nothing(j);
	append_texts(j, 6, 1);
	assert_takes_nothing(j);
	assert_not_noted(j, 5, 0);
	assert_noted(j, 10, 0, 100);
	assert_noted(j, 10, 1, 200);
	assert_not_noted(j, 10, 2);
	assert_noted(j, 11, 0, 0);
	assert_not_noted(j, 11, 1);
	assert_int_equal(journal_unclaimed(j), 3);
	journal_claim(j, noted(j, 10, 1));
	assert_int_equal(journal_unclaimed(j), 1); /* another path's */
	/* The notes of the second attempt are added to those of the first. */
	add_note(j, 12, 50);
	assert_noted(j, 10, 0, 100);
	assert_not_noted(j, 12, 0);
	journal_close(j);

	j = journal_dir_open(d, &found);
	assert_int_equal(found.noted, 3);
	assert_noted(j, 10, 1, 200);
	assert_noted(j, 12, 0, 50);
	assert_texts(j, 1, 3);
	assert_takes_nothing(j);
	commit_counter(j, 4);
	assert_not_noted(j, 10, 0);
	assert_texts(j, 4, 3);
	add_note(j, 13, 1);
	journal_close(j);
	j = journal_dir_open(d, &found);
	assert_int_equal(found.noted, 3);
	assert_not_noted(j, 12, 0);
	assert_noted(j, 13, 0, 1);
	journal_close(j);
}

static void a_note_tells_how_much_was_written(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	append_texts(j, 0, 1);
	assert_texts(j, 0, 1);
	struct append_note note = note_of(10, 100);
	uint32_t place = journal_note(j, &note, 0);
	add_note(j, 11, 0);
	journal_note_failed(j, place, 0);
	note = note_of(10, 200); /* another process has appended 100 bytes */
	assert_int_equal(journal_note(j, &note, place), place);
	journal_note_failed(j, place, 5);
	journal_note_failed(j, 0, 7); /* the append had no note */
	journal_close(j);

	struct journal_found found;
	j = journal_dir_open(d, &found);
	assert_int_equal(noted(j, 10, 0)->offset_bytes, 200);
	assert_int_equal(noted(j, 10, 0)->length_bytes, 5);
	assert_not_noted(j, 10, 1);
	assert_noted(j, 11, 0, 0);
	journal_close(j);
}

static void attempts_that_write_nothing_need_one_note(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	append_texts(j, 0, 1);
	assert_texts(j, 0, 1);
	struct append_note note = note_of(10, 0);
	uint32_t place = 0;
	for (unsigned i = 0; i <= JOURNAL_NOTES_MAX; i++) {
		note.offset_bytes = i;
		place = journal_note(j, &note, place);
		assert_int_equal(place, 1);
		journal_note_failed(j, place, 0);
	}
	add_note(j, 11, 0);
	journal_close(j);
	struct journal_found found;
	j = journal_dir_open(d, &found);
	assert_int_equal(noted(j, 10, 0)->offset_bytes, JOURNAL_NOTES_MAX);
	assert_not_noted(j, 10, 1);
	assert_noted(j, 11, 0, 0);
	journal_close(j);
}

static void a_batch_with_only_notes_holds_nothing_back(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	add_note(j, 10, 1);
	append_texts(j, 0, 2);
	journal_close(j);
	struct journal_found found;
	j = journal_dir_open(d, &found);
	assert_int_equal(found.noted, 0);
	assert_noted(j, 10, 0, 1);
	assert_texts(j, 0, 2);
	journal_close(j);
}

static void notes_beyond_the_maximum_are_not_kept(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	append_texts(j, 0, 1);
	assert_texts(j, 0, 1);
	for (unsigned i = 0; i < JOURNAL_NOTES_MAX + 5; i++)
		add_note(j, 10, i);
	journal_close(j);
	j = journal_dir_open_good(d);
	assert_noted(j, 10, JOURNAL_NOTES_MAX - 1, JOURNAL_NOTES_MAX - 1);
	assert_not_noted(j, 10, JOURNAL_NOTES_MAX);
	journal_close(j);
}

/* All calls in random order, with a restart now and then. */
static void any_order_of_calls_and_kills_keeps_every_message(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	struct random random = random_seed("journal_file", 1);
	unsigned sent = 0, taken = 0, committed = 0;
	char room[SLOT_BYTES];
	for (unsigned step = 0; step < 20000; step++) {
		unsigned what = random_below(&random, 16);
		struct journal_entry entry;
		if (what < 5) {
			size_t length = random_below(&random, SLOT_BYTES);
			unsigned n = 1 + what % SLOTS;
			for (unsigned i = 0; i < n; i++)
				slot_receive(
					j, i,
					numbered_text(sent + i, length, room));
			if (what < 4) {
				sent += journal_append(j, n, NOW_NS);
				continue;
			}
			journal_close(j);
			j = journal_dir_open_good(d);
			sent = (unsigned)journal_stats(j)->appended_total;
			taken = committed;
		} else if (what < 13) {
			if (!journal_take(j, &entry)) {
				assert_int_equal(taken, sent);
				continue;
			}
			assert_int_equal(entry.seq, taken);
			size_t length = entry.bytes.len;
			assert_true(span_equals(
				entry.bytes,
				numbered_text(taken, length, room)));
			taken++;
		} else if (what < 15) {
			committed = taken;
			commit_counter(j, committed);
		} else {
			journal_close(j);
			j = journal_dir_open_good(d);
			taken = committed;
			if (committed > 0)
				assert_int_equal(committed_counter(j),
						 committed);
		}
	}
	assert_true(committed > 1000);
	journal_close(j);
}

static void assert_in_use(const struct journal_opts *opts)
{
	struct journal_found found;
	struct err e = {0};
	assert_null(journal_open(opts, &found, &e));
	if (strstr(e.text, "in use by another sluiced") == NULL ||
	    strstr(e.text, opts->path) == NULL)
		fail_msg("%s", e.text);
	assert_int_equal(e.exit_code, EXIT_CODE_SYSTEM);
}

static void a_journal_has_one_owner(void **state)
{
	const struct journal_dir *d = *state;
	struct journal_opts opts = journal_dir_opts(d);
	struct journal *j = journal_dir_open_good(d);
	assert_in_use(&opts);
	opts.wait_ms = 1;
	assert_in_use(&opts);
	append_texts(j, 0, 1);
	journal_close(j);
	j = journal_dir_open_good(d);
	assert_texts(j, 0, 1);
	journal_close(j);
}

static void the_next_owner_waits_for_the_previous_one(void **state)
{
	const struct journal_dir *d = *state;
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		struct err e;
		char byte = journal_open(&opts, &found, &e) != NULL;
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	char byte = 0;
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 1);
	assert_in_use(&opts);
	kill(child, SIGKILL);
	opts.wait_ms = 240 * 1000; /* only a hang takes this long */
	journal_close(must_open_journal(&opts, &found));
	waitpid(child, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

static void a_replaced_file_has_a_lock_of_its_own(void **state)
{
	struct journal_dir *d = *state;
	struct journal *old = journal_dir_open_good(d);
	append_texts(old, 0, 1);
	assert_int_equal(rename(d->path, journal_dir_beside(d, ".damaged.9")),
			 0);
	struct journal *j =
		journal_dir_open_good(d); /* another file has another lock */
	assert_takes_nothing(j);
	journal_close(old);
	journal_close(j);
}

static void a_half_created_file_is_created_again(void **state)
{
	struct journal_dir *d = *state;
	file_write_text(journal_dir_beside(d, ".new"), "sluicedJ");
	struct journal *j = journal_dir_open_good(d);
	assert_false(file_exists(d->other));
	struct stat st;
	assert_int_equal(stat(d->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true((size_t)st.st_blocks * 512 < (size_t)st.st_size);
	journal_close(j);
}

static void a_path_that_is_not_a_file_is_an_error(void **state)
{
	struct journal_dir *d = *state;
	static const struct {
		mode_t type;
		const char *says;
	} cases[] = {
		{S_IFDIR, "Is a directory"},
		{S_IFIFO, "not a regular file"},
		{S_IFLNK, "Too many levels of symbolic links"},
		{0, "No such file or directory"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct journal_opts opts = journal_dir_opts(d);
		if (cases[i].type == S_IFDIR)
			assert_int_equal(mkdir(d->path, 0700), 0);
		else if (cases[i].type == S_IFIFO)
			assert_int_equal(mkfifo(d->path, 0700), 0);
		else if (cases[i].type == S_IFLNK)
			assert_int_equal(symlink("/nowhere", d->path), 0);
		else
			opts.path = "/nowhere/journal";
		struct journal_found found;
		struct err e = {0};
		assert_null(journal_open(&opts, &found, &e));
		if (strstr(e.text, cases[i].says) == NULL)
			fail_msg("\"%s\" lacks \"%s\"", e.text, cases[i].says);
		remove(d->path);
	}
}

static void changing_the_size_keeps_all_messages(void **state)
{
	const struct journal_dir *d = *state;
	static const struct {
		size_t ring_bytes, slot_bytes, counters_bytes;
		unsigned slots;
	} cases[] = {
		{8192, SLOT_BYTES, 24, SLOTS}, {SMALL_RING_BYTES, 10, 24, 1},
		{20480, 4000, 24, 9},	       {4096, 1000, 48, SLOTS},
		{4096, SLOT_BYTES, 24, 5},     {4096, SLOT_BYTES, 24, SLOTS},
	};
	struct journal *j = journal_dir_open_good(d);
	append_texts(j, 0, 10);
	assert_texts(j, 0, 3);
	commit_counter(j, 3);
	assert_texts(j, 3, 2);
	add_note(j, 10, 1);
	add_note(j, 10, 2);
	char room[SLOT_BYTES];
	slot_receive(j, 0, numbered_text(10, 310 % 100, room));
	journal_close(j);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct journal_found found;
		struct journal_opts opts = {
			.path = d->path,
			.ring_bytes = cases[i].ring_bytes,
			.slot_bytes = cases[i].slot_bytes,
			.counters_bytes = cases[i].counters_bytes,
			.slots = cases[i].slots,
		};
		j = must_open_journal(&opts, &found);
		assert_string_equal(found.why, "");
		assert_string_equal(found.kept.text, "");
		assert_int_equal(found.from_slots, i == 0 ? 1 : 0);
		assert_int_equal(journal_ring_bytes(j), cases[i].ring_bytes);
		assert_int_equal(found.messages, 8);
		assert_int_equal(found.noted, 2);
		assert_int_equal(committed_counter(j), 3);
		assert_noted(j, 10, 1, 2);
		assert_not_noted(j, 10, 2);
		assert_texts(j, 3, 2);
		assert_takes_nothing(j);
		journal_close(j);
	}
	j = journal_dir_open_good(d);
	assert_texts(j, 3, 2);
	commit_counter(j, 5);
	assert_texts(j, 5, 6);
	journal_close(j);
}

int main(void)
{
#define TEST(name)                                                \
	cmocka_unit_test_setup_teardown(name, journal_dir_set_up, \
					journal_dir_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(uncommitted_messages_are_delivered_again),
		TEST(counters_alone_are_committed_too),
		TEST(refused_and_truncated_messages_stay_counted),
		TEST(datagrams_left_in_slots_are_recovered),
		TEST(slots_that_were_appended_are_not_recovered_again),
		TEST(the_repeated_batch_ends_where_it_ended_before),
		TEST(a_note_tells_how_much_was_written),
		TEST(attempts_that_write_nothing_need_one_note),
		TEST(a_batch_with_only_notes_holds_nothing_back),
		TEST(notes_beyond_the_maximum_are_not_kept),
		TEST(any_order_of_calls_and_kills_keeps_every_message),
		TEST(a_journal_has_one_owner),
		TEST(the_next_owner_waits_for_the_previous_one),
		TEST(a_replaced_file_has_a_lock_of_its_own),
		TEST(a_half_created_file_is_created_again),
		TEST(a_path_that_is_not_a_file_is_an_error),
		TEST(changing_the_size_keeps_all_messages),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
