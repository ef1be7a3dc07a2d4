/* SPDX-License-Identifier: Apache-2.0 */
/* Lines lost with a spill are counted as dropped, and no other lines are. */
#include "spill_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/spill_file.h"

static uint64_t lost(const struct spill_dir *s)
{
	return s->f.sink->stats.lines_dropped_total[DROP_write_failed];
}

static int count_files(const struct spill_dir *s, const char *end_of_name)
{
	DIR *dir = opendir(s->f.spills);
	struct dirent *entry;
	int count = 0;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += strstr(entry->d_name, end_of_name) != NULL;
	closedir(dir);
	return count;
}

static void run_flush(void *data)
{
	struct spill_dir *s = data;
	sink_dir_flush_only(&s->f);
}

static void change_last_byte(struct spill_dir *s, const char *name)
{
	off_t at = (off_t)spill_dir_size_of(s, name) - 1;
	int fd = open(sink_dir_path(&s->f, name), O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, at), 1);
	close(fd);
}

static void lines_of_a_missing_spill_are_counted_as_dropped(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	assert_int_equal(unlink(sink_dir_path(&s.f, s.name)), 0);
	spill_dir_restart(&s);
	spill_dir_flush(&s);
	assert_int_equal(lost(&s), 3);
	assert_int_equal(s.f.sink->stats.lines_written_total, 0);
	assert_int_equal(s.f.sink->stats.lines_queued, 0);
	assert_int_equal(s.f.sink->stats.lines_spilled, 0);
	spill_dir_fini(&s);
}

/* The same if the directory of the spills is removed. */
static void lines_of_several_missing_spills_are_counted_as_dropped(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	sink_dir_move(&s.f, "spill", "away");
	spill_dir_restart(&s);
	spill_dir_flush(&s);
	assert_int_equal(lost(&s), 3);
	assert_int_equal(s.f.sink->stats.lines_written_total, 0);
	spill_dir_fini(&s);
}

/* A process drains one spill completely and is killed.  The next one finds that
 * spill drained, has not yet loaded another spill, and is killed too. */
static void drained_lines_count_once_all_spills_are_loaded(void **state)
{
	(void)state;
	struct spill_dir s;
	char name[64];
	spill_dir_init(&s);
	spill_dir_block(&s, "b");
	sink_dir_put(&s.f, "b", "line 1");
	spill_dir_flush(&s);
	sink_dir_move(&s.f, spill_dir_only(&s, ".spill", name), "hidden");
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 1");
	spill_dir_flush(&s);
	assert_int_equal(rmdir(sink_dir_path(&s.f, "out/a")), 0);
	sink_dir_wait_s(&s.f, 10);
	run_and_kill(run_flush, &s);
	assert_int_equal(mkdir(sink_dir_path(&s.f, name), 0755), 0);
	spill_dir_restart(&s);
	for (int i = 0; i < 2; i++)
		spill_dir_flush(&s);
	spill_dir_restart(&s);
	spill_dir_show(&s, name);
	spill_dir_unblock(&s, "b");
	spill_dir_flush(&s);
	spill_dir_assert_written(&s, "line 1\n");
	assert_int_equal(s.f.sink->stats.lines_written_total, 2);
	assert_int_equal(lost(&s), 0);
	spill_dir_fini(&s);
}

/* The first process that finds the damage is killed before its commit. */
static void lines_of_a_damaged_spill_are_counted_as_dropped(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	change_last_byte(&s, s.name);
	for (int i = 0; i < 3; i++) {
		spill_dir_restart(&s);
		assert_int_equal(lost(&s), 2);
		assert_int_equal(s.f.sink->stats.lines_written_total, 0);
	}
	spill_dir_assert_written(&s, "line 1\n");
	assert_int_equal(s.f.sink->stats.lines_written_total, 1);
	spill_dir_fini(&s);
}

/* At the time of the commit the line waited in memory. */
static void lines_spilled_since_the_commit_count_once(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_init(&s);
	sink_dir_write(&s.f, "spill", "no directory");
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 1");
	spill_dir_flush_unspilled(&s);
	assert_int_equal(s.f.sink->stats.lines_queued, 1);
	assert_int_equal(s.f.sink->stats.lines_spilled, 0);
	assert_int_equal(unlink(sink_dir_path(&s.f, "spill")), 0);
	run_and_kill(run_flush, &s);
	spill_dir_restart(&s);
	assert_int_equal(s.f.sink->stats.lines_spilled, 1);
	assert_int_equal(s.f.sink->stats.lines_total, 1);
	assert_int_equal(lost(&s), 0);
	spill_dir_unblock(&s, "a");
	spill_dir_assert_written(&s, "line 1\n");
	spill_dir_fini(&s);
}

/* --- the position of a drained spill */

static void append_to(struct spill_dir *s, const char *name, const char *text,
		      size_t bytes)
{
	int fd = open(sink_dir_path(&s->f, name), O_WRONLY | O_APPEND | O_CREAT,
		      0644);
	assert_int_equal(write(fd, text, bytes), bytes);
	close(fd);
}

/* The process is killed within the write.  The next one cannot open the file
 * before its first commit, which removes the notes. */
static void drained_lines_are_recognized_without_a_note(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < sizeof THREE_LINES; cut++) {
		struct spill_dir s;
		spill_dir_spill_three(&s);
		s.left->kill_in = 1;
		run_and_kill(run_flush, &s);
		append_to(&s, "out/a", THREE_LINES, cut);
		crash_notes_commit(s.left);
		spill_dir_restart(&s);
		spill_dir_assert_written(&s, THREE_LINES);
		assert_int_equal(s.f.sink->stats.lines_written_total, 3);
		spill_dir_fini(&s);
	}
}

/* With this size limit the first lines fit into the file, but the position
 * cannot be saved in the spill. */
static void a_spill_that_cannot_save_its_position_stays(void **state)
{
	(void)state;
	struct spill_dir s;
	char pad[] = "0123456789012345678901234567890123456789012345678\n";
	spill_dir_spill_three(&s);
	s.pad_bytes = strlen(pad);
	sink_dir_write(&s.f, "out/a", pad);
	limit_file_size(64);
	spill_dir_flush(&s);
	limit_file_size(RLIM_INFINITY);
	spill_dir_restart(&s);
	sink_dir_wait_s(&s.f, 10);
	spill_dir_assert_written(&s, THREE_LINES);
	assert_int_equal(s.f.sink->stats.lines_written_total, 3);
	spill_dir_fini(&s);
}

/* After ten failed attempts to save the position, sluiced drains the spill
 * without saving it. */
static void a_spill_that_can_never_save_is_drained_in_the_end(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	limit_file_size(64);
	for (int i = 0; i < 12; i++) {
		spill_dir_flush_unspilled(&s);
		sink_dir_wait_s(&s.f, 10);
	}
	limit_file_size(RLIM_INFINITY);
	spill_dir_assert_written(&s, THREE_LINES);
	spill_dir_fini(&s);
}

static void restart_with_one_descriptor(struct spill_dir *s)
{
	struct rlimit limit, few;
	sink_dir_close(&s->f);
	crash_notes_restart(s->left);
	spill_dir_open(s);
	int next = open("/dev/null", O_RDONLY);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = (rlim_t)next + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	spill_dir_restore(s);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_sink_adds_up(s->f.sink);
}

static void run_line_2(void *data)
{
	struct spill_dir *s = data;
	sink_dir_put(&s->f, "a", "line 2");
	sink_dir_flush_only(&s->f);
}

/* The process can read the directory at once, but not the spill.  It repeats
 * the batch whose lines that spill holds, and loads the spill before it
 * commits. */
static void a_repeated_batch_is_cut_from_a_spill_loaded_late(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_init(&s);
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 1");
	spill_dir_flush(&s);
	run_and_kill(run_line_2, &s);
	spill_dir_unblock(&s, "a");
	restart_with_one_descriptor(&s);
	sink_dir_put(&s.f, "a", "line 2");
	spill_dir_assert_written(&s, "line 1\nline 2\n");
	assert_int_equal(s.f.sink->stats.lines_total, 2);
	spill_dir_fini(&s);
}

/* --- damaged spills */

static void a_damaged_spill_is_renamed_to_a_free_name(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	sink_dir_move(&s.f, s.name, "first");
	spill_dir_copy(&s, "first", s.name);
	change_last_byte(&s, s.name);
	spill_dir_restart(&s);
	spill_dir_flush(&s);
	sink_dir_close(&s.f);
	sink_dir_move(&s.f, "first", s.name);
	assert_int_equal(truncate(sink_dir_path(&s.f, s.name), 70), 0);
	spill_dir_restart(&s);
	assert_int_equal(count_files(&s, ".damaged"), 2);
	spill_dir_fini(&s);
}

/* No name is free, and the damaged spill must not be lost. */
static void a_damaged_spill_that_cannot_be_renamed_stays(void **state)
{
	(void)state;
	struct spill_dir s;
	char name[64], damaged[64];
	spill_dir_spill_three(&s);
	spill_dir_only(&s, ".spill", name);
	change_last_byte(&s, name);
	uint64_t size = spill_dir_size_of(&s, name);
	limit_file_size(1);
	spill_dir_restart(&s);
	spill_dir_flush(&s);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(spill_dir_size_of(&s, name), size);
	assert_string_equal(spill_dir_only(&s, ".damaged", damaged), "");
	assert_int_equal(s.f.sink->stats.lines_queued, 3);
	sink_dir_wait_s(&s.f, 1);
	spill_dir_assert_written(&s, "line 1\n");
	assert_int_equal(lost(&s), 2);
	assert_int_equal(
		spill_dir_size_of(&s, spill_dir_only(&s, ".damaged", damaged)),
		size - (sizeof(struct spill_chunk) + 7));
	spill_dir_fini(&s);
}

/* A spill gets its name only after its header is written. */
static void a_half_created_spill_is_not_damage(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	sink_dir_write(&s.f, "spill/0.spill.new", "sluiced spi");
	spill_dir_restart(&s);
	assert_false(sink_dir_exists(&s.f, "spill/0.spill.new"));
	spill_dir_assert_written(&s, THREE_LINES);
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

/* This is what the end of a file looks like after a power cut. */
static void an_empty_spill_is_damage(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	assert_int_equal(truncate(sink_dir_path(&s.f, s.name), 0), 0);
	spill_dir_restart(&s);
	spill_dir_flush(&s);
	assert_int_equal(lost(&s), 3);
	assert_int_equal(count_files(&s, ".damaged"), 1);
	spill_dir_fini(&s);
}

/* --- an inode that belonged to another file before */

/* The file was deleted during the batch, and the spill of its lines got its
 * inode. */
static void a_note_about_a_previous_file_cuts_no_spill(void **state)
{
	(void)state;
	struct spill_dir s;
	struct stat st;
	char name[64];
	spill_dir_init(&s);
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 1");
	spill_dir_flush(&s);
	sink_dir_put(&s.f, "a", "line 2");
	sink_dir_flush_only(&s.f);
	assert_int_equal(
		stat(sink_dir_path(&s.f, spill_dir_only(&s, ".spill", name)),
		     &st),
		0);
	assert_int_equal(s.left->count, 1);
	s.left->notes[1] = s.left->notes[0];
	s.left->notes[0].offset_bytes = (uint64_t)st.st_size - 3;
	s.left->count = 2;
	spill_dir_restart(&s);
	assert_int_equal(s.f.sink->stats.lines_queued, 1);
	sink_dir_put(&s.f, "a", "line 2");
	spill_dir_unblock(&s, "a");
	spill_dir_assert_written(&s, "line 1\nline 2\n");
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			lines_of_a_missing_spill_are_counted_as_dropped),
		cmocka_unit_test(
			lines_of_several_missing_spills_are_counted_as_dropped),
		cmocka_unit_test(
			drained_lines_count_once_all_spills_are_loaded),
		cmocka_unit_test(
			lines_of_a_damaged_spill_are_counted_as_dropped),
		cmocka_unit_test(lines_spilled_since_the_commit_count_once),
		cmocka_unit_test(drained_lines_are_recognized_without_a_note),
		cmocka_unit_test(a_spill_that_cannot_save_its_position_stays),
		cmocka_unit_test(
			a_spill_that_can_never_save_is_drained_in_the_end),
		cmocka_unit_test(
			a_repeated_batch_is_cut_from_a_spill_loaded_late),
		cmocka_unit_test(a_damaged_spill_is_renamed_to_a_free_name),
		cmocka_unit_test(a_damaged_spill_that_cannot_be_renamed_stays),
		cmocka_unit_test(a_half_created_spill_is_not_damage),
		cmocka_unit_test(an_empty_spill_is_damage),
		cmocka_unit_test(a_note_about_a_previous_file_cuts_no_spill),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
