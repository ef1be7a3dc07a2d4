/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of a spill that was set aside are appended to their file. */
#include "spill_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
		   spill_root_fn root)
{
	struct err e = {0};
	char damaged[128];
	snprintf(damaged, sizeof damaged, "%s",
		 sink_dir_path(&s->f, "0.damaged"));
	bool ok = spill_replay(damaged, root, NULL, result, &e);
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

static size_t confine_in_out(void *data, struct span output_path)
{
	(void)data;
	const char *out = memmem(output_path.ptr, output_path.len, "/out/", 5);
	return (size_t)(out + 5 - output_path.ptr);
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
		cmocka_unit_test(a_damaged_chunk_is_skipped),
		cmocka_unit_test(a_damaged_state_costs_no_line),
		cmocka_unit_test(without_its_head_nothing_is_appended),
		cmocka_unit_test(the_end_that_was_cut_off_can_be_replayed),
		cmocka_unit_test(a_symbolic_link_does_not_lead_out_of_the_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
