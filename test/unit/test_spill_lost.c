/* SPDX-License-Identifier: Apache-2.0 */
/* What of a spill is lost is counted as dropped, and what is not, is not. */
#include "spilling.h"

#include <fcntl.h>

#include "file/spill_file.h"

static uint64_t lost(const struct spilling *s)
{
	return s->f.sink->stats.lines_dropped_total[DROP_write_failed];
}

static int count_files(const struct spilling *s, const char *end_of_name)
{
	DIR *dir = opendir(s->dir);
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
	struct spilling *s = data;
	flush_only(&s->f);
}

static void change_last_byte(struct spilling *s, const char *name)
{
	off_t at = (off_t)size_of(s, name) - 1;
	int fd = open(path(&s->f, name), O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, at), 1);
	close(fd);
}

static void a_spill_that_is_gone_was_not_written(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	spill_three(&s);
	assert_int_equal(unlink(path(&s.f, only(&s, ".spill", name))), 0);
	restart(&s);
	flush_and_commit(&s);
	assert_int_equal(lost(&s), 3);
	assert_int_equal(s.f.sink->stats.lines_written_total, 0);
	assert_int_equal(s.f.sink->stats.lines_queued, 0);
	assert_int_equal(s.f.sink->stats.lines_spilled, 0);
	end(&s);
}

/* Or its directory. */
static void spills_that_are_gone_were_not_written(void **state)
{
	(void)state;
	struct spilling s;
	spill_three(&s);
	move(&s.f, "spill", "away");
	restart(&s);
	flush_and_commit(&s);
	assert_int_equal(lost(&s), 3);
	assert_int_equal(s.f.sink->stats.lines_written_total, 0);
	end(&s);
}

/* All of one is drained before a kill; the next process finds that, but not
 * yet another one, and is killed too. */
static void what_was_drained_counts_when_all_are_loaded(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	make_spilling(&s);
	block(&s, "b");
	put(&s.f, "b", "line 1");
	flush_and_commit(&s);
	move(&s.f, only(&s, ".spill", name), "hidden");
	block(&s, "a");
	put(&s.f, "a", "line 1");
	flush_and_commit(&s);
	assert_int_equal(rmdir(path(&s.f, "out/a")), 0);
	wait_s(&s.f, 10);
	run_and_kill(run_flush, &s);
	assert_int_equal(mkdir(path(&s.f, name), 0755), 0);
	restart(&s);
	for (int i = 0; i < 2; i++)
		flush_and_commit(&s);
	restart(&s);
	show(&s, name);
	unblock(&s, "b");
	flush_and_commit(&s);
	assert_all_written(&s, "line 1\n");
	assert_int_equal(s.f.sink->stats.lines_written_total, 2);
	assert_int_equal(lost(&s), 0);
	end(&s);
}

/* The first process that finds the damage does not live until its commit. */
static void damage_that_was_put_aside_before_was_not_written(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	spill_three(&s);
	change_last_byte(&s, only(&s, ".spill", name));
	for (int i = 0; i < 3; i++) {
		restart(&s);
		assert_int_equal(lost(&s), 2);
		assert_int_equal(s.f.sink->stats.lines_written_total, 0);
	}
	assert_all_written(&s, "line 1\n");
	assert_int_equal(s.f.sink->stats.lines_written_total, 1);
	end(&s);
}

/* At the commit it waited in memory. */
static void what_was_spilled_since_the_commit_counts_once(void **state)
{
	(void)state;
	struct spilling s;
	make_spilling(&s);
	write_file(&s.f, "spill", "no directory");
	block(&s, "a");
	put(&s.f, "a", "line 1");
	flush_and_commit(&s);
	assert_int_equal(s.f.sink->stats.lines_queued, 1);
	assert_int_equal(s.f.sink->stats.lines_spilled, 0);
	assert_int_equal(unlink(path(&s.f, "spill")), 0);
	run_and_kill(run_flush, &s);
	restart(&s);
	assert_int_equal(s.f.sink->stats.lines_spilled, 1);
	assert_int_equal(s.f.sink->stats.lines_total, 1);
	assert_int_equal(lost(&s), 0);
	unblock(&s, "a");
	assert_all_written(&s, "line 1\n");
	end(&s);
}

/* --- how far it was drained */

static void append_to(struct spilling *s, const char *name, const char *text,
		      size_t bytes)
{
	int fd = open(path(&s->f, name), O_WRONLY | O_APPEND | O_CREAT, 0644);
	assert_int_equal(write(fd, text, bytes), bytes);
	close(fd);
}

/* Killed in the write; the next process could not open the file before its
 * first commit, which takes the notes away. */
static void what_was_drained_is_found_without_a_note(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < sizeof three; cut++) {
		struct spilling s;
		spill_three(&s);
		s.left->kill_in = 1;
		run_and_kill(run_flush, &s);
		append_to(&s, "out/a", three, cut);
		crash_notes_commit(s.left);
		restart(&s);
		assert_all_written(&s, three);
		assert_int_equal(s.f.sink->stats.lines_written_total, 3);
		end(&s);
	}
}

/* The limit lets the first lines into the file, and the spill's position not
 * be saved. */
static void what_cannot_be_saved_is_not_drained(void **state)
{
	(void)state;
	struct spilling s;
	char pad[] = "0123456789012345678901234567890123456789012345678\n";
	spill_three(&s);
	s.pad_bytes = strlen(pad);
	write_file(&s.f, "out/a", pad);
	limit_file_size(64);
	flush_and_commit(&s);
	limit_file_size(RLIM_INFINITY);
	restart(&s);
	wait_s(&s.f, 10);
	assert_all_written(&s, three);
	assert_int_equal(s.f.sink->stats.lines_written_total, 3);
	end(&s);
}

/* It is as it is with a position that can never be saved. */
static void what_can_never_be_saved_is_drained_at_last(void **state)
{
	(void)state;
	struct spilling s;
	spill_three(&s);
	limit_file_size(64);
	for (int i = 0; i < 12; i++) {
		flush_and_commit(&s);
		wait_s(&s.f, 10);
	}
	limit_file_size(RLIM_INFINITY);
	assert_all_written(&s, three);
	end(&s);
}

static void restart_with_one_descriptor(struct spilling *s)
{
	struct rlimit limit, few;
	close_sink(&s->f);
	crash_notes_restart(s->left);
	open_sink(s);
	int next = open("/dev/null", O_RDONLY);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = (rlim_t)next + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	s->f.sink->ops->restore(s->f.sink, s->committed);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_laws(s->f.sink);
}

static void run_line_2(void *data)
{
	struct spilling *s = data;
	put(&s->f, "a", "line 2");
	flush_only(&s->f);
}

/* The directory can be read, the spill only behind the first commit: the batch
 * that was spilled into it comes again. */
static void a_batch_is_cut_off_a_spill_that_is_loaded_late(void **state)
{
	(void)state;
	struct spilling s;
	make_spilling(&s);
	block(&s, "a");
	put(&s.f, "a", "line 1");
	flush_and_commit(&s);
	run_and_kill(run_line_2, &s);
	unblock(&s, "a");
	restart_with_one_descriptor(&s);
	put(&s.f, "a", "line 2");
	s.f.now_ns = -1; /* not to be tried yet */
	flush_and_commit(&s);
	assert_string_equal(content(&s.f, "out/a"), "line 2\n");
	s.f.now_ns = START_NS;
	assert_all_written(&s, "line 2\nline 1\n");
	assert_int_equal(s.f.sink->stats.lines_total, 2);
	end(&s);
}

/* --- what is put aside */

static void what_is_put_aside_takes_nobodys_place(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	spill_three(&s);
	move(&s.f, only(&s, ".spill", name), "first");
	copy_file(&s, "first", name);
	change_last_byte(&s, name);
	restart(&s);
	flush_and_commit(&s);
	close_sink(&s.f);
	move(&s.f, "first", name);
	assert_int_equal(truncate(path(&s.f, name), 70), 0);
	restart(&s);
	assert_int_equal(count_files(&s, ".damaged"), 2);
	end(&s);
}

/* Neither is there room for it, nor may it be lost. */
static void damage_that_cannot_be_put_aside_stays(void **state)
{
	(void)state;
	struct spilling s;
	char name[64], damaged[64];
	spill_three(&s);
	only(&s, ".spill", name);
	change_last_byte(&s, name);
	uint64_t size = size_of(&s, name);
	limit_file_size(1);
	restart(&s);
	flush_and_commit(&s);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(size_of(&s, name), size);
	assert_string_equal(only(&s, ".damaged", damaged), "");
	assert_int_equal(s.f.sink->stats.lines_queued, 3);
	wait_s(&s.f, 1);
	assert_all_written(&s, "line 1\n");
	assert_int_equal(lost(&s), 2);
	assert_int_equal(size_of(&s, only(&s, ".damaged", damaged)),
			 size - (sizeof(struct spill_chunk) + 7));
	end(&s);
}

/* Its name comes when its head is there. */
static void one_that_was_being_made_is_no_damage(void **state)
{
	(void)state;
	struct spilling s;
	spill_three(&s);
	write_file(&s.f, "spill/0.spill.new", "sluiced spi");
	restart(&s);
	assert_false(exists(&s.f, "spill/0.spill.new"));
	assert_all_written(&s, three);
	assert_nothing_called_lost(&s);
	end(&s);
}

/* As the end of a file is after a power cut. */
static void an_empty_one_is_damage(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	spill_three(&s);
	assert_int_equal(truncate(path(&s.f, only(&s, ".spill", name)), 0), 0);
	restart(&s);
	flush_and_commit(&s);
	assert_int_equal(lost(&s), 3);
	assert_int_equal(count_files(&s, ".damaged"), 1);
	end(&s);
}

/* --- an inode that was something else before */

/* The file was deleted in the batch; the spill of its lines has its inode. */
static void a_note_of_a_file_before_cuts_no_spill(void **state)
{
	(void)state;
	struct spilling s;
	struct stat st;
	char name[64];
	make_spilling(&s);
	block(&s, "a");
	put(&s.f, "a", "line 1");
	flush_and_commit(&s);
	put(&s.f, "a", "line 2");
	flush_only(&s.f);
	assert_int_equal(stat(path(&s.f, only(&s, ".spill", name)), &st), 0);
	assert_int_equal(s.left->count, 1);
	s.left->notes[1] = s.left->notes[0];
	s.left->notes[0].offset_bytes = (uint64_t)st.st_size - 3;
	s.left->count = 2;
	restart(&s);
	assert_int_equal(s.f.sink->stats.lines_queued, 1);
	put(&s.f, "a", "line 2");
	unblock(&s, "a");
	assert_all_written(&s, "line 1\nline 2\n");
	assert_nothing_called_lost(&s);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spill_that_is_gone_was_not_written),
		cmocka_unit_test(spills_that_are_gone_were_not_written),
		cmocka_unit_test(what_was_drained_counts_when_all_are_loaded),
		cmocka_unit_test(
			damage_that_was_put_aside_before_was_not_written),
		cmocka_unit_test(what_was_spilled_since_the_commit_counts_once),
		cmocka_unit_test(what_was_drained_is_found_without_a_note),
		cmocka_unit_test(what_cannot_be_saved_is_not_drained),
		cmocka_unit_test(what_can_never_be_saved_is_drained_at_last),
		cmocka_unit_test(
			a_batch_is_cut_off_a_spill_that_is_loaded_late),
		cmocka_unit_test(what_is_put_aside_takes_nobodys_place),
		cmocka_unit_test(damage_that_cannot_be_put_aside_stays),
		cmocka_unit_test(one_that_was_being_made_is_no_damage),
		cmocka_unit_test(an_empty_one_is_damage),
		cmocka_unit_test(a_note_of_a_file_before_cuts_no_spill),
	};
	return cmocka_run_group_tests(tests, be_quiet, NULL);
}
