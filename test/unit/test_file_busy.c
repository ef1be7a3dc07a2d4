/* SPDX-License-Identifier: Apache-2.0 */
/* Another process keeps a file busy while the spill is full.  For a limited
 * time the sink then blocks, so that the journal keeps the lines. */
#include "lock_holder.h"
#include "sink_dir.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "file/append_file.h"
#include "file/file_block.h"

enum { BUSY_S = 30 };

static void open_with_small_spill(struct sink_dir *f)
{
	struct err e;
	sink_dir_init(f);
	sink_dir_use_spills(f, 1);
	assert_true(sink_dir_try_open(f, "    Path @/out\n", false, &e));
}

/* The first line fills the spill, the second one has no room. */
static void put_two_lines(struct sink_dir *f)
{
	sink_dir_put(f, "a", "1");
	assert_int_equal(sink_dir_flush(f), SINK_FLUSHED);
	assert_int_equal(f->sink->stats.lines_spilled, 1);
	sink_dir_put(f, "a", "2");
	assert_int_equal(sink_dir_flush(f), SINK_BLOCKED);
}

/* Let another process hold the lock of out/a, which is empty. */
static pid_t hold_lock(struct sink_dir *f)
{
	char out[96];
	sink_dir_write(f, "out/a", "");
	snprintf(out, sizeof out, "%s", sink_dir_path(f, "out"));
	return lock_hold(out, sink_dir_path(f, "out/a"));
}

/* Assert that a second later, out/a is this text, and that no line is lost. */
static void assert_written_after_1_s(struct sink_dir *f, const char *text)
{
	sink_dir_wait_s(f, 1);
	sink_dir_flush_all(f);
	assert_string_equal(sink_dir_content(f, "out/a"), text);
	assert_int_equal(f->sink->stats.lines_dropped_total[DROP_write_failed],
			 0);
}

static void a_torn_line_of_another_process_drops_no_line(void **state)
{
	(void)state;
	struct sink_dir f;
	open_with_small_spill(&f);
	sink_dir_write(&f, "out/a", "hal");
	put_two_lines(&f);
	sink_dir_wait_s(&f, 9);
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	assert_written_after_1_s(&f, "hal\n1\n2\n");
	sink_dir_fini(&f);
}

static void a_torn_line_that_grows_is_waited_for_no_longer(void **state)
{
	(void)state;
	struct sink_dir f;
	open_with_small_spill(&f);
	sink_dir_write(&f, "out/a", "h");
	put_two_lines(&f);
	sink_dir_wait_s(&f, 9);
	sink_dir_write(&f, "out/a", "hal");
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	assert_written_after_1_s(&f, "hal\n1\n2\n");
	sink_dir_fini(&f);
}

static void a_lock_drops_no_line(void **state)
{
	(void)state;
	struct sink_dir f;
	open_with_small_spill(&f);
	pid_t holder = hold_lock(&f);
	put_two_lines(&f);
	sink_dir_wait_s(&f, BUSY_S - 1);
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	lock_drop(holder);
	assert_written_after_1_s(&f, "1\n2\n");
	sink_dir_fini(&f);
}

static void a_lock_that_is_never_released_blocks_no_other_file(void **state)
{
	(void)state;
	struct sink_dir f;
	enum drop_reason reason = DROP_unrouted;
	open_with_small_spill(&f);
	pid_t holder = hold_lock(&f);
	put_two_lines(&f);
	sink_dir_wait_s(&f, BUSY_S);
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_false(
		sink_dir_put_span(&f, SPAN("a"), SPAN("3"), true, &reason));
	assert_int_equal(reason, DROP_write_failed);
	sink_dir_put(&f, "b", "4");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_string_equal(sink_dir_content(&f, "out/b"), "4\n");
	lock_drop(holder);
	sink_dir_fini(&f);
}

/* Fill the spill with a line for a file that cannot be written. */
static void fill_spill(struct sink_dir *f)
{
	assert_int_equal(mkdir(sink_dir_path(f, "out/wall"), 0755), 0);
	sink_dir_put(f, "wall", "1");
	assert_int_equal(sink_dir_flush(f), SINK_FLUSHED);
	assert_int_equal(f->sink->stats.lines_spilled, 1);
}

static const char *out_path(const char *name)
{
	static char path[32];
	snprintf(path, sizeof path, "out/%s", name);
	return path;
}

/* Put a line for a file in which another process has torn a line. */
static void put_to_torn_file(struct sink_dir *f, const char *name)
{
	sink_dir_write(f, out_path(name), "hal");
	sink_dir_put(f, name, "1");
}

/* The other process does not complete its line. */
static void block_for_10_s(struct sink_dir *f, const char *name)
{
	put_to_torn_file(f, name);
	assert_int_equal(sink_dir_flush(f), SINK_BLOCKED);
	sink_dir_wait_s(f, 10);
	assert_int_equal(sink_dir_flush(f), SINK_FLUSHED);
	assert_string_equal(sink_dir_content(f, out_path(name)), "hal\n1\n");
}

static void assert_lost(const struct sink_dir *f, uint64_t lines)
{
	assert_int_equal(f->sink->stats.lines_dropped_total[DROP_write_failed],
			 lines);
}

static void many_busy_files_block_no_longer_than_one(void **state)
{
	(void)state;
	struct sink_dir f;
	open_with_small_spill(&f);
	fill_spill(&f);
	block_for_10_s(&f, "a");
	block_for_10_s(&f, "b");
	block_for_10_s(&f, "c");
	assert_lost(&f, 0);
	put_to_torn_file(&f, "d");
	sink_dir_put(&f, "good", "2");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_lost(&f, 1);
	assert_string_equal(sink_dir_content(&f, "out/good"), "2\n");
	assert_string_equal(sink_dir_content(&f, "out/d"), "hal");
	sink_dir_fini(&f);
}

static void the_time_of_busy_files_comes_back_slowly(void **state)
{
	(void)state;
	struct sink_dir f;
	open_with_small_spill(&f);
	fill_spill(&f);
	block_for_10_s(&f, "a");
	block_for_10_s(&f, "b");
	block_for_10_s(&f, "c");
	sink_dir_wait_s(&f, 100);
	block_for_10_s(&f, "d");
	assert_lost(&f, 0);
	sink_dir_wait_s(&f, 5);
	put_to_torn_file(&f, "e");
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	sink_dir_wait_s(&f, 1);
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_lost(&f, 1);
	sink_dir_fini(&f);
}

/* Let another user have a torn line in out/a, for which a line waits. */
static void put_to_file_of_another_user(struct sink_dir *f)
{
	put_to_torn_file(f, "a");
	if (file_give_away(sink_dir_path(f, "out/a")))
		return;
	sink_dir_drop_buffered(f);
	sink_dir_fini(f);
	skip();
}

static void a_torn_line_of_another_user_blocks_nothing(void **state)
{
	(void)state;
	struct sink_dir f;
	open_with_small_spill(&f);
	fill_spill(&f);
	put_to_file_of_another_user(&f);
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_string_equal(sink_dir_content(&f, "out/a"), "hal\n1\n");
	assert_lost(&f, 0);
	sink_dir_fini(&f);
}

/* ... but only until a line has no room in the spill. */
static void spilled_lines_wait_for_a_torn_line_of_another_user(void **state)
{
	(void)state;
	struct sink_dir f;
	open_with_small_spill(&f);
	put_to_file_of_another_user(&f);
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_int_equal(f.sink->stats.lines_spilled, 1);
	sink_dir_wait_s(&f, 5);
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_string_equal(sink_dir_content(&f, "out/a"), "hal");
	sink_dir_put(&f, "a", "2");
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	assert_written_after_1_s(&f, "hal\n1\n2\n");
	sink_dir_fini(&f);
}

/* Fill the spill with few bytes, but many files. */
static void open_with_spill_full_of_files(struct sink_dir *f)
{
	struct err e;
	sink_dir_init(f);
	sink_dir_use_spills(f, 16 * 1024);
	assert_true(sink_dir_try_open(f, "    Path @/out\n", false, &e));
	for (int i = 0; i < 4; i++) {
		char name[16];
		snprintf(name, sizeof name, "wall%d", i);
		assert_int_equal(mkdir(sink_dir_path(f, out_path(name)), 0755),
				 0);
		sink_dir_put(f, name, "1");
	}
	assert_int_equal(sink_dir_flush(f), SINK_FLUSHED);
	assert_int_equal(f->sink->stats.lines_spilled, 4);
	assert_true(f->sink->stats.spilled_bytes < 4096);
}

static void a_spill_full_of_files_drops_no_line_of_a_busy_file(void **state)
{
	(void)state;
	struct sink_dir f;
	open_with_spill_full_of_files(&f);
	block_for_10_s(&f, "a");
	assert_lost(&f, 0);
	sink_dir_fini(&f);
}

/* A flush that hangs uses up no more time than there is. */
static void the_time_to_block_comes_back_within_minutes(void **state)
{
	(void)state;
	struct file_env env = {0};
	int64_t now_s = 1000;
	file_block_begin_flush(&env, now_s * NS_PER_S);
	env.block.is_used = true;
	now_s += 3600;
	file_block_begin_flush(&env, now_s * NS_PER_S);
	assert_false(file_block_has_time(&env));
	now_s += BUSY_REGAIN;
	file_block_begin_flush(&env, now_s * NS_PER_S);
	assert_true(file_block_has_time(&env));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_torn_line_of_another_process_drops_no_line),
		cmocka_unit_test(
			a_torn_line_that_grows_is_waited_for_no_longer),
		cmocka_unit_test(a_lock_drops_no_line),
		cmocka_unit_test(
			a_lock_that_is_never_released_blocks_no_other_file),
		cmocka_unit_test(many_busy_files_block_no_longer_than_one),
		cmocka_unit_test(the_time_of_busy_files_comes_back_slowly),
		cmocka_unit_test(a_torn_line_of_another_user_blocks_nothing),
		cmocka_unit_test(
			spilled_lines_wait_for_a_torn_line_of_another_user),
		cmocka_unit_test(
			a_spill_full_of_files_drops_no_line_of_a_busy_file),
		cmocka_unit_test(the_time_to_block_comes_back_within_minutes),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
