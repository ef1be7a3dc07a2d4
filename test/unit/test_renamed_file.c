/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is renamed after a process was killed while it appended to it. */
#include "crash.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

/* The process dies when the file has this size.  The file is then renamed. */
static void kill_and_rename(struct crash *c, rlim_t cut_bytes, const char *to)
{
	c->cut_bytes = cut_bytes;
	crash_notes_restart(c->left);
	run_and_kill(crash_run_batch, c);
	sink_dir_move(&c->f, c->file, to);
}

static size_t length_of(struct crash *c, const char *name)
{
	const char *text = sink_dir_content(&c->f, name);
	return strcmp(text, "(no file)") == 0 ? 0 : strlen(text);
}

/* The end of a whole line. */
static size_t round_up(size_t bytes)
{
	return (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

static void lines_in_the_renamed_file_are_not_written_again(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < LINES_BYTES; cut++) {
		struct crash c;
		crash_set_up(&c);
		kill_and_rename(&c, cut, "a.1");
		crash_restart(&c);
		/* The torn line is completed where it began. */
		assert_int_equal(length_of(&c, "a.1"), round_up(cut));
		assert_memory_equal(sink_dir_content(&c.f, "a.1"), all_lines,
				    round_up(cut));
		if (round_up(cut) < LINES_BYTES)
			assert_string_equal(sink_dir_content(&c.f, "a"),
					    all_lines + round_up(cut));
		crash_tear_down(&c);
	}
}

static void a_new_file_of_another_process_gets_only_the_rest(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	kill_and_rename(&c, 10, "a.1");
	sink_dir_write(&c.f, "a", "other\n");
	crash_restart(&c);
	assert_string_equal(sink_dir_content(&c.f, "a.1"), "line 1\nline 2\n");
	assert_string_equal(sink_dir_content(&c.f, "a"), "other\nline 3\n");
	crash_tear_down(&c);
}

/* Nothing is left to write, and no new file is made. */
static void a_whole_batch_in_the_renamed_file_is_done(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	kill_and_rename(&c, LINES_BYTES, "a.1");
	crash_notes_restart(c.left);
	crash_open_and_put(&c);
	sink_dir_flush_all(&c.f);
	assert_string_equal(sink_dir_content(&c.f, "a.1"), all_lines);
	assert_false(sink_dir_exists(&c.f, "a"));
	crash_tear_down(&c);
}

/* The first process writes a part to the first file, the second process
 * completes that file and writes a part to the second file. */
static void a_file_may_be_renamed_after_each_kill(void **state)
{
	(void)state;
	for (rlim_t cut = 1; cut < LINE_BYTES; cut++) {
		struct crash c;
		crash_set_up(&c);
		kill_and_rename(&c, LINE_BYTES, "a.1");
		kill_and_rename(&c, cut, "a.2");
		crash_restart(&c);
		assert_string_equal(sink_dir_content(&c.f, "a.1"), "line 1\n");
		assert_string_equal(sink_dir_content(&c.f, "a.2"), "line 2\n");
		assert_string_equal(sink_dir_content(&c.f, "a"), "line 3\n");
		crash_tear_down(&c);
	}
}

/* Another process has appended to it after the rename. */
static void a_renamed_file_with_a_line_of_another_process(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	kill_and_rename(&c, 10, "a.1");
	sink_dir_write(&c.f, "a.1", "line 1\nlin\nother\n");
	crash_restart(&c);
	assert_string_equal(sink_dir_content(&c.f, "a.1"),
			    "line 1\nlin\nother\n");
	assert_string_equal(sink_dir_content(&c.f, "a"), "line 2\nline 3\n");
	crash_tear_down(&c);
}

static void the_new_file_need_not_be_writable(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	kill_and_rename(&c, 10, "a.1");
	assert_int_equal(mkdir(sink_dir_path(&c.f, "a"), 0755), 0);
	crash_notes_restart(c.left);
	crash_open_and_put(&c);
	assert_int_equal(sink_dir_flush(&c.f), SINK_FLUSHED);
	crash_notes_commit(c.left);
	assert_int_equal(c.f.sink->stats.lines_queued, 1);
	assert_int_equal(rmdir(sink_dir_path(&c.f, "a")), 0);
	sink_dir_wait_s(&c.f, 1);
	sink_dir_flush_all(&c.f);
	assert_string_equal(sink_dir_content(&c.f, "a.1"), "line 1\nline 2\n");
	assert_string_equal(sink_dir_content(&c.f, "a"), "line 3\n");
	crash_tear_down(&c);
}

static void a_file_in_another_directory_is_not_found(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	assert_int_equal(mkdir(sink_dir_path(&c.f, "old"), 0755), 0);
	kill_and_rename(&c, 10, "old/a");
	crash_restart(&c);
	assert_string_equal(sink_dir_content(&c.f, "old/a"), "line 1\nlin");
	assert_string_equal(sink_dir_content(&c.f, "a"), all_lines);
	crash_tear_down(&c);
}

static uint16_t hash_of(struct crash *c, const char *name)
{
	return (uint16_t)hash_fnv1a(HASH_FNV1A_BEGIN,
				    span_of(sink_dir_path(&c->f, name)));
}

/* Its notes name both paths, because the hash of a path is short. */
static void the_file_of_a_path_with_the_same_hash_was_not_renamed(void **state)
{
	(void)state;
	struct crash c;
	char other[32];
	crash_set_up(&c);
	unsigned i = 0;
	do
		snprintf(other, sizeof other, "b%u", i++);
	while (hash_of(&c, other) != hash_of(&c, "a"));
	c.file = other;
	crash_notes_restart(c.left);
	run_and_kill(crash_run_batch, &c);
	crash_notes_restart(c.left);
	c.file = "a";
	crash_open_and_put(&c);
	crash_put(&c, other);
	sink_dir_flush_all(&c.f);
	assert_string_equal(sink_dir_content(&c.f, other), all_lines);
	assert_string_equal(sink_dir_content(&c.f, "a"), all_lines);
	crash_tear_down(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			lines_in_the_renamed_file_are_not_written_again),
		cmocka_unit_test(
			a_new_file_of_another_process_gets_only_the_rest),
		cmocka_unit_test(a_whole_batch_in_the_renamed_file_is_done),
		cmocka_unit_test(a_file_may_be_renamed_after_each_kill),
		cmocka_unit_test(a_renamed_file_with_a_line_of_another_process),
		cmocka_unit_test(the_new_file_need_not_be_writable),
		cmocka_unit_test(a_file_in_another_directory_is_not_found),
		cmocka_unit_test(
			the_file_of_a_path_with_the_same_hash_was_not_renamed),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
