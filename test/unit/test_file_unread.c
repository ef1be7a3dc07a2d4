/* SPDX-License-Identifier: Apache-2.0 */
/* A call that asks the file system and fails proves nothing: neither that a
 * line is missing in a file nor that a spill was removed. */
#include "bad_calls.h"
#include "spill_dir.h"

static uint64_t lost(const struct spill_dir *s)
{
	return s->f.sink->stats.lines_dropped_total[DROP_write_failed];
}

static void run_flush(void *data)
{
	struct spill_dir *s = data;
	sink_dir_flush_only(&s->f);
}

/* Flush as the pipeline does: a batch that is blocked is not committed. */
static void flush_while_bad(struct spill_dir *s, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		if (sink_dir_flush_only(&s->f) == SINK_FLUSHED)
			spill_dir_commit(s);
		sink_dir_wait_s(&s->f, 10);
	}
}

/* --- reads of the output file */

/* If open() for reading and writing fails with EACCES, the file is opened for
 * writing only. */
static const struct {
	enum bad_call call;
	int error;
} read_faults[] = {{BAD_PREAD, EIO}, {BAD_OPEN, EACCES}, {BAD_OPEN, EMFILE}};

/* A process is killed after its write, and the next one gets the line again. */
static void leave_a_line(struct spill_dir *s)
{
	spill_dir_init(s);
	struct spill_batch batch = {
		.s = s, .line = "line 1", .cut_bytes = RLIM_INFINITY};
	run_and_kill(spill_batch_run, &batch);
	assert_string_equal(sink_dir_content(&s->f, "out/a"), "line 1\n");
	spill_dir_restart(s);
	sink_dir_put(&s->f, "a", "line 1");
}

static void check_lines_read_back(size_t fault, unsigned fails)
{
	struct spill_dir s;
	leave_a_line(&s);
	bad_calls_begin(read_faults[fault].call, "out/a",
			read_faults[fault].error, fails);
	flush_while_bad(&s, 10);
	bad_calls_end();
	spill_dir_assert_written(&s, "line 1\n");
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

static void lines_that_cannot_be_read_back_are_not_written_again(void **state)
{
	(void)state;
	for (size_t fault = 0; fault < COUNT(read_faults); fault++)
		for (unsigned fails = 1; fails <= 9; fails++)
			check_lines_read_back(fault, fails);
}

/* A process is killed within the write of spilled lines. */
static void leave_a_torn_piece(struct spill_dir *s)
{
	spill_dir_spill_three(s);
	s->left->kill_in = 1;
	run_and_kill(run_flush, s);
	sink_dir_write(&s->f, "out/a", "line 1\nli");
	spill_dir_restart(s);
}

static void check_spilled_lines_read_back(size_t fault, unsigned fails)
{
	struct spill_dir s;
	leave_a_torn_piece(&s);
	bad_calls_begin(read_faults[fault].call, "out/a",
			read_faults[fault].error, fails);
	flush_while_bad(&s, 10);
	bad_calls_end();
	spill_dir_assert_written(&s, THREE_LINES);
	assert_int_equal(s.f.sink->stats.lines_written_total, 3);
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

static void spilled_lines_that_cannot_be_read_back_are_not_written_again(
	void **state)
{
	(void)state;
	for (size_t fault = 0; fault < COUNT(read_faults); fault++)
		for (unsigned fails = 1; fails <= 9; fails++)
			check_spilled_lines_read_back(fault, fails);
}

/* After ten attempts, writing lines twice is better than dropping them. */
static void an_output_file_that_can_never_be_read_drops_no_line(void **state)
{
	(void)state;
	struct spill_dir s;
	leave_a_torn_piece(&s);
	bad_calls_begin(BAD_PREAD, "out/a", EIO, UINT_MAX);
	flush_while_bad(&s, 100);
	bad_calls_end();
	flush_while_bad(&s, 10);
	assert_int_equal(s.f.sink->stats.lines_written_total, 3);
	assert_int_equal(s.f.sink->stats.lines_queued, 0);
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

/* The file's note cannot be found as long as its inode is unknown. */
static void a_note_is_not_missing_because_stat_fails(void **state)
{
	(void)state;
	struct spill_dir s;
	leave_a_line(&s);
	bad_calls_begin(BAD_OPEN | BAD_STAT, "out/a", EIO, 6);
	flush_while_bad(&s, 10);
	assert_int_equal(bad_calls_end(), 6);
	spill_dir_assert_written(&s, "line 1\n");
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

/* A file is left, and its torn line written again in the next one, only if the
 * path certainly names another file. */
static void a_file_that_exists_is_not_left(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_init(&s);
	sink_dir_put(&s.f, "a", "line 1");
	sink_dir_put(&s.f, "a", "line 2");
	limit_file_size(10);
	sink_dir_flush_only(&s.f);
	assert_string_equal(sink_dir_content(&s.f, "out/a"), "line 1\nlin");
	sink_dir_wait_s(&s.f, 10);
	bad_calls_begin(BAD_STAT, "out/a", ENOENT, 1);
	sink_dir_flush_only(&s.f);
	assert_int_equal(bad_calls_end(), 1);
	limit_file_size(RLIM_INFINITY);
	flush_while_bad(&s, 10);
	spill_dir_assert_written(&s, "line 1\nline 2\n");
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

/* --- spills */

static void a_spill_that_exists_is_not_taken_for_removed(void **state)
{
	(void)state;
	static const int errors[] = {ENOENT, EIO, EACCES};
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct spill_dir s;
		spill_dir_spill_three(&s);
		bad_calls_begin(BAD_OPEN, ".spill", errors[i], 1);
		flush_while_bad(&s, 1);
		assert_int_equal(bad_calls_end(), 1);
		assert_int_equal(lost(&s), 0);
		spill_dir_assert_written(&s, THREE_LINES);
		assert_int_equal(s.f.sink->stats.lines_written_total, 3);
		spill_dir_assert_nothing_lost(&s);
		spill_dir_fini(&s);
	}
}

/* Restart while the next `count` calls for this part of spill/ fail. */
static void restart_while(struct spill_dir *s, unsigned calls, const char *part,
			  int error, unsigned count)
{
	sink_dir_close(&s->f);
	crash_notes_restart(s->left);
	spill_dir_open(s);
	bad_calls_begin(calls, part, error, count);
	spill_dir_restore(s);
	assert_int_equal(bad_calls_end(), count);
	assert_sink_adds_up(s->f.sink);
}

static void spills_that_cannot_be_listed_are_not_taken_for_removed(void **state)
{
	(void)state;
	static const struct {
		enum bad_call call;
		int error;
	} cases[] = {
		{BAD_OPENDIR, ENOENT},
		{BAD_OPENDIR, EMFILE},
		{BAD_READDIR, EIO},
		{BAD_OPEN, ENOENT},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct spill_dir s;
		spill_dir_spill_three(&s);
		restart_while(&s, cases[i].call, "/spill", cases[i].error, 1);
		assert_int_equal(lost(&s), 0);
		assert_int_equal(s.f.sink->stats.lines_queued, 3);
		spill_dir_assert_written(&s, THREE_LINES);
		assert_int_equal(s.f.sink->stats.lines_written_total, 3);
		spill_dir_assert_nothing_lost(&s);
		spill_dir_fini(&s);
	}
}

static void run_line_4(void *data)
{
	struct spill_dir *s = data;
	sink_dir_put(&s->f, "a", "line 4");
	sink_dir_flush_only(&s->f);
}

/* The previous process spilled a line, was killed before the commit, and left a
 * note about the spill. */
static void leave_an_interrupted_batch(struct spill_dir *s)
{
	spill_dir_spill_three(s);
	spill_dir_block(s, "a");
	run_and_kill(run_line_4, s);
	spill_dir_unblock(s, "a");
}

static void the_first_batch_waits_for_a_spill_that_cannot_be_read(void **state)
{
	(void)state;
	static const struct {
		unsigned calls;
		int error;
		unsigned count; /* in each attempt */
	} cases[] = {
		{BAD_OPEN, EIO, 1},	  {BAD_OPEN | BAD_STAT, EIO, 2},
		{BAD_OPENDIR, EMFILE, 1}, {BAD_OPENDIR, ENOENT, 1},
		{BAD_READDIR, EIO, 1},	  {BAD_PREAD, EIO, 1},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct spill_dir s;
		leave_an_interrupted_batch(&s);
		restart_while(&s, cases[i].calls, "/spill", cases[i].error,
			      cases[i].count);
		sink_dir_put(&s.f, "a", "line 4");
		bad_calls_begin(cases[i].calls, "/spill", cases[i].error,
				cases[i].count);
		assert_int_equal(sink_dir_flush_only(&s.f), SINK_BLOCKED);
		assert_int_equal(bad_calls_end(), cases[i].count);
		spill_dir_assert_written(&s, THREE_LINES "line 4\n");
		assert_int_equal(s.f.sink->stats.lines_written_total, 4);
		spill_dir_assert_nothing_lost(&s);
		spill_dir_fini(&s);
	}
}

/* A process drains the spill, but cannot save that.  It is killed before it
 * removes the spill. */
static void run_unsaved(void *data)
{
	struct spill_dir *s = data;
	bad_calls_begin(BAD_PWRITE, ".spill", EIO, 2);
	bad_calls.skip = 1; /* it can announce the piece */
	if (sink_dir_flush_only(&s->f) == SINK_BLOCKED)
		return;
	*s->committed = s->f.sink->stats;
	crash_notes_commit(s->left);
}

static void an_unsaved_position_is_not_committed(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	run_and_kill(run_unsaved, &s);
	assert_string_equal(sink_dir_content(&s.f, "out/a"), THREE_LINES);
	spill_dir_restart(&s);
	spill_dir_assert_written(&s, THREE_LINES);
	assert_int_equal(s.f.sink->stats.lines_written_total, 3);
	assert_int_equal(s.f.sink->stats.lines_total, 3);
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

/* Flush when it is too early to load a spill. */
static enum sink_flush flush_early(struct spill_dir *s)
{
	s->f.now_ns = -1;
	enum sink_flush answer = sink_dir_flush_only(&s->f);
	s->f.now_ns = START_NS;
	return answer;
}

/* The first spill of the file cannot be loaded, and the next one must not get
 * its name. */
static void a_new_spill_replaces_no_spill_that_exists(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	spill_dir_block(&s, "a");
	restart_while(&s, BAD_OPEN, "/spill", EIO, 1);
	sink_dir_put(&s.f, "a", "line 4");
	bad_calls_begin(BAD_ACCESS, ".spill", ENOENT, 1);
	flush_early(&s);
	assert_int_equal(bad_calls_end(), 1);
	flush_while_bad(&s, 10);
	spill_dir_unblock(&s, "a");
	flush_while_bad(&s, 10);
	assert_int_equal(s.f.sink->stats.lines_written_total, 4);
	assert_int_equal(lost(&s), 0);
	spill_dir_fini(&s);
}

/* --- two spills for one file: the first one could not be loaded in time */

static void run_line_5_without_spill(void *data)
{
	struct spill_dir *s = data;
	restart_while(s, BAD_OPEN, "/spill", EIO, 1);
	sink_dir_put(&s->f, "a", "line 4");
	sink_dir_put(&s->f, "a", "line 5");
	limit_file_size(10);
	flush_early(s);
}

/* The line that a process has torn is not in the spill. */
static void a_torn_line_is_completed_before_a_spill_is_drained(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	run_and_kill(run_line_5_without_spill, &s);
	assert_string_equal(sink_dir_content(&s.f, "out/a"), "line 4\nlin");
	spill_dir_restart(&s);
	sink_dir_put(&s.f, "a", "line 4");
	sink_dir_put(&s.f, "a", "line 5");
	flush_while_bad(&s, 10);
	spill_dir_assert_written(&s, "line 4\nline 5\n" THREE_LINES);
	assert_int_equal(s.f.sink->stats.lines_written_total, 5);
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

/* The first spill has the rest of the torn line. */
static void the_spill_with_a_torn_line_is_drained_first(void **state)
{
	(void)state;
	for (int restarts = 0; restarts < 2; restarts++) {
		struct spill_dir s;
		char name[64];
		leave_a_torn_piece(&s);
		spill_dir_only(&s, ".spill", name);
		restart_while(&s, BAD_OPEN, "/spill", EIO, 1);
		sink_dir_put(&s.f, "a", "line 4");
		assert_int_equal(flush_early(&s), SINK_FLUSHED);
		spill_dir_commit(&s);
		assert_int_equal(s.f.sink->stats.lines_spilled, 4);
		if (restarts > 0)
			restart_while(&s, BAD_OPEN, name, EIO, 1);
		flush_while_bad(&s, 10);
		spill_dir_assert_written(&s, THREE_LINES "line 4\n");
		assert_int_equal(s.f.sink->stats.lines_written_total, 4);
		spill_dir_assert_nothing_lost(&s);
		spill_dir_fini(&s);
	}
}

/* Otherwise its lines would count as drained once more when it is found. */
static void a_drained_spill_is_removed_later(void **state)
{
	(void)state;
	static const int errors[] = {ENOENT, EIO};
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct spill_dir s;
		spill_dir_spill_three(&s);
		bad_calls_begin(BAD_UNLINK, ".spill", errors[i], 1);
		spill_dir_flush(&s);
		assert_int_equal(bad_calls_end(), 1);
		spill_dir_assert_written(&s, THREE_LINES);
		spill_dir_assert_nothing_lost(&s);
		spill_dir_fini(&s);
	}
}

/* A power cut has damaged a spill, and an earlier one was set aside. */
static void a_damaged_spill_replaces_no_other(void **state)
{
	(void)state;
	struct spill_dir s;
	char damaged[64];
	spill_dir_spill_three(&s);
	snprintf(damaged, sizeof damaged, "%.*s.damaged",
		 (int)(strlen(s.name) - strlen(".spill")), s.name);
	sink_dir_write(&s.f, damaged, "an earlier one");
	assert_int_equal(truncate(sink_dir_path(&s.f, s.name), 10), 0);
	restart_while(&s, BAD_ACCESS, "/spill", ENOENT, 1);
	assert_string_equal(sink_dir_content(&s.f, damaged), "an earlier one");
	spill_dir_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			lines_that_cannot_be_read_back_are_not_written_again),
		cmocka_unit_test(
			spilled_lines_that_cannot_be_read_back_are_not_written_again),
		cmocka_unit_test(
			an_output_file_that_can_never_be_read_drops_no_line),
		cmocka_unit_test(a_note_is_not_missing_because_stat_fails),
		cmocka_unit_test(a_file_that_exists_is_not_left),
		cmocka_unit_test(a_spill_that_exists_is_not_taken_for_removed),
		cmocka_unit_test(
			spills_that_cannot_be_listed_are_not_taken_for_removed),
		cmocka_unit_test(
			the_first_batch_waits_for_a_spill_that_cannot_be_read),
		cmocka_unit_test(an_unsaved_position_is_not_committed),
		cmocka_unit_test(a_new_spill_replaces_no_spill_that_exists),
		cmocka_unit_test(
			a_torn_line_is_completed_before_a_spill_is_drained),
		cmocka_unit_test(the_spill_with_a_torn_line_is_drained_first),
		cmocka_unit_test(a_drained_spill_is_removed_later),
		cmocka_unit_test(a_damaged_spill_replaces_no_other),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
