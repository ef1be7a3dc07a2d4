/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters that wait because their file cannot be written. */
#include "bad_disk.h"
#include "letter_unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void dead_letters_wait_in_order_until_their_file_opens(void **state)
{
	struct letter_unit *f = *state;
	assert_int_equal(mkdir(f->path, 0755), 0);
	open_at(f, f->path, NULL);
	assert_non_null(strstr(content(f, "log").ptr, "cannot be written"));
	put_all(f, (const char *const[]){"one", "two", NULL});
	assert_int_equal(flush(f), SINK_FLUSHED);
	dead_letter_committed(f->letters);
	put_all(f, (const char *const[]){"three", NULL});
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_int_equal(stats(f)->messages_queued, 3);
	assert_int_equal(rmdir(f->path), 0);
	f->now_ns += 60 * NS_PER_S;
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_content(f,
		       HEAD "\"raw\":\"one\"}\n" HEAD "\"raw\":\"two\"}\n" HEAD
			    "\"raw\":\"three\"}\n");
	assert_int_equal(stats(f)->messages_written_total, 3);
	assert_int_equal(stats(f)->messages_queued, 0);
}

static void waiting_dead_letters_are_bounded(void **state)
{
	struct letter_unit *f = *state;
	static char big[1024 * 1024];
	memset(big, 'x', sizeof big);
	memcpy(big, "s3cret", 6);
	assert_int_equal(mkdir(f->path, 0755), 0);
	open_at(f, f->path, NULL);
	assert_true(put(f, SPAN("first")));
	flush(f);
	uint64_t taken = 1;
	while (put(f, span_make(big, sizeof big)))
		taken++;
	assert_in_range(taken, 7, 8);
	assert_int_equal(stats(f)->messages_queued, taken);
	assert_int_equal(stats(f)->messages_total, taken);
	assert_int_equal(stats(f)->lines_dropped_total[DROP_write_failed], 1);
	assert_true(put(f, SPAN("there is room for a small one")));
	struct span log = content(f, "log");
	assert_non_null(strstr(log.ptr, "mod=dead_letter"));
	assert_null(strstr(log.ptr, "s3cret"));
}

/* Without a spill. */
static void a_full_disk_blocks_the_batch(void **state)
{
	struct letter_unit *f = *state;
	open_at(f, f->path, NULL);
	bad_disk_begin(f->path, ENOSPC);
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_true(put(f, SPAN("x")));
	for (int i = 0; i < 10; i++) {
		assert_int_equal(flush(f), SINK_BLOCKED);
		f->now_ns += 3600 * NS_PER_S;
	}
	bad_disk_end();
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_content(f, HEAD "\"raw\":\"x\"}\n");
}

static void dropped_dead_letters_are_counted_and_logged(void **state)
{
	struct letter_unit *f = *state;
	assert_int_equal(mkdir(f->path, 0755), 0);
	open_at(f, f->path, NULL);
	put_all(f, (const char *const[]){"one", "two", NULL});
	assert_int_equal(flush(f), SINK_FLUSHED);
	dead_letter_drop_buffered(f->letters);
	assert_int_equal(stats(f)->messages_queued, 0);
	assert_int_equal(stats(f)->messages_dropped_total[DROP_write_failed],
			 2);
	assert_non_null(
		strstr(content(f, "log").ptr,
		       "lost=2 err=\"dead letters were neither written"));
}

/* --- the spill */

static void use_spill(struct letter_unit *f)
{
	snprintf(f->spill_dir, sizeof f->spill_dir, "%s/spill", f->dir);
}

/* The process ends and another one begins. */
static void restart(struct letter_unit *f, const char *path)
{
	const struct sink_stats before = *stats(f);
	dead_letter_close(f->letters);
	open_at(f, path, NULL);
	dead_letter_restore(f->letters, &before);
	dead_letter_settle(f->letters, &(struct sink_moved){0});
	stats(f);
}

static void spilled_dead_letters_survive_the_process(void **state)
{
	struct letter_unit *f = *state;
	use_spill(f);
	assert_int_equal(mkdir(f->path, 0755), 0);
	open_at(f, f->path, NULL);
	put_all(f, (const char *const[]){"one", "two", NULL});
	assert_int_equal(flush(f), SINK_FLUSHED);
	dead_letter_committed(f->letters);
	assert_int_equal(stats(f)->lines_spilled, 2);
	dead_letter_drop_buffered(f->letters);
	restart(f, f->path);
	assert_int_equal(stats(f)->messages_queued, 2);
	put_all(f, (const char *const[]){"three", NULL});
	assert_int_equal(rmdir(f->path), 0);
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_content(f,
		       HEAD "\"raw\":\"one\"}\n" HEAD "\"raw\":\"two\"}\n" HEAD
			    "\"raw\":\"three\"}\n");
	dead_letter_committed(f->letters);
	assert_int_equal(stats(f)->messages_written_total, 3);
	assert_int_equal(stats(f)->messages_queued, 0);
	assert_int_equal(stats(f)->spilled_bytes, 0);
	assert_null(strstr(content(f, "log").ptr, "dropped="));
}

static void spilled_dead_letters_go_to_the_path_of_their_time(void **state)
{
	struct letter_unit *f = *state;
	char other[128];
	snprintf(other, sizeof other, "%s/other", f->dir);
	use_spill(f);
	assert_int_equal(mkdir(f->path, 0755), 0);
	open_at(f, f->path, NULL);
	put_all(f, (const char *const[]){"old", NULL});
	assert_int_equal(flush(f), SINK_FLUSHED);
	dead_letter_committed(f->letters);
	restart(f, other);
	put_all(f, (const char *const[]){"new", NULL});
	assert_int_equal(flush(f), SINK_FLUSHED);
	dead_letter_committed(f->letters);
	assert_int_equal(stats(f)->messages_queued, 1);
	assert_int_equal(rmdir(f->path), 0);
	f->now_ns += 10 * NS_PER_S;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(flush(f), SINK_FLUSHED);
		dead_letter_committed(f->letters);
	}
	assert_content(f, HEAD "\"raw\":\"old\"}\n");
	assert_true(span_equals(content(f, "other"),
				SPAN(HEAD "\"raw\":\"new\"}\n")));
	assert_int_equal(stats(f)->messages_queued, 0);
}

static void a_full_disk_blocks_the_batch_only_if_the_spill_is_full(void **state)
{
	struct letter_unit *f = *state;
	static char big[SPILL_BYTES_MAX];
	memset(big, 'x', sizeof big);
	use_spill(f);
	open_at(f, f->path, NULL);
	bad_disk_begin(f->path, ENOSPC);
	assert_true(put(f, SPAN("x")));
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_int_equal(stats(f)->lines_spilled, 1);
	dead_letter_committed(f->letters);
	assert_true(put(f, span_make(big, sizeof big)));
	assert_int_equal(flush(f), SINK_FLUSHED);
	dead_letter_committed(f->letters);
	assert_true(put(f, SPAN("y")));
	assert_int_equal(flush(f), SINK_BLOCKED);
	f->now_ns += 3600 * NS_PER_S;
	assert_int_equal(flush(f), SINK_BLOCKED);
	bad_disk_end();
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_int_equal(stats(f)->messages_written_total, 3);
}

static void if_only_the_file_fails_a_full_spill_refuses_dead_letters(
	void **state)
{
	struct letter_unit *f = *state;
	static char big[SPILL_BYTES_MAX];
	memset(big, 'x', sizeof big);
	use_spill(f);
	assert_int_equal(mkdir(f->path, 0755), 0);
	open_at(f, f->path, NULL);
	assert_true(put(f, span_make(big, sizeof big)));
	assert_int_equal(flush(f), SINK_FLUSHED);
	dead_letter_committed(f->letters);
	assert_false(put(f, SPAN("y")));
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_int_equal(stats(f)->lines_dropped_total[DROP_write_failed], 1);
	assert_int_equal(stats(f)->lines_spilled, 1);
}

static void counting_continues_from_the_restored_counters(void **state)
{
	struct letter_unit *f = *state;
	const struct sink_stats before = {
		.lines_total = 10,
		.lines_written_total = 7,
		.lines_queued = 2,
		.lines_dropped_total[DROP_write_failed] = 1,
		.messages_total = 9,
		.messages_written_total = 7,
		.messages_queued = 2,
		.files_open = 1,
	};
	open_at(f, f->path, NULL);
	dead_letter_restore(f->letters, &before);
	dead_letter_settle(f->letters, &(struct sink_moved){0});
	const struct sink_stats *s = stats(f);
	assert_int_equal(s->messages_total, 9);
	assert_int_equal(s->messages_written_total, 7);
	assert_int_equal(s->messages_queued, 0);
	assert_int_equal(s->messages_dropped_total[DROP_write_failed], 2);
	assert_int_equal(s->lines_dropped_total[DROP_write_failed], 3);
	assert_int_equal(s->files_open, 0);
	assert_true(put(f, SPAN("x")));
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_int_equal(stats(f)->messages_written_total, 8);
}

#define TEST(name)                                               \
	cmocka_unit_test_setup_teardown(name, letter_unit_start, \
					letter_unit_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dead_letters_wait_in_order_until_their_file_opens),
		TEST(waiting_dead_letters_are_bounded),
		TEST(a_full_disk_blocks_the_batch),
		TEST(dropped_dead_letters_are_counted_and_logged),
		TEST(spilled_dead_letters_survive_the_process),
		TEST(spilled_dead_letters_go_to_the_path_of_their_time),
		TEST(a_full_disk_blocks_the_batch_only_if_the_spill_is_full),
		TEST(if_only_the_file_fails_a_full_spill_refuses_dead_letters),
		TEST(counting_continues_from_the_restored_counters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
