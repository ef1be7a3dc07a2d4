/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of paths that cannot be written: out/f is a file, so no file below
 * out/f can be created.  The files that wait take a limited amount of memory
 * and do not delay the others. */
#include "bad_disk.h"
#include "sink_dir.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file/held_files.h"

enum { RETRIES = 256, MUCH = 64 * 1024 * 1024 };

static void open_blocked(struct sink_dir *f, size_t spill_bytes,
			 bool has_others)
{
	struct err e;
	sink_dir_init(f);
	if (spill_bytes > 0)
		sink_dir_use_spills(f, spill_bytes);
	f->env.has_others = has_others;
	assert_true(sink_dir_try_open(f, "    Path @/out\n", false, &e));
	sink_dir_write(f, "out/f", "");
}

static bool put_below(struct sink_dir *f, const char *dirs, size_t i,
		      const char *message)
{
	char tag[PATH_MAX];
	enum drop_reason reason;
	snprintf(tag, sizeof tag, "f/%s%zu", dirs, i);
	if (sink_dir_put_span(f, span_of(tag), span_of(message), true, &reason))
		return true;
	assert_int_equal(reason, DROP_write_failed);
	return false;
}

static void flush(struct sink_dir *f)
{
	assert_int_equal(sink_dir_flush(f), SINK_FLUSHED);
}

/* Let `count` more files wait. */
static void hold(struct sink_dir *f, size_t count)
{
	static const size_t batch = 500;
	size_t first = f->sink->stats.lines_queued;
	for (size_t i = 0; i < count; i++) {
		assert_true(put_below(f, "", first + i, "m"));
		if (i % batch == batch - 1)
			flush(f);
	}
	flush(f);
	assert_int_equal(f->sink->stats.lines_queued, first + count);
}

static uint64_t dropped(const struct sink_dir *f)
{
	return f->sink->stats.lines_dropped_total[DROP_write_failed];
}

static void make_room(struct sink_dir *f)
{
	assert_int_equal(unlink(sink_dir_path(f, "out/f")), 0);
	sink_dir_wait_s(f, 10);
}

/* --- the bound */

static void check_count(size_t spill_bytes)
{
	struct sink_dir f;
	open_blocked(&f, spill_bytes, false);
	hold(&f, HELD_FILES_MAX);
	assert_int_equal(dropped(&f), 0);
	/* One more is dropped, and refused until it is due. */
	assert_true(put_below(&f, "", HELD_FILES_MAX, "m"));
	flush(&f);
	assert_int_equal(dropped(&f), 1);
	assert_false(put_below(&f, "", HELD_FILES_MAX, "m"));
	assert_int_equal(dropped(&f), 2);
	/* Those that wait accept lines, and so do those that work. */
	assert_true(put_below(&f, "", 0, "2"));
	sink_dir_put(&f, "good", "m");
	flush(&f);
	assert_int_equal(dropped(&f), 2);
	assert_string_equal(sink_dir_content(&f, "out/good"), "m\n");
	make_room(&f);
	while (f.sink->stats.lines_queued > 0) {
		flush(&f);
		sink_dir_wait_s(&f, 1);
	}
	assert_string_equal(sink_dir_content(&f, "out/f/0"), "m\n2\n");
	assert_true(put_below(&f, "", HELD_FILES_MAX, "m"));
	sink_dir_flush_all(&f);
	assert_int_equal(dropped(&f), 2);
	sink_dir_fini(&f);
}

static void the_number_of_files_in_memory_is_bounded(void **state)
{
	(void)state;
	check_count(0);
}

static void the_number_of_spilled_files_is_bounded(void **state)
{
	(void)state;
	check_count(MUCH);
}

static void long_paths_count_as_memory(void **state)
{
	(void)state;
	struct sink_dir f;
	char dirs[PATH_MAX] = "";
	for (int i = 0; i < 14; i++) {
		memset(dirs + strlen(dirs), 'd', 250);
		strcat(dirs, "/");
	}
	open_blocked(&f, 0, false);
	size_t path_bytes = strlen(sink_dir_path(&f, "out/f/")) + strlen(dirs);
	/* A line of two bytes, and one that says what it stands for. */
	size_t max = HELD_BYTES_MAX / (HELD_FILE_BYTES + path_bytes + 2 + 1);
	for (size_t i = 0; i < 2 * max; i++) {
		assert_true(put_below(&f, dirs, i, "m"));
		flush(&f);
	}
	/* The paths end with one to four digits. */
	assert_in_range(f.sink->stats.lines_queued, max - 2, max);
	assert_true(f.sink->stats.lines_queued + dropped(&f) == 2 * max);
	sink_dir_fini(&f);
}

/* After its lines were dropped, a file is tried again although others still
 * wait. */
static void a_file_that_works_again_is_written_at_the_bound(void **state)
{
	(void)state;
	struct sink_dir f;
	open_blocked(&f, 0, false);
	hold(&f, HELD_FILES_MAX);
	sink_dir_write(&f, "out/g", "");
	sink_dir_put(&f, "g/a", "1");
	flush(&f);
	assert_int_equal(dropped(&f), 1);
	assert_int_equal(unlink(sink_dir_path(&f, "out/g")), 0);
	sink_dir_wait_s(&f, 1);
	flush(&f);
	sink_dir_put(&f, "g/a", "2");
	flush(&f);
	assert_int_equal(dropped(&f), 1);
	assert_string_equal(sink_dir_content(&f, "out/g/a"), "2\n");
	sink_dir_fini(&f);
}

/* --- lines that may not be dropped */

static void at_the_bound_a_busy_file_and_a_full_disk_block(void **state)
{
	(void)state;
	struct sink_dir f;
	open_blocked(&f, MUCH, true);
	sink_dir_write(&f, "out/busy", "hal");
	hold(&f, HELD_FILES_MAX);
	sink_dir_put(&f, "busy", "1");
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	sink_dir_wait_s(&f, 10);
	flush(&f);
	assert_string_equal(sink_dir_content(&f, "out/busy"), "hal\n1\n");
	bad_disk_begin(sink_dir_path(&f, "out/full"), ENOSPC);
	sink_dir_put(&f, "full", "1");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
		sink_dir_wait_s(&f, 1);
	}
	bad_disk_end();
	sink_dir_wait_s(&f, 10);
	flush(&f);
	assert_string_equal(sink_dir_content(&f, "out/full"), "1\n");
	assert_int_equal(dropped(&f), 0);
	sink_dir_fini(&f);
}

/* So it is if the spill is full because of the number of its files. */
static void many_small_spills_let_a_busy_file_block(void **state)
{
	(void)state;
	enum { SPILLS = 10 };
	struct sink_dir f;
	open_blocked(&f, SPILLS * 4096, false);
	sink_dir_write(&f, "out/busy", "hal");
	hold(&f, SPILLS);
	sink_dir_put(&f, "busy", "1");
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	sink_dir_wait_s(&f, 10);
	flush(&f);
	assert_int_equal(dropped(&f), 0);
	assert_string_equal(sink_dir_content(&f, "out/busy"), "hal\n1\n");
	sink_dir_fini(&f);
}

/* --- retries */

static void a_flush_retries_a_part_of_the_files(void **state)
{
	(void)state;
	enum { FILES = 2 * RETRIES + 50 };
	struct sink_dir f;
	open_blocked(&f, 0, false);
	hold(&f, FILES);
	const struct sink_stats *s = &f.sink->stats;
	sink_dir_wait_s(&f, 10);
	/* All are retried in turn. */
	for (uint64_t i = 1; i <= 2; i++) {
		flush(&f);
		assert_int_equal(s->retries_total, i * RETRIES);
		flush(&f); /* too early for the next part */
		assert_int_equal(s->retries_total, i * RETRIES);
		f.now_ns += 50 * NS_PER_MS;
	}
	flush(&f);
	assert_int_equal(s->retries_total, FILES);
	make_room(&f);
	/* The files of the batch are not limited. */
	for (size_t i = 0; i < 2; i++)
		put_below(&f, "", i, "2");
	sink_dir_put(&f, "good", "m");
	flush(&f);
	assert_int_equal(s->lines_written_total, RETRIES + 2 * 2 + 1);
	for (int i = 0; i < 2; i++) {
		f.now_ns += 50 * NS_PER_MS;
		flush(&f);
	}
	assert_int_equal(s->lines_queued, 0);
	sink_dir_fini(&f);
}

/* A stop reopens the files for the last attempt. */
static void after_reopen_a_flush_retries_all_files(void **state)
{
	(void)state;
	struct sink_dir f;
	open_blocked(&f, 0, false);
	hold(&f, 2 * RETRIES);
	make_room(&f);
	f.sink->ops->reopen(f.sink);
	sink_dir_flush_all(&f);
	sink_dir_fini(&f);
}

/* --- buffers */

/* Between two lines for a file that cannot be written, a long one for another
 * file grows the buffers that all files share. */
static void check_buffers(size_t spill_bytes)
{
	enum { FILES = 400, LONG = 60000, EACH_MAX = 8 * 1024 };
	struct sink_dir f;
	enum drop_reason reason;
	struct span message =
		span_make(memset(malloc(LONG), 'x', LONG), LONG - 1);
	open_blocked(&f, spill_bytes, false);
	struct mallinfo2 before = mallinfo2();
	for (size_t i = 0; i < FILES; i++) {
		assert_true(sink_dir_put_span(&f, SPAN("good"), message, true,
					      &reason));
		if (i % 2 == 0)
			flush(&f);
		assert_true(put_below(&f, "", i, "m"));
		flush(&f);
	}
	struct mallinfo2 after = mallinfo2();
	assert_true(after.uordblks + after.hblkhd <
		    before.uordblks + before.hblkhd + FILES * EACH_MAX);
	assert_int_equal(dropped(&f), 0);
	free((char *)message.ptr);
	sink_dir_fini(&f);
}

static void a_file_in_memory_keeps_no_shared_buffer(void **state)
{
	(void)state;
	check_buffers(0);
}

static void a_spilled_file_keeps_no_shared_buffer(void **state)
{
	(void)state;
	check_buffers(MUCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_number_of_files_in_memory_is_bounded),
		cmocka_unit_test(the_number_of_spilled_files_is_bounded),
		cmocka_unit_test(long_paths_count_as_memory),
		cmocka_unit_test(
			a_file_that_works_again_is_written_at_the_bound),
		cmocka_unit_test(
			at_the_bound_a_busy_file_and_a_full_disk_block),
		cmocka_unit_test(many_small_spills_let_a_busy_file_block),
		cmocka_unit_test(a_flush_retries_a_part_of_the_files),
		cmocka_unit_test(after_reopen_a_flush_retries_all_files),
		cmocka_unit_test(a_file_in_memory_keeps_no_shared_buffer),
		cmocka_unit_test(a_spilled_file_keeps_no_shared_buffer),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
