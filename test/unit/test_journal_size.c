/* SPDX-License-Identifier: Apache-2.0 */
/* A journal is opened with other sizes than its file has. */
#include "journal_dir.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	RING_BYTES = 4 << 20,
	LONG_BYTES = 1000 - ITEM_HEAD_BYTES,
	MANY = 2000, /* more bytes than move to a new file */
	FEW = 100,
};

static struct journal_opts large_opts(const struct journal_dir *d)
{
	struct journal_opts opts = journal_dir_opts(d);
	opts.ring_bytes = RING_BYTES;
	opts.slot_bytes = LONG_BYTES;
	return opts;
}

static void append_long(struct journal *j, unsigned from, unsigned upto)
{
	char room[LONG_BYTES];
	for (unsigned i = from; i < upto; i++)
		assert_int_equal(
			append_bytes(j, numbered_text(i, sizeof room, room)),
			1);
}

static void assert_long(struct journal *j, unsigned from, unsigned upto)
{
	char room[LONG_BYTES];
	for (unsigned i = from; i < upto; i++)
		assert_takes(j, numbered_text(i, sizeof room, room));
}

/* Leave a journal in which the messages from..MANY - 1 wait. */
static void leave(const struct journal_dir *d, unsigned from)
{
	struct journal_opts opts = large_opts(d);
	struct journal_found found;
	struct journal *j = must_open_journal(&opts, &found);
	append_long(j, 0, MANY);
	assert_long(j, 0, from);
	commit_counter(j, from);
	journal_close(j);
}

/* Open it, and assert that nothing is lost. */
static struct journal *reopen(const struct journal_opts *opts, unsigned from,
			      unsigned upto, struct journal_found *found)
{
	struct journal *j = must_open_journal(opts, found);
	assert_string_equal(found->why, "");
	assert_string_equal(found->damaged, "");
	assert_int_equal(found->messages, upto - from);
	assert_int_equal(committed_counter(j), from);
	return j;
}

static void assert_kept(const struct journal_found *found, const char *says)
{
	if (strstr(found->kept.text, says) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", found->kept.text, says);
}

static void a_file_with_many_messages_keeps_its_size(void **state)
{
	const struct journal_dir *d = *state;
	static const struct {
		size_t ring_bytes;
		unsigned slots;
	} cases[] = {
		{2 * RING_BYTES, SLOTS},
		{RING_BYTES / 2, SLOTS},
		{RING_BYTES, 9},
		{RING_BYTES, 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct journal_opts opts = large_opts(d);
		struct journal_found found;
		unsigned count;
		leave(d, 1);
		opts.ring_bytes = cases[i].ring_bytes;
		opts.slots = cases[i].slots;
		struct journal *j = reopen(&opts, 1, MANY, &found);
		assert_kept(&found, "bytes of messages wait");
		assert_int_equal(journal_ring_bytes(j), RING_BYTES);
		journal_slots(j, 7, &count);
		assert_int_equal(count,
				 opts.slots < SLOTS ? opts.slots : SLOTS);
		append_long(j, MANY, MANY + 10);
		journal_slots(j, 7, &count);
		assert_true(count <= opts.slots);
		assert_long(j, 1, MANY);
		commit_counter(j, MANY);
		journal_close(j);

		j = reopen(&opts, MANY, MANY + 10, &found);
		assert_string_equal(found.kept.text, "");
		assert_int_equal(journal_ring_bytes(j), opts.ring_bytes);
		assert_long(j, MANY, MANY + 10);
		assert_takes_nothing(j);
		journal_close(j);
		unlink(d->path);
	}
}

/* A file in memory does not move; one on a device does. */
static void longer_messages_are_truncated_until_the_file_moves(void **state)
{
	const struct journal_dir *d = *state;
	char room[2 * LONG_BYTES];
	struct journal_found found;
	struct journal_opts opts = large_opts(d);
	leave(d, 1);
	opts.slot_bytes = sizeof room;
	struct journal *j = reopen(&opts, 1, MANY, &found);
	size_t most = journal_message_bytes_max(j);
	assert_int_equal(most,
			 found.is_written_back ? sizeof room : LONG_BYTES);
	if (found.is_written_back)
		assert_string_equal(found.kept.text, "");
	else
		assert_kept(&found, "bytes of messages wait");
	struct span text = numbered_text(MANY, sizeof room, room);
	assert_int_equal(append_bytes(j, text), 1);
	assert_int_equal(journal_stats(j)->truncated_total,
			 found.is_written_back ? 0 : 1);
	assert_long(j, 1, MANY);
	assert_takes(j, span_make(room, most));
	commit_counter(j, MANY + 1);
	journal_close(j);
	j = reopen(&opts, MANY + 1, MANY + 1, &found);
	assert_int_equal(journal_message_bytes_max(j), sizeof room);
	journal_close(j);
}

static void messages_without_room_in_the_wanted_ring_keep_the_size(void **state)
{
	const struct journal_dir *d = *state;
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	char room[SLOT_BYTES];
	opts.ring_bytes = 8192;
	struct journal *j = must_open_journal(&opts, &found);
	for (unsigned i = 0; i < 6; i++)
		append_bytes(j, numbered_text(i, SLOT_BYTES, room));
	commit_counter(j, 0);
	journal_close(j);

	opts.ring_bytes = SMALL_RING_BYTES;
	/* The second time, the counters need more room, so the file moves. */
	for (int i = 0; i < 2; i++) {
		j = reopen(&opts, 0, 6, &found);
		assert_kept(&found, "bytes of messages wait");
		assert_int_equal(journal_ring_bytes(j), 8192);
		journal_close(j);
		opts.counters_bytes *= 2;
	}
	j = reopen(&opts, 0, 6, &found);
	for (unsigned i = 0; i < 6; i++)
		assert_takes(j, numbered_text(i, SLOT_BYTES, room));
	journal_commit(j, room, opts.counters_bytes);
	journal_close(j);
	j = must_open_journal(&opts, &found);
	assert_int_equal(journal_ring_bytes(j), SMALL_RING_BYTES);
	assert_string_equal(found.kept.text, "");
	journal_close(j);
}

static size_t used_bytes(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_blocks * 512;
}

static void if_no_file_can_be_made_the_old_one_is_used(void **state)
{
	struct journal_dir *d = *state;
	struct journal_opts opts = large_opts(d);
	struct journal_found found;
	leave(d, MANY - FEW);
	size_t before = used_bytes(d->path);
	opts.ring_bytes *= 2;
	char new[128];
	snprintf(new, sizeof new, "%s", journal_dir_beside(d, ".new"));
	assert_int_equal(mkdir(new, 0700), 0);
	struct journal *j = reopen(&opts, MANY - FEW, MANY, &found);
	assert_kept(&found, "Is a directory");
	assert_int_equal(journal_ring_bytes(j), RING_BYTES);
	/* What the new file might have needed was given back. */
	assert_true(used_bytes(d->path) + (1 << 20) < before);
	append_long(j, MANY, 2 * MANY);
	assert_long(j, MANY - FEW, 2 * MANY);
	commit_counter(j, 2 * MANY);
	append_long(j, 2 * MANY, 3 * MANY);
	assert_long(j, 2 * MANY, 3 * MANY - FEW);
	commit_counter(j, 3 * MANY - FEW);
	journal_close(j);

	struct err e = {0};
	opts.counters_bytes *= 2;
	assert_null(journal_open(&opts, &found, &e));
	assert_non_null(strstr(e.text, "Is a directory"));
	assert_int_equal(e.exit_code, EXIT_CODE_SYSTEM);
	assert_int_equal(rmdir(new), 0);
	j = reopen(&opts, 3 * MANY - FEW, 3 * MANY, &found);
	assert_string_equal(found.kept.text, "");
	assert_long(j, 3 * MANY - FEW, 3 * MANY);
	assert_takes_nothing(j);
	journal_close(j);
}

static void a_new_file_that_was_left_behind_is_removed(void **state)
{
	struct journal_dir *d = *state;
	leave(d, 1);
	struct journal_opts opts = large_opts(d);
	for (int i = 0; i < 2; i++) { /* with the same size, and another one */
		struct journal_found found;
		const char *new = journal_dir_beside(d, ".new");
		file_write_text(new, "sluicedJ");
		struct journal *j = reopen(&opts, 1, MANY, &found);
		assert_false(file_exists(new));
		journal_close(j);

		file_write_text(new, "sluicedJ");
		FILE *owned = fopen(new, "r+");
		assert_non_null(owned);
		assert_int_equal(flock(fileno(owned), LOCK_EX | LOCK_NB), 0);
		j = reopen(&opts, 1, MANY, &found);
		assert_true(file_exists(new));
		journal_close(j);
		fclose(owned);
		opts.ring_bytes *= 2;
	}
}

/* --- kills */

static void move_in_child(const struct journal_opts *opts)
{
	struct journal_found found;
	struct err e;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	raise(SIGSTOP);
	struct journal *j = journal_open(opts, &found, &e);
	_exit(j == NULL || found.kept.text[0] != '\0');
}

/* Open copies of the files, as if the child had been killed now. */
static void die_here(const struct journal_dir *d, unsigned count)
{
	char path[128], new[128], copy[128], new_copy[160];
	snprintf(path, sizeof path, "%s", d->path);
	snprintf(new, sizeof new, "%s.new", d->path);
	snprintf(copy, sizeof copy, "%s.damaged.1", d->path);
	snprintf(new_copy, sizeof new_copy, "%s.new", copy);
	file_copy(path, copy);
	if (file_exists(new))
		file_copy(new, new_copy);
	struct journal_opts opts = large_opts(d);
	struct journal_found found;
	opts.path = copy;
	opts.ring_bytes *= 1 + count % 2;
	struct journal *j = reopen(&opts, MANY - FEW, MANY, &found);
	assert_false(file_exists(new_copy));
	assert_long(j, MANY - FEW, MANY);
	assert_takes_nothing(j);
	journal_close(j);
}

/* The move changes the old file and the names only in system calls. */
static void a_kill_during_a_move_loses_nothing(void **state)
{
	const struct journal_dir *d = *state;
#ifdef __SANITIZE_THREAD__
	skip(); /* its own calls cannot be traced */
#endif
	struct journal_opts opts = large_opts(d);
	leave(d, MANY - FEW);
	opts.ring_bytes *= 2;
	int status;
	unsigned calls = 0;
	pid_t child = fork();
	if (child == 0)
		move_in_child(&opts);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status)) {
		print_message("ptrace is not permitted here\n");
		skip();
	}
	while (ptrace(PTRACE_SYSCALL, child, NULL, NULL) == 0 &&
	       waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		assert_int_equal(WSTOPSIG(status), SIGTRAP);
		die_here(d, calls++);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(calls > 20);
}

static int set_up_in_memory(void **state)
{
	return journal_dir_set_up_in("/dev/shm", state);
}

int main(void)
{
#define TEST(name)                                                \
	cmocka_unit_test_setup_teardown(name, journal_dir_set_up, \
					journal_dir_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_file_with_many_messages_keeps_its_size),
		TEST(longer_messages_are_truncated_until_the_file_moves),
		cmocka_unit_test_setup_teardown(
			longer_messages_are_truncated_until_the_file_moves,
			set_up_in_memory, journal_dir_tear_down),
		TEST(messages_without_room_in_the_wanted_ring_keep_the_size),
		TEST(if_no_file_can_be_made_the_old_one_is_used),
		TEST(a_new_file_that_was_left_behind_is_removed),
		TEST(a_kill_during_a_move_loses_nothing),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
