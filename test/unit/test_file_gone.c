/* SPDX-License-Identifier: Apache-2.0 */
/* How sluiced finds out that its output file was renamed, and how many
 * directory entries it reads for that. */
#include "bad_calls.h"
#include "sink_dir.h"

#include <stdlib.h>
#include <string.h>

#include "file/file_gone.h"

enum { ENTRIES = 1000, RENAMES = 50 };

/* A directory of ENTRIES files beside the output files out/a, out/b ... */
static void open_large(struct sink_dir *d, const char *keys)
{
	struct err e;
	char name[32];
	sink_dir_init(d);
	sink_dir_use_spills(d, 1024 * 1024);
	assert_int_equal(mkdir(sink_dir_path(d, "out"), 0755), 0);
	for (int i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof name, "out/file %d", i);
		sink_dir_write(d, name, "");
	}
	assert_true(sink_dir_try_open(d, keys, false, &e));
}

/* Without the calls that ask the kernel for the file's present name, as in a
 * container without /proc. */
static void open_without_proc(struct sink_dir *d)
{
	open_large(d, "    Path @/out\n");
	bad_calls_begin(BAD_READLINK, "", ENOENT, UINT_MAX);
}

static void write_line(struct sink_dir *d, const char *line)
{
	sink_dir_put(d, "a", line);
	sink_dir_flush_all(d);
}

/* The sink looks for spills before it writes the first line. */
static void write_first_line(struct sink_dir *d)
{
	write_line(d, "1");
	bad_calls_entries = 0;
}

/* The first line was written.  The second one goes to a new file. */
static void check_new_file(struct sink_dir *d, const char *old, const char *now)
{
	write_line(d, "2");
	assert_string_equal(sink_dir_content(d, old), "1\n");
	assert_string_equal(sink_dir_content(d, now), "2\n");
}

/* --- the kernel knows the file's present name */

static void a_rename_is_noticed_without_listing_the_directory(void **state)
{
	(void)state;
	struct sink_dir d;
	char old[32], line[32];
	open_large(&d, "    Path @/out\n");
	write_first_line(&d);
	for (int i = 0; i < RENAMES; i++) {
		snprintf(old, sizeof old, "out/a.%d", i);
		snprintf(line, sizeof line, "line %d", i);
		sink_dir_move(&d, "out/a", old);
		write_line(&d, line);
	}
	assert_string_equal(sink_dir_content(&d, "out/a.0"), "1\n");
	assert_string_equal(sink_dir_content(&d, "out/a.1"), "line 0\n");
	assert_string_equal(sink_dir_content(&d, "out/a"), "line 49\n");
	assert_int_equal(bad_calls_entries, 0);
	sink_dir_fini(&d);
}

static void a_renamed_directory_is_noticed_without_listing_any(void **state)
{
	(void)state;
	struct sink_dir d;
	open_large(&d, "    Path @/out\n");
	write_first_line(&d);
	sink_dir_move(&d, "out", "before");
	check_new_file(&d, "before/a", "out/a");
	assert_int_equal(bad_calls_entries, 0);
	sink_dir_fini(&d);
}

static void a_rename_to_another_directory_is_noticed_too(void **state)
{
	(void)state;
	struct sink_dir d;
	open_large(&d, "    Path @/out\n");
	assert_int_equal(mkdir(sink_dir_path(&d, "old"), 0755), 0);
	write_first_line(&d);
	sink_dir_move(&d, "out/a", "old/a");
	check_new_file(&d, "old/a", "out/a");
	assert_int_equal(bad_calls_entries, 0);
	sink_dir_fini(&d);
}

/* The link is still listed, so the listing cannot tell that its target was
 * renamed. */
static void the_renamed_target_of_a_symbolic_link_is_closed(void **state)
{
	(void)state;
	struct sink_dir d;
	open_large(&d, "    Path @/out\n    Follow_Symlinks on\n");
	assert_int_equal(symlink("real", sink_dir_path(&d, "out/a")), 0);
	write_first_line(&d);
	sink_dir_move(&d, "out/real", "out/real.1");
	check_new_file(&d, "out/real.1", "out/real");
	sink_dir_fini(&d);
}

/* stat() fails with ENOENT, but the kernel reports the same name as before. */
static void a_file_that_was_not_renamed_stays_open(void **state)
{
	(void)state;
	struct sink_dir d;
	open_large(&d, "    Path @/out\n");
	write_first_line(&d);
	sink_dir_put(&d, "a", "2");
	bad_calls_begin(BAD_STAT, "out/a", ENOENT, 1);
	assert_int_equal(sink_dir_flush(&d), SINK_FLUSHED);
	assert_int_equal(bad_calls_end(), 1);
	assert_int_equal(d.sink->stats.lines_queued, 1);
	sink_dir_wait_s(&d, 1);
	sink_dir_flush_all(&d);
	assert_string_equal(sink_dir_content(&d, "out/a"), "1\n2\n");
	sink_dir_fini(&d);
}

/* The file has another name, which the kernel does not report: it reports the
 * removed one. */
static void a_file_with_a_second_name_is_closed(void **state)
{
	(void)state;
	struct sink_dir d;
	open_large(&d, "    Path @/out\n");
	write_first_line(&d);
	char *second = strdup(sink_dir_path(&d, "out/second"));
	assert_int_equal(link(sink_dir_path(&d, "out/a"), second), 0);
	free(second);
	assert_int_equal(unlink(sink_dir_path(&d, "out/a")), 0);
	write_line(&d, "2");
	assert_string_equal(sink_dir_content(&d, "out/second"), "1\n");
	assert_string_equal(sink_dir_content(&d, "out/a"), "2\n");
	sink_dir_fini(&d);
}

/* --- the kernel does not know it */

static void a_rename_is_noticed_without_proc(void **state)
{
	(void)state;
	struct sink_dir d;
	open_without_proc(&d);
	write_first_line(&d);
	sink_dir_move(&d, "out/a", "out/a.1");
	write_line(&d, "2");
	bad_calls_end();
	assert_string_equal(sink_dir_content(&d, "out/a.1"), "1\n");
	assert_string_equal(sink_dir_content(&d, "out/a"), "2\n");
	assert_true(bad_calls_entries >= ENTRIES);
	sink_dir_fini(&d);
}

/* The clock stands still, so the second rename cannot be confirmed.  The lines
 * wait, and no line is lost or written twice. */
static void frequent_renames_cannot_cause_frequent_listings(void **state)
{
	(void)state;
	struct sink_dir d;
	open_without_proc(&d);
	write_first_line(&d);
	sink_dir_move(&d, "out/a", "out/a.1");
	write_line(&d, "2");
	size_t listed = bad_calls_entries;
	sink_dir_move(&d, "out/a", "out/a.2");
	for (int i = 0; i < RENAMES; i++) {
		sink_dir_put(&d, "a", "3");
		assert_int_equal(sink_dir_flush(&d), SINK_FLUSHED);
	}
	assert_int_equal(d.sink->stats.lines_queued, RENAMES);
	assert_int_equal(bad_calls_entries, listed);
	sink_dir_wait_s(&d, 1);
	sink_dir_flush_all(&d);
	bad_calls_end();
	assert_string_equal(sink_dir_content(&d, "out/a.1"), "1\n");
	assert_string_equal(sink_dir_content(&d, "out/a.2"), "2\n");
	assert_int_equal(strlen(sink_dir_content(&d, "out/a")), 2 * RENAMES);
	assert_int_equal(d.sink->stats.lines_written_total, 2 + RENAMES);
	sink_dir_fini(&d);
}

/* 100 renames, one every 2 ms. */
static void listings_read_a_limited_number_of_entries(void **state)
{
	(void)state;
	const int64_t step_ns = 2 * NS_PER_MS;
	struct sink_dir d;
	struct file_listing listing = {.now_ns = START_NS};
	unsigned decided = 0;
	open_large(&d, "    Path @/out\n");
	char *path = strdup(sink_dir_path(&d, "out/none"));
	bad_calls_entries = 0;
	for (int i = 0; i < 100; i++) {
		decided += file_is_gone(path, ENOENT, &listing);
		listing.now_ns += step_ns;
	}
	free(path);
	assert_int_equal(decided, 100 * step_ns * FILE_LISTING_ENTRIES_S /
					  NS_PER_S / ENTRIES);
	assert_in_range(bad_calls_entries, decided * ENTRIES,
			decided * (ENTRIES + 2));
	sink_dir_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_rename_is_noticed_without_listing_the_directory),
		cmocka_unit_test(
			a_renamed_directory_is_noticed_without_listing_any),
		cmocka_unit_test(a_rename_to_another_directory_is_noticed_too),
		cmocka_unit_test(
			the_renamed_target_of_a_symbolic_link_is_closed),
		cmocka_unit_test(a_file_that_was_not_renamed_stays_open),
		cmocka_unit_test(a_file_with_a_second_name_is_closed),
		cmocka_unit_test(a_rename_is_noticed_without_proc),
		cmocka_unit_test(
			frequent_renames_cannot_cause_frequent_listings),
		cmocka_unit_test(listings_read_a_limited_number_of_entries),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
