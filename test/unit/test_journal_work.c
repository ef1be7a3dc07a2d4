/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_dir.h"

#include <string.h>

#include "journal/journal_format.h"

enum { MANY = JOURNAL_SUSPECTS_MAX + 2 };

/* Take messages up to this one and die while working on it. */
static void die_at(const struct journal_dir *d, uint64_t seq, bool from_outside)
{
	struct journal_opts opts = journal_dir_opts(d);
	opts.died_of_other = from_outside; /* about the previous death */
	struct journal_found found;
	struct journal *j = must_open_journal(&opts, &found);
	struct journal_entry entry = {0};
	do {
		assert_true(journal_take(j, &entry));
		journal_begin(j, &entry);
	} while (entry.seq < seq);
	journal_close(j);
}

static unsigned half_deaths_at(struct journal *j, uint64_t seq)
{
	struct journal_entry entry = {0};
	do
		assert_true(journal_take(j, &entry));
	while (entry.seq < seq);
	return entry.half_deaths;
}

static void fill(const struct journal_dir *d, unsigned count)
{
	struct journal *j = journal_dir_open_good(d);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(append_bytes(j, SPAN("x")), 1);
	journal_close(j);
}

static void the_message_that_a_process_died_of_is_known(void **state)
{
	struct journal_dir *d = *state;
	fill(d, 5);
	die_at(d, 2, false);
	die_at(d, 2, false);
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	struct journal *j = must_open_journal(&opts, &found);
	assert_true(found.died_at_work);
	assert_true(journal_has_suspects(j));
	assert_int_equal(half_deaths_at(j, 1), 0);
	assert_int_equal(half_deaths_at(j, 2), 4);
	assert_int_equal(half_deaths_at(j, 3), 0);
	commit_taken(j);
	assert_false(journal_has_suspects(j));
	journal_close(j);
}

static void an_idle_process_dies_of_no_message(void **state)
{
	struct journal_dir *d = *state;
	fill(d, 2);
	struct journal *j = journal_dir_open_good(d);
	struct journal_entry entry;
	assert_int_equal(journal_work(j), 0);
	assert_true(journal_take(j, &entry));
	journal_begin(j, &entry);
	uint64_t first = journal_work(j);
	assert_int_not_equal(first, 0);
	assert_true(journal_take(j, &entry));
	journal_begin(j, &entry);
	assert_int_not_equal(journal_work(j), first);
	journal_rest(j);
	assert_int_equal(journal_work(j), 0);
	journal_close(j);
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	j = must_open_journal(&opts, &found);
	assert_false(found.died_at_work);
	assert_false(journal_has_suspects(j));
	journal_close(j);
}

static void a_kill_from_outside_counts_half(void **state)
{
	struct journal_dir *d = *state;
	fill(d, 2);
	die_at(d, 1, false);
	die_at(d, 1, true);
	die_at(d, 1, true);
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	struct journal *j = must_open_journal(&opts, &found);
	assert_int_equal(half_deaths_at(j, 1), 2 + 1 + 1);
	journal_close(j);
}

/* While a batch is repeated, several of its messages may kill a worker. */
static void several_messages_that_killed_are_known(void **state)
{
	struct journal_dir *d = *state;
	fill(d, MANY);
	for (unsigned i = 0; i < JOURNAL_SUSPECTS_MAX; i++)
		die_at(d, i, false);
	struct journal *j = journal_dir_open_good(d);
	for (unsigned i = 0; i < JOURNAL_SUSPECTS_MAX; i++)
		assert_int_equal(half_deaths_at(j, i), 2);
	journal_close(j);
	/* One more message replaces the earliest. */
	die_at(d, MANY - 1, false);
	j = journal_dir_open_good(d);
	assert_int_equal(half_deaths_at(j, 0), 0);
	assert_int_equal(half_deaths_at(j, 1), 2);
	assert_int_equal(half_deaths_at(j, MANY - 1), 2);
	journal_close(j);
}

static void deaths_survive_a_move_to_a_file_of_another_size(void **state)
{
	struct journal_dir *d = *state;
	fill(d, 5);
	die_at(d, 3, false);
	die_at(d, 3, false);
	struct journal_opts opts = journal_dir_opts(d);
	opts.ring_bytes *= 2;
	struct journal_found found;
	struct journal *j = must_open_journal(&opts, &found);
	assert_string_equal(found.damaged, "");
	assert_int_equal(half_deaths_at(j, 3), 4);
	journal_close(j);
}

/* An older version of the program that used the file in between leaves the
 * words as they were. */
static void words_of_finished_messages_are_ignored(void **state)
{
	struct journal_dir *d = *state;
	fill(d, 5);
	die_at(d, 1, false);
	die_at(d, 2, false);
	struct journal *j = journal_dir_open_good(d);
	assert_int_equal(half_deaths_at(j, 3), 0);
	struct journal_entry last = {.seq = 1, .half_deaths = 2};
	journal_begin(j, &last);
	commit_taken(j);
	journal_close(j);
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	j = must_open_journal(&opts, &found);
	assert_false(found.died_at_work);
	assert_false(journal_has_suspects(j));
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define IN_DIR(t)                                              \
	cmocka_unit_test_setup_teardown(t, journal_dir_set_up, \
					journal_dir_tear_down)
		IN_DIR(the_message_that_a_process_died_of_is_known),
		IN_DIR(an_idle_process_dies_of_no_message),
		IN_DIR(a_kill_from_outside_counts_half),
		IN_DIR(several_messages_that_killed_are_known),
		IN_DIR(deaths_survive_a_move_to_a_file_of_another_size),
		IN_DIR(words_of_finished_messages_are_ignored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
