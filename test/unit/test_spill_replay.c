/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of a spill that was set aside are appended to their file. */
#include "spill_dir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "file/spill_file.h"
#include "file/spill_replay.h"

enum { CHUNK_BYTES = sizeof(struct spill_chunk) };

/* A spill with two chunks, "line 1\n" and "line 2\nline 3\n", called
 * 0.damaged. */
static void set_aside(struct spill_dir *s)
{
	char name[64];
	spill_dir_spill_three(s);
	sink_dir_close(&s->f);
	sink_dir_move(&s->f, spill_dir_only(s, ".spill", name), "0.damaged");
}

static void change_byte(struct spill_dir *s, uint64_t at)
{
	int fd = open(sink_dir_path(&s->f, "0.damaged"), O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, (off_t)at), 1);
	close(fd);
}

static bool replay(struct spill_dir *s, struct spill_replayed *result,
		   spill_roots_fn roots)
{
	struct err e = {0};
	char damaged[128];
	snprintf(damaged, sizeof damaged, "%s",
		 sink_dir_path(&s->f, "0.damaged"));
	bool ok = spill_replay(damaged, roots, NULL, result, &e);
	free(result->output_path);
	return ok;
}

static void all_lines_of_a_good_spill_are_appended(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	set_aside(&s);
	sink_dir_write(&s.f, "out/a", "before\n");
	assert_true(replay(&s, &result, NULL));
	assert_string_equal(sink_dir_content(&s.f, "out/a"),
			    "before\nline 1\nline 2\nline 3\n");
	assert_int_equal(result.lines, 3);
	assert_int_equal(result.damaged_bytes, 0);
	spill_dir_fini(&s);
}

/* Let no file grow beyond this size.  A write is cut there. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* out/a begins with a line that is longer than the spill, so that a limit of
 * its size does not concern the spill. */
enum { BEFORE_BYTES = 100000 };

static void set_aside_beside_a_long_file(struct spill_dir *s)
{
	char *before = mem_new(BEFORE_BYTES, 1);
	set_aside(s);
	memset(before, 'x', BEFORE_BYTES - 2);
	before[BEFORE_BYTES - 2] = '\n';
	sink_dir_write(&s->f, "out/a", before);
	free(before);
}

/* Writes are cut after these bytes of the lines. */
static void limit_lines(const char *written)
{
	limit_files(BEFORE_BYTES - 1 + strlen(written));
}

static void fail_in_line_2(struct spill_dir *s)
{
	struct spill_replayed result;
	set_aside_beside_a_long_file(s);
	signal(SIGXFSZ, SIG_IGN);
	limit_lines("line 1\nlin");
	assert_false(replay(s, &result, NULL));
	limit_files(RLIM_INFINITY);
	assert_int_equal(result.lines, 1);
	assert_false(result.is_unsaved);
}

/* The kernel cuts the first write, and kills the process at the second one. */
static void be_killed_after(struct spill_dir *s, const char *written)
{
	struct spill_replayed result;
	int status;
	set_aside_beside_a_long_file(s);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGXFSZ, SIG_DFL);
		limit_lines(written);
		_exit(replay(s, &result, NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

static void assert_end(struct spill_dir *s, const char *end)
{
	const char *content = sink_dir_content(&s->f, "out/a");
	assert_string_equal(strchr(content, '\n') + 1, end);
}

static void a_replay_that_failed_in_a_line_can_be_repeated(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	fail_in_line_2(&s);
	assert_end(&s, "line 1\nlin");
	assert_true(replay(&s, &result, NULL));
	assert_end(&s, "line 1\nline 2\nline 3\n");
	assert_int_equal(result.lines, 2);
	assert_true(replay(&s, &result, NULL));
	assert_int_equal(result.lines, 0);
	assert_end(&s, "line 1\nline 2\nline 3\n");
	spill_dir_fini(&s);
}

/* Another process has ended the torn line, so it comes again as a whole. */
static void a_torn_line_that_was_ended_comes_again(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	fail_in_line_2(&s);
	int fd = open(sink_dir_path(&s.f, "out/a"), O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "\n", 1), 1);
	close(fd);
	assert_true(replay(&s, &result, NULL));
	assert_end(&s, "line 1\nlin\nline 2\nline 3\n");
	assert_int_equal(result.lines, 2);
	spill_dir_fini(&s);
}

static void a_killed_replay_continues_in_its_line(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	be_killed_after(&s, "line 1\nline 2\nli");
	assert_end(&s, "line 1\nline 2\nli");
	assert_true(replay(&s, &result, NULL));
	assert_end(&s, "line 1\nline 2\nline 3\n");
	assert_int_equal(result.found_lines, 1);
	assert_int_equal(result.lines, 1);
	spill_dir_fini(&s);
}

/* The process is killed between its write and saving the position. */
static void a_replay_that_is_killed_after_its_write_appends_nothing_twice(
	void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	be_killed_after(&s, "line 1\nl");
	spill_dir_copy(&s, "0.damaged", "1.damaged");
	assert_true(replay(&s, &result, NULL));
	sink_dir_move(&s.f, "1.damaged", "0.damaged");
	assert_true(replay(&s, &result, NULL));
	assert_end(&s, "line 1\nline 2\nline 3\n");
	assert_int_equal(result.found_lines, 2);
	assert_int_equal(result.lines, 0);
	spill_dir_fini(&s);
}

static void other_lines_after_those_of_a_killed_replay_change_nothing(
	void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	be_killed_after(&s, "line 1\nline 2\nli");
	int fd = open(sink_dir_path(&s.f, "out/a"), O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "\nother\n", 7), 7);
	close(fd);
	assert_true(replay(&s, &result, NULL));
	assert_end(&s, "line 1\nline 2\nli\nother\nline 3\n");
	assert_int_equal(result.found_lines, 1);
	spill_dir_fini(&s);
}

static void lines_of_a_killed_replay_in_a_renamed_file_do_not_come_again(
	void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	be_killed_after(&s, "line 1\nline 2\nli");
	sink_dir_move(&s.f, "out/a", "out/a.1");
	assert_true(replay(&s, &result, NULL));
	assert_string_equal(sink_dir_content(&s.f, "out/a"), "line 3\n");
	spill_dir_fini(&s);
}

static void a_file_that_was_removed_gets_the_lines_again(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	be_killed_after(&s, "line 1\nline 2\nli");
	unlink(sink_dir_path(&s.f, "out/a"));
	assert_true(replay(&s, &result, NULL));
	assert_string_equal(sink_dir_content(&s.f, "out/a"),
			    "line 2\nline 3\n");
	spill_dir_fini(&s);
}

/* Announce the piece in the spill, as a sluiced that drains it. */
static void announce(struct spill_dir *s, const struct stat *out,
		     uint64_t piece_bytes)
{
	char bytes[SPILL_HEAD_BYTES_MAX];
	struct spill_head head;
	struct spill spill = {0};
	int fd = open(sink_dir_path(&s->f, "0.damaged"), O_RDWR);
	ssize_t n = pread(fd, bytes, sizeof bytes, 0);
	assert_true(n > 0);
	assert_true(spill_read_head(span_make(bytes, (size_t)n), &head));
	spill.head_check = spill_check(span_make(bytes, head.bytes));
	spill.start_bytes = head.bytes + sizeof spill.state;
	spill.state = (struct spill_state){
		.magic = SPILL_STATE_MAGIC,
		.position_bytes = spill.start_bytes,
		.device = out->st_dev,
		.inode = out->st_ino,
		.end_bytes = (uint64_t)out->st_size,
		.piece_bytes = piece_bytes,
	};
	assert_int_equal(spill_save_state(&spill, fd), 0);
	close(fd);
}

/* sluiced was killed while it wrote a piece from two chunks. */
static void lines_that_sluiced_appended_before_do_not_come_again(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	struct stat out;
	set_aside(&s);
	sink_dir_write(&s.f, "out/a", "before\n");
	assert_int_equal(stat(sink_dir_path(&s.f, "out/a"), &out), 0);
	announce(&s, &out, strlen(THREE_LINES));
	int fd = open(sink_dir_path(&s.f, "out/a"), O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "line 1\nline 2\nl", 15), 15);
	close(fd);
	assert_true(replay(&s, &result, NULL));
	assert_string_equal(sink_dir_content(&s.f, "out/a"),
			    "before\n" THREE_LINES);
	assert_int_equal(result.found_lines, 2);
	spill_dir_fini(&s);
}

static void two_replays_of_one_spill_exclude_each_other(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	set_aside(&s);
	int fd = open(sink_dir_path(&s.f, "0.damaged"), O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_false(replay(&s, &result, NULL));
	assert_false(sink_dir_exists(&s.f, "out/a"));
	close(fd);
	assert_true(replay(&s, &result, NULL));
	assert_int_equal(result.lines, 3);
	spill_dir_fini(&s);
}

static void a_damaged_chunk_is_skipped(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	set_aside(&s);
	uint64_t first_end =
		spill_dir_size_of(&s, "0.damaged") - CHUNK_BYTES - 14;
	change_byte(&s, first_end - 2);
	assert_true(replay(&s, &result, NULL));
	assert_string_equal(sink_dir_content(&s.f, "out/a"),
			    "line 2\nline 3\n");
	assert_int_equal(result.lines, 2);
	assert_int_equal(result.damaged_bytes, CHUNK_BYTES + 7);
	spill_dir_fini(&s);
}

static void a_damaged_state_costs_no_line(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	set_aside(&s);
	uint64_t first =
		spill_dir_size_of(&s, "0.damaged") - 2 * CHUNK_BYTES - 21;
	change_byte(&s, first - 1);
	assert_true(replay(&s, &result, NULL));
	assert_string_equal(sink_dir_content(&s.f, "out/a"),
			    "line 1\nline 2\nline 3\n");
	spill_dir_fini(&s);
}

static void without_its_head_nothing_is_appended(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	set_aside(&s);
	change_byte(&s, 3);
	assert_false(replay(&s, &result, NULL));
	assert_false(sink_dir_exists(&s.f, "out/a"));
	spill_dir_fini(&s);
}

/* The first chunk is damaged: sluiced drops it and all that follows. */
static void the_end_that_was_cut_off_can_be_replayed(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	char name[64], damaged[64];
	spill_dir_spill_three(&s);
	spill_dir_only(&s, ".spill", name);
	/* A damaged chunk, and a good one after it. */
	uint64_t first_end = spill_dir_size_of(&s, name) - CHUNK_BYTES - 14;
	int fd = open(sink_dir_path(&s.f, name), O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, (off_t)first_end - 2), 1);
	close(fd);
	spill_dir_restart(&s);
	spill_dir_flush(&s);
	assert_false(sink_dir_exists(&s.f, "out/a"));
	sink_dir_move(&s.f, spill_dir_only(&s, ".damaged", damaged),
		      "0.damaged");
	assert_true(replay(&s, &result, NULL));
	assert_string_equal(sink_dir_content(&s.f, "out/a"),
			    "line 2\nline 3\n");
	spill_dir_fini(&s);
}

static struct spill_roots confine_in_out(void *data, struct span output_path)
{
	(void)data;
	const char *out = memmem(output_path.ptr, output_path.len, "/out/", 5);
	return (struct spill_roots){
		.root_bytes = (size_t)(out + 5 - output_path.ptr)};
}

static void a_symbolic_link_does_not_lead_out_of_the_root(void **state)
{
	(void)state;
	struct spill_dir s;
	struct spill_replayed result;
	set_aside(&s);
	assert_int_equal(
		symlink("/tmp/elsewhere", sink_dir_path(&s.f, "out/a")), 0);
	assert_false(replay(&s, &result, confine_in_out));
	assert_int_equal(result.lines, 0);
	spill_dir_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_lines_of_a_good_spill_are_appended),
		cmocka_unit_test(
			a_replay_that_failed_in_a_line_can_be_repeated),
		cmocka_unit_test(a_torn_line_that_was_ended_comes_again),
		cmocka_unit_test(a_killed_replay_continues_in_its_line),
		cmocka_unit_test(
			a_replay_that_is_killed_after_its_write_appends_nothing_twice),
		cmocka_unit_test(
			other_lines_after_those_of_a_killed_replay_change_nothing),
		cmocka_unit_test(
			lines_of_a_killed_replay_in_a_renamed_file_do_not_come_again),
		cmocka_unit_test(a_file_that_was_removed_gets_the_lines_again),
		cmocka_unit_test(
			lines_that_sluiced_appended_before_do_not_come_again),
		cmocka_unit_test(two_replays_of_one_spill_exclude_each_other),
		cmocka_unit_test(a_damaged_chunk_is_skipped),
		cmocka_unit_test(a_damaged_state_costs_no_line),
		cmocka_unit_test(without_its_head_nothing_is_appended),
		cmocka_unit_test(the_end_that_was_cut_off_can_be_replayed),
		cmocka_unit_test(a_symbolic_link_does_not_lead_out_of_the_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
