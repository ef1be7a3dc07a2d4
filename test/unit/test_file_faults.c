/* SPDX-License-Identifier: Apache-2.0 */
#include "bad_disk.h"
#include "sink_dir.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* --- a full disk */

static void a_full_disk_blocks_and_loses_nothing(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	bad_disk_begin(sink_dir_path(&f, "full"), ENOSPC);
	sink_dir_put(&f, "full", "1");
	sink_dir_put(&f, "other", "1");
	sink_dir_put(&f, "full", "2");
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	assert_int_equal(f.sink->stats.lines_queued, 2);
	assert_string_equal(sink_dir_content(&f, "other"), "1\n");
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	assert_int_equal(f.sink->stats.errors_total, 2);
	assert_int_equal(f.sink->stats.retries_total, 1);

	bad_disk_end();
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "full"), "1\n2\n");
	sink_dir_put(&f, "full", "3");
	sink_dir_flush_all(&f);
	assert_int_equal(f.sink->stats.retries_total, 2);
	sink_dir_fini(&f);
}

static void dropping_buffered_lines_counts_them(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    File @/full\n");
	bad_disk_begin(f.dir, ENOSPC);
	enum drop_reason reason;
	sink_dir_put(&f, "x", "1");
	assert_true(
		sink_dir_put_span(&f, SPAN("x"), SPAN("2"), false, &reason));
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	sink_dir_drop_buffered(&f);
	const struct sink_stats *s = &f.sink->stats;
	assert_int_equal(s->lines_dropped_total[DROP_write_failed], 2);
	assert_int_equal(s->messages_dropped_total[DROP_write_failed], 1);
	sink_dir_flush_all(&f);
	bad_disk_end();
	sink_dir_fini(&f);
}

/* --- one file that rejects writes, on a disk that takes them */

static void a_full_device_delays_only_its_own_lines(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n    Follow_Symlinks on\n");
	assert_int_equal(symlink("/dev/full", sink_dir_path(&f, "full")), 0);
	sink_dir_put(&f, "full", "1");
	sink_dir_put(&f, "other", "1");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	sink_dir_put(&f, "other", "2");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_string_equal(sink_dir_content(&f, "other"), "1\n2\n");
	assert_int_equal(f.sink->stats.lines_queued, 1);
	assert_int_equal(unlink(sink_dir_path(&f, "full")), 0);
	sink_dir_wait_s(&f, 1);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "full"), "1\n");
	sink_dir_fini(&f);
}

/* For example, a directory's quota is exhausted: only files in that directory
 * reject writes. */
static void a_file_over_its_quota_does_not_block_other_files(void **state)
{
	(void)state;
	static const int errors[] = {ENOSPC, EDQUOT, EIO};
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		struct sink_dir f;
		sink_dir_open(&f, "    Path @\n");
		bad_disk_alone(sink_dir_path(&f, "full/a"), errors[i]);
		sink_dir_put(&f, "full/a", "1");
		sink_dir_put(&f, "other", "1");
		assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
		assert_string_equal(sink_dir_content(&f, "other"), "1\n");
		assert_int_equal(f.sink->stats.lines_queued, 1);
		bad_disk_end();
		sink_dir_wait_s(&f, 1);
		sink_dir_flush_all(&f);
		assert_string_equal(sink_dir_content(&f, "full/a"), "1\n");
		sink_dir_fini(&f);
	}
}

static void running_out_of_descriptors_blocks_the_sink(void **state)
{
	(void)state;
	struct sink_dir f;
	struct rlimit before, none;
	sink_dir_open(&f, "    Path @\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	sink_dir_put(&f, "a", "1");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	enum sink_flush answer = sink_dir_flush(&f);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(answer, SINK_BLOCKED);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "1\n");
	sink_dir_fini(&f);
}

/* --- a short write: the kernel cuts it at RLIMIT_FSIZE */

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Write three lines of seven bytes; the kernel cuts the write at `bytes`. */
static void tear(struct sink_dir *f, rlim_t bytes)
{
	enum drop_reason reason;
	sink_dir_open(f, "    Path @\n");
	sink_dir_put(f, "a", "line 1");
	assert_true(sink_dir_put_span(f, SPAN("a"), SPAN("line 2"), false,
				      &reason));
	sink_dir_put(f, "a", "line 3");
	limit_file_size(bytes);
	enum sink_flush answer = sink_dir_flush(f);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(answer, SINK_FLUSHED);
}

static void a_torn_line_is_completed_and_never_doubled(void **state)
{
	(void)state;
	for (rlim_t bytes = 0; bytes < 21; bytes++) {
		struct sink_dir f;
		tear(&f, bytes);
		const struct sink_stats *s = &f.sink->stats;
		assert_int_equal(strlen(sink_dir_content(&f, "a")), bytes);
		assert_int_equal(s->lines_queued, 3 - bytes / 7);
		assert_int_equal(s->messages_queued, 2 - (bytes + 7) / 14);
		assert_int_equal(sink_dir_flush(&f),
				 SINK_FLUSHED); /* too early for a retry */
		assert_int_equal(strlen(sink_dir_content(&f, "a")), bytes);
		sink_dir_put(&f, "a", "line 4");
		if (bytes % 2)
			f.sink->ops->reopen(f.sink);
		sink_dir_wait_s(&f, 1);
		sink_dir_flush_all(&f);
		assert_string_equal(sink_dir_content(&f, "a"),
				    "line 1\nline 2\nline 3\nline 4\n");
		assert_int_equal(s->bytes_written_total, 28);
		assert_int_equal(s->messages_written_total, 3);
		sink_dir_fini(&f);
	}
}

static void a_torn_line_is_completed_in_the_file_that_was_renamed(void **state)
{
	(void)state;
	struct sink_dir f;
	tear(&f, 10);
	sink_dir_move(&f, "a", "a.1");
	sink_dir_wait_s(&f, 1);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a.1"), "line 1\nline 2\n");
	assert_string_equal(sink_dir_content(&f, "a"), "line 3\n");
	sink_dir_fini(&f);

	tear(&f, 17); /* no line is left for a new file */
	sink_dir_move(&f, "a", "a.1");
	f.sink->ops->reopen(f.sink);
	sink_dir_wait_s(&f, 1);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a.1"),
			    "line 1\nline 2\nline 3\n");
	assert_false(sink_dir_exists(&f, "a"));
	sink_dir_fini(&f);
}

static void a_torn_line_is_written_whole_if_its_file_is_gone(void **state)
{
	(void)state;
	struct sink_dir f;
	tear(&f, 10);
	assert_int_equal(unlink(sink_dir_path(&f, "a")), 0);
	sink_dir_wait_s(&f, 1);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "line 2\nline 3\n");
	assert_int_equal(f.sink->stats.lines_written_total, 3);
	sink_dir_fini(&f);
}

static void the_written_lines_of_a_torn_batch_count_as_written(void **state)
{
	(void)state;
	struct sink_dir f;
	tear(&f, 16);
	sink_dir_drop_buffered(&f);
	assert_int_equal(f.sink->stats.lines_written_total, 2);
	assert_int_equal(f.sink->stats.messages_written_total, 1);
	sink_dir_put(&f, "b", "m");
	sink_dir_flush_all(&f);
	sink_dir_fini(&f);
}

/* --- one file that cannot be opened */

/* Assert that lines for "bad" wait and that lines for "good" do not. */
static void assert_lines_wait(struct sink_dir *f)
{
	sink_dir_put_at(f, "d/bad", "1");
	sink_dir_put_at(f, "good", "1");
	assert_int_equal(sink_dir_flush(f), SINK_FLUSHED);
	sink_dir_put_at(f, "d/bad", "2");
	sink_dir_put_at(f, "good", "2");
	assert_int_equal(sink_dir_flush(f), SINK_FLUSHED);
	assert_string_equal(sink_dir_content(f, "good"), "1\n2\n");
	assert_int_equal(f->sink->stats.lines_queued, 2);
	assert_int_equal(f->sink->stats.messages_queued, 2);
	assert_int_equal(f->sink->stats.errors_total, 1);
}

static void assert_written_again(struct sink_dir *f)
{
	sink_dir_wait_s(f, 1);
	sink_dir_put_at(f, "d/bad", "3");
	sink_dir_flush_all(f);
	assert_string_equal(sink_dir_content(f, "d/bad"), "1\n2\n3\n");
	assert_int_equal(f->sink->stats.lines_written_total, 5);
}

static void lines_wait_if_the_path_is_a_directory(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "");
	assert_int_equal(mkdir(sink_dir_path(&f, "d"), 0755), 0);
	assert_int_equal(mkdir(sink_dir_path(&f, "d/bad"), 0755), 0);
	assert_lines_wait(&f);
	assert_int_equal(rmdir(sink_dir_path(&f, "d/bad")), 0);
	assert_written_again(&f);
	sink_dir_fini(&f);
}

static void lines_wait_if_a_directory_of_the_path_is_a_file(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "");
	sink_dir_write(&f, "d", "");
	assert_lines_wait(&f);
	assert_int_equal(unlink(sink_dir_path(&f, "d")), 0);
	assert_written_again(&f);
	sink_dir_fini(&f);
}

static void without_mkdir_lines_wait_for_a_missing_directory(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Mkdir off\n");
	assert_lines_wait(&f);
	assert_false(sink_dir_exists(&f, "d"));
	assert_int_equal(mkdir(sink_dir_path(&f, "d"), 0755), 0);
	assert_written_again(&f);
	sink_dir_fini(&f);
}

static void lines_wait_if_symlinks_form_a_loop(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "");
	assert_int_equal(symlink("d", sink_dir_path(&f, "d")), 0);
	assert_lines_wait(&f);
	assert_int_equal(unlink(sink_dir_path(&f, "d")), 0);
	assert_written_again(&f);
	sink_dir_fini(&f);
}

static void lines_wait_if_a_fifo_has_no_reader(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "");
	assert_int_equal(mkdir(sink_dir_path(&f, "d"), 0755), 0);
	assert_int_equal(mkfifo(sink_dir_path(&f, "d/bad"), 0644), 0);
	assert_lines_wait(&f);
	assert_int_equal(unlink(sink_dir_path(&f, "d/bad")), 0);
	assert_written_again(&f);
	sink_dir_fini(&f);
}

static void lines_wait_if_the_directory_denies_access(void **state)
{
	(void)state;
	uid_t user = geteuid();
	struct sink_dir f;
	sink_dir_open(&f, "");
	assert_int_equal(mkdir(sink_dir_path(&f, "d"), 0755), 0);
	assert_int_equal(chmod(sink_dir_path(&f, "d"), 0555), 0);
	assert_int_equal(chmod(f.dir, 0777), 0);
	if (user == 0 && seteuid(OTHER_USER) != 0) {
		sink_dir_fini(&f);
		skip();
	}
	assert_lines_wait(&f);
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(chmod(sink_dir_path(&f, "d"), 0777), 0);
	assert_written_again(&f);
	sink_dir_fini(&f);
}

static void opening_is_retried_with_exponential_back_off(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	assert_int_equal(mkdir(sink_dir_path(&f, "a"), 0755), 0);
	sink_dir_put(&f, "a", "1");
	/* The sink tries at 0, 0.1, 0.3, 0.7, 1.5, 3.1 and 6.3 s, then every 5
	 * s. */
	static const uint64_t errors_at_s[] = {1, 4, 5, 5, 6, 6, 6, 7};
	for (int ds = 0; ds < 80; ds++) {
		assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
		if (ds % 10 == 0)
			assert_int_equal(f.sink->stats.errors_total,
					 errors_at_s[ds / 10]);
		f.now_ns += NS_PER_S / 10;
	}
	assert_int_equal(f.sink->stats.retries_total, 6);
	f.sink->ops->reopen(f.sink); /* reopen retries at once */
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_int_equal(f.sink->stats.retries_total, 7);
	sink_dir_fini(&f);
}

static void lines_that_wait_are_bounded(void **state)
{
	(void)state;
	enum { BOUND = 8 * 1024 * 1024, LINE = 65536 };
	struct sink_dir f;
	struct span message =
		span_make(memset(malloc(LINE), 'x', LINE), LINE - 1);
	sink_dir_open(&f, "    Path @\n");
	assert_int_equal(mkdir(sink_dir_path(&f, "a"), 0755), 0);
	assert_int_equal(mkdir(sink_dir_path(&f, "b"), 0755), 0);
	enum drop_reason reason = DROP_unrouted;
	const struct sink_stats *s = &f.sink->stats;
	/* A single batch may exceed the bound. */
	for (int i = 0; i < BOUND / LINE + 5; i++)
		assert_true(sink_dir_put_span(&f, SPAN("a"), message, true,
					      &reason));
	sink_dir_flush(&f);
	/* The file itself takes memory, too. */
	assert_int_equal(s->lines_queued, BOUND / LINE - 1);
	assert_int_equal(s->lines_dropped_total[DROP_write_failed], 6);
	struct span last = span_make(message.ptr, LINE - 2048);
	assert_true(sink_dir_put_span(&f, SPAN("a"), last, true, &reason));
	assert_true(sink_dir_put_span(&f, SPAN("a"), message, true, &reason));
	assert_false(sink_dir_put_span(&f, SPAN("a"), message, true, &reason));
	assert_int_equal(reason, DROP_write_failed);
	sink_dir_flush(&f);
	assert_int_equal(s->lines_queued, BOUND / LINE);
	assert_int_equal(s->lines_dropped_total[DROP_write_failed], 8);
	/* The bound applies to all failing files together, */
	sink_dir_put(&f, "b", "m");
	sink_dir_flush(&f);
	assert_int_equal(s->lines_dropped_total[DROP_write_failed], 9);
	assert_false(
		sink_dir_put_span(&f, SPAN("b"), SPAN("m"), true, &reason));
	/* but not to a file that works. */
	assert_true(sink_dir_put_span(&f, SPAN("c"), SPAN("m"), true, &reason));
	sink_dir_flush(&f);
	assert_string_equal(sink_dir_content(&f, "c"), "m\n");

	assert_int_equal(rmdir(sink_dir_path(&f, "a")), 0);
	assert_int_equal(rmdir(sink_dir_path(&f, "b")), 0);
	sink_dir_wait_s(&f, 10);
	sink_dir_flush_all(&f);
	sink_dir_put(&f, "b", "again");
	sink_dir_flush_all(&f);
	struct stat st;
	assert_int_equal(stat(sink_dir_path(&f, "a"), &st), 0);
	assert_int_equal(st.st_size, BOUND - LINE + last.len + 1);
	assert_string_equal(sink_dir_content(&f, "b"), "again\n");
	free((char *)message.ptr);
	sink_dir_fini(&f);
}

/* How many lines of the log say that a file is a directory. */
static int count_named(const char *log)
{
	const char *part;
	int named = 0;
	for (; (part = strstr(log, " err=\"Is a directory\"")) != NULL; named++)
		log = part + 1;
	return named;
}

static void the_first_failure_of_each_of_20_files_is_logged(void **state)
{
	enum { FILES = 40, NAMED = 20 };
	char log_path[] = "/tmp/test_file_faults.XXXXXX";
	struct sink_dir f;
	struct buf log = {0};
	struct err e;
	char name[32];
	size_t fds = count_fds();
	close(mkstemp(log_path));
	assert_true(log_open(log_path, LOG_ERROR, &e));
	sink_dir_open(&f, "    Path @\n");
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "file%d.", i);
		assert_int_equal(mkdir(sink_dir_path(&f, name), 0755), 0);
		sink_dir_put(&f, name, "m");
	}
	sink_dir_flush(&f);
	assert_int_equal(f.sink->stats.lines_queued, FILES);
	sink_dir_fini(&f);
	wait_for_log();
	assert_true(file_read(log_path, &log));
	buf_text(&log);
	/* One more, as for any other failure, in ten seconds. */
	assert_int_equal(count_named(log.ptr), NAMED + 1);
	assert_null(strstr(log.ptr, "repeated="));
	buf_fini(&log);
	turn_log_off(state);
	while (count_fds() != fds) /* the thread closes the file */
		poll(NULL, 0, 1);
	unlink(log_path);
}

/* SIGXFSZ, which the kernel sends for a file over its limit, must not end the
 * test. */
static int set_up(void **state)
{
	signal(SIGXFSZ, SIG_IGN);
	return turn_log_off(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_blocks_and_loses_nothing),
		cmocka_unit_test(dropping_buffered_lines_counts_them),
		cmocka_unit_test(a_full_device_delays_only_its_own_lines),
		cmocka_unit_test(
			a_file_over_its_quota_does_not_block_other_files),
		cmocka_unit_test(running_out_of_descriptors_blocks_the_sink),
		cmocka_unit_test(a_torn_line_is_completed_and_never_doubled),
		cmocka_unit_test(
			a_torn_line_is_completed_in_the_file_that_was_renamed),
		cmocka_unit_test(
			a_torn_line_is_written_whole_if_its_file_is_gone),
		cmocka_unit_test(
			the_written_lines_of_a_torn_batch_count_as_written),
		cmocka_unit_test(lines_wait_if_the_path_is_a_directory),
		cmocka_unit_test(
			lines_wait_if_a_directory_of_the_path_is_a_file),
		cmocka_unit_test(
			without_mkdir_lines_wait_for_a_missing_directory),
		cmocka_unit_test(lines_wait_if_symlinks_form_a_loop),
		cmocka_unit_test(lines_wait_if_a_fifo_has_no_reader),
		cmocka_unit_test(lines_wait_if_the_directory_denies_access),
		cmocka_unit_test(opening_is_retried_with_exponential_back_off),
		cmocka_unit_test(lines_that_wait_are_bounded),
		cmocka_unit_test(
			the_first_failure_of_each_of_20_files_is_logged),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
