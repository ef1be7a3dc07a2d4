/* SPDX-License-Identifier: Apache-2.0 */
/* A spill keeps the column names with which its file begins. */
#include "crash_notes.h"
#include "spill_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "file/spill_replay.h"

#define NAMES "timestamp,\"message\"\n"
#define LINE_1 "0.000000001,\"1\"\n"
#define LINE_2 "0.000000001,\"2\"\n"

/* A line is spilled for out/a, which does not exist. */
static void spill_line(struct spill_dir *s)
{
	spill_dir_init(s);
	sink_dir_close(&s->f);
	s->f.format = "    Format csv\n    csv_column_names on\n";
	spill_dir_open(s);
	spill_dir_block(s, "a");
	sink_dir_put(&s->f, "a", "1");
	spill_dir_flush(s);
}

static void a_file_that_the_next_process_creates_begins_with_names(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_line(&s);
	spill_dir_restart(&s);
	spill_dir_unblock(&s, "a");
	spill_dir_assert_written(&s, NAMES LINE_1);
	spill_dir_fini(&s);
}

static void the_names_come_before_spilled_and_new_lines(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_line(&s);
	spill_dir_restart(&s);
	spill_dir_flush(&s);
	spill_dir_restart(&s);
	sink_dir_put(&s.f, "a", "2");
	spill_dir_flush(&s);
	spill_dir_restart(&s);
	spill_dir_unblock(&s, "a");
	spill_dir_assert_written(&s, NAMES LINE_1 LINE_2);
	spill_dir_fini(&s);
}

static void a_file_with_content_gets_no_names_from_its_spill(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_line(&s);
	spill_dir_restart(&s);
	spill_dir_unblock(&s, "a");
	sink_dir_write(&s.f, "out/a", "0,\"0\"\n");
	spill_dir_assert_written(&s, "0,\"0\"\n" LINE_1);
	spill_dir_fini(&s);
}

/* A batch that is not committed is cut off its spill, but the names stay. */
static void a_repeated_batch_does_not_repeat_the_names(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_line(&s);
	spill_dir_unblock(&s, "a");
	spill_dir_assert_written(&s, NAMES LINE_1);
	spill_dir_block(&s, "b");
	struct spill_batch batch = {.s = &s, .cut_bytes = RLIM_INFINITY};
	sink_dir_put(&s.f, "b", "2");
	run_and_kill(spill_batch_run, &batch);
	spill_dir_restart(&s);
	sink_dir_put(&s.f, "b", "2");
	spill_dir_flush(&s);
	spill_dir_unblock(&s, "b");
	spill_dir_flush(&s);
	spill_dir_flush(&s);
	assert_string_equal(sink_dir_content(&s.f, "out/b"), NAMES LINE_2);
	assert_int_equal(s.f.sink->stats.lines_spilled, 0);
	spill_dir_fini(&s);
}

/* A process is killed after it has written the names, and before it writes a
 * line. */
static void a_spill_with_nothing_but_names_is_removed(void **state)
{
	(void)state;
	enum { CHUNK_BYTES = 24 };
	struct spill_dir s;
	char name[64];
	spill_line(&s);
	sink_dir_close(&s.f);
	spill_dir_only(&s, ".spill", name);
	uint64_t bytes = spill_dir_size_of(&s, name);
	uint64_t line_bytes = CHUNK_BYTES + strlen(LINE_1);
	assert_int_equal(truncate(sink_dir_path(&s.f, name),
				  (off_t)(bytes - line_bytes)),
			 0);
	*s.committed = (struct sink_stats){0};
	spill_dir_restart(&s);
	spill_dir_flush(&s);
	spill_dir_assert_nothing_lost(&s);
	assert_false(spill_dir_has_spill(&s));
	spill_dir_unblock(&s, "a");
	sink_dir_put(&s.f, "a", "2");
	spill_dir_assert_written(&s, NAMES LINE_2);
	spill_dir_fini(&s);
}

/* The configuration has changed.  The names are only for the spilled lines. */
static void a_later_file_of_another_format_has_no_names(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_line(&s);
	s.f.format = NULL;
	spill_dir_restart(&s);
	spill_dir_unblock(&s, "a");
	spill_dir_assert_written(&s, NAMES LINE_1);
	sink_dir_move(&s.f, "out/a", "out/a.1");
	sink_dir_put(&s.f, "a", "2");
	spill_dir_flush(&s);
	assert_string_equal(sink_dir_content(&s.f, "out/a"), "2\n");
	spill_dir_fini(&s);
}

static void a_replay_begins_an_empty_file_with_the_names(void **state)
{
	(void)state;
	for (int is_empty = 0; is_empty < 2; is_empty++) {
		struct spill_dir s;
		struct spill_replayed result;
		struct err e;
		char name[64], path[128];
		spill_line(&s);
		sink_dir_close(&s.f);
		spill_dir_unblock(&s, "a");
		sink_dir_write(&s.f, "out/a", is_empty ? "" : "0\n");
		snprintf(path, sizeof path, "%s",
			 sink_dir_path(&s.f,
				       spill_dir_only(&s, ".spill", name)));
		assert_true(spill_replay(path, NULL, NULL, &result, &e));
		free(result.output_path);
		assert_int_equal(result.lines, 1);
		assert_string_equal(sink_dir_content(&s.f, "out/a"),
				    is_empty ? NAMES LINE_1 : "0\n" LINE_1);
		spill_dir_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_file_that_the_next_process_creates_begins_with_names),
		cmocka_unit_test(the_names_come_before_spilled_and_new_lines),
		cmocka_unit_test(
			a_file_with_content_gets_no_names_from_its_spill),
		cmocka_unit_test(a_repeated_batch_does_not_repeat_the_names),
		cmocka_unit_test(a_spill_with_nothing_but_names_is_removed),
		cmocka_unit_test(a_later_file_of_another_format_has_no_names),
		cmocka_unit_test(a_replay_begins_an_empty_file_with_the_names),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
