/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_dir.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* Mount a file system of 2 MiB on the directory, which only this process sees.
 * False if this process may not mount. */
static bool mount_small(const struct journal_dir *d)
{
	int flags = CLONE_NEWNS | (geteuid() != 0 ? CLONE_NEWUSER : 0);
	return unshare(flags) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", d->root, "tmpfs", 0, "size=2m") == 0;
}

/* 256 entries end exactly where a step of the reservation ends. */
enum { EVEN_BYTES = 1024 - ITEM_HEAD_BYTES };

static unsigned append_until_refused(struct journal *j, unsigned from)
{
	char room[EVEN_BYTES];
	while (append_bytes(j, numbered_text(from, sizeof room, room)) == 1)
		from++;
	return from;
}

static void take_and_commit(struct journal *j, unsigned from, unsigned upto)
{
	char room[EVEN_BYTES];
	for (unsigned i = from; i < upto; i++)
		assert_takes(j, numbered_text(i, sizeof room, room));
	assert_takes_nothing(j);
	commit_taken(j);
}

/* Fill the file system until no page is left. */
static void fill_up(const char *path)
{
	static const char page[4096];
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	setbuf(f, NULL);
	while (fwrite(page, sizeof page, 1, f) == 1)
		;
	fclose(f);
}

/* If the journal stored to a page for which the file system has no room, the
 * process would die of SIGBUS. */
static void use_small_file_system(struct journal_dir *d)
{
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	opts.ring_bytes = 64 << 20;
	opts.slot_bytes = 212960;
	opts.slots = 64;
	struct journal *j = must_open_journal(&opts, &found);
	unsigned count, n = 0;
	for (int lap = 0; lap < 3; lap++) {
		unsigned from = n;
		n = append_until_refused(j, n);
		unsigned most = n - from;
		fill_up(journal_dir_beside(d, ".damaged.2"));
		assert_in_range(most, 512, 2048);
		assert_int_equal(journal_room(j), 0);
		take_and_commit(j, from, n);
		assert_in_range(journal_room(j), 2, 9);
		/* Start in the middle of the ring, so that a skip follows the
		 * last entry that fits and leads to the beginning. */
		char room[EVEN_BYTES];
		for (from = n; n < from + 400; n++)
			append_bytes(j, numbered_text(n, sizeof room, room));
		for (; from < n - 1; from++)
			assert_takes(j, numbered_text(from, sizeof room, room));
		commit_taken(j);
		n = append_until_refused(j, n);
		assert_in_range(n - from, most - 1, most);
		journal_close(j);
		j = must_open_journal(&opts, &found);
		assert_int_equal(found.messages, n - from);
		take_and_commit(j, from, n);
	}
	/* The journal would use more slots if there were room for them. */
	journal_slots(j, 7, &count);
	for (unsigned i = 0; i < count; i++)
		slot_receive(j, i, SPAN("x"));
	assert_int_equal(journal_append(j, count, NOW_NS), count);
	unsigned same;
	journal_slots(j, 7, &same);
	assert_int_equal(same, count);

	struct err e = {0};
	opts.path = journal_dir_beside(d, ".damaged.1");
	assert_null(journal_open(&opts, &found, &e));
	assert_non_null(strstr(e.text, "No space left on device"));
	assert_non_null(strstr(e.text, opts.path));
	assert_false(file_exists(opts.path));

	/* Now the operator makes room. */
	assert_int_equal(mount("none", d->root, NULL, MS_REMOUNT, "size=20m"),
			 0);
	assert_true(journal_room(j) > 100);
	assert_true(append_until_refused(j, 0) > 10000);
	journal_close(j);
}

/* Nothing else is free, but moving the messages frees what it needs. */
static struct journal *move_on_full(struct journal_dir *d,
				    struct journal_opts *opts, unsigned *n)
{
	struct journal_found found;
	struct journal *j = must_open_journal(opts, &found);
	*n = append_until_refused(j, 0);
	char room[EVEN_BYTES];
	for (unsigned i = 0; i < *n - 9; i++)
		assert_takes(j, numbered_text(i, sizeof room, room));
	commit_taken(j);
	fill_up(journal_dir_beside(d, ".damaged.2"));
	journal_close(j);
	opts->ring_bytes *= 2;
	j = must_open_journal(opts, &found);
	assert_string_equal(found.kept.text, "");
	assert_int_equal(journal_ring_bytes(j), opts->ring_bytes);
	assert_int_equal(found.messages, 9);
	return j;
}

static void change_size_on_full(struct journal_dir *d)
{
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	unsigned n;
	opts.ring_bytes = 64 << 20;
	opts.slot_bytes = 212960;
	opts.slots = 64;
	struct journal *j = move_on_full(d, &opts, &n);
	take_and_commit(j, n - 9, n);
	journal_close(j);

	/* Now a move has nothing to free. */
	fill_up(journal_dir_beside(d, ".damaged.2"));
	j = must_open_journal(&opts, &found);
	unsigned from = n;
	n = append_until_refused(j, n);
	assert_in_range(n - from, 100, 2000);
	journal_close(j);
	opts.ring_bytes /= 2;
	opts.slots = 32;
	j = must_open_journal(&opts, &found);
	assert_string_equal(found.damaged, "");
	assert_non_null(strstr(found.kept.text, "No space left on device"));
	assert_int_equal(journal_ring_bytes(j), 2 * opts.ring_bytes);
	assert_int_equal(found.messages, n - from);
	take_and_commit(j, from, n);
	from = n;
	n = append_until_refused(j, n);
	assert_in_range(n - from, 100, 2000);
	take_and_commit(j, from, n);
	journal_close(j);
	assert_false(file_exists(journal_dir_beside(d, ".new")));

	/* A file that must move waits for room. */
	struct err e = {0};
	opts.counters_bytes *= 1000;
	assert_null(journal_open(&opts, &found, &e));
	assert_non_null(strstr(e.text, "No space left on device"));
	assert_int_equal(e.exit_code, EXIT_CODE_SYSTEM);
	assert_string_equal(found.damaged, "");
}

static void run_on_small(struct journal_dir *d,
			 void (*run)(struct journal_dir *))
{
	pid_t child = fork();
	if (child == 0) {
		if (!mount_small(d))
			_exit(77);
		run(d);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("mounting is not permitted here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_full_file_system_makes_the_ring_smaller(void **state)
{
	run_on_small(*state, use_small_file_system);
}

static void a_full_file_system_keeps_a_journal_of_another_size(void **state)
{
	run_on_small(*state, change_size_on_full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_full_file_system_makes_the_ring_smaller,
			journal_dir_set_up, journal_dir_tear_down),
		cmocka_unit_test_setup_teardown(
			a_full_file_system_keeps_a_journal_of_another_size,
			journal_dir_set_up, journal_dir_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
