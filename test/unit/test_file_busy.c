/* SPDX-License-Identifier: Apache-2.0 */
/* Another process keeps a file busy while the spill is full.  For a limited
 * time the sink then blocks, so that the journal keeps the lines. */
#include "lock_holder.h"
#include "sink_dir.h"

#include <stdio.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_torn_line_of_another_process_drops_no_line),
		cmocka_unit_test(
			a_torn_line_that_grows_is_waited_for_no_longer),
		cmocka_unit_test(a_lock_drops_no_line),
		cmocka_unit_test(
			a_lock_that_is_never_released_blocks_no_other_file),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
