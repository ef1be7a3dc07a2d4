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

/* Make the file so long that the spill is below the limit. */
static void fail_in_line_2(struct spill_dir *s)
{
	enum { BEFORE_BYTES = 100000 };
	struct spill_replayed result;
	char *before = mem_new(BEFORE_BYTES, 1);
	set_aside(s);
	memset(before, 'x', BEFORE_BYTES - 2);
	before[BEFORE_BYTES - 2] = '\n';
	sink_dir_write(&s->f, "out/a", before);
	signal(SIGXFSZ, SIG_IGN);
	limit_files(BEFORE_BYTES - 1 + strlen("line 1\nlin"));
	assert_false(replay(s, &result, NULL));
	limit_files(RLIM_INFINITY);
	assert_int_equal(result.lines, 1);
	assert_false(result.is_unsaved);
	free(before);
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
		cmocka_unit_test(two_replays_of_one_spill_exclude_each_other),
		cmocka_unit_test(a_damaged_chunk_is_skipped),
		cmocka_unit_test(a_damaged_state_costs_no_line),
		cmocka_unit_test(without_its_head_nothing_is_appended),
		cmocka_unit_test(the_end_that_was_cut_off_can_be_replayed),
		cmocka_unit_test(a_symbolic_link_does_not_lead_out_of_the_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
