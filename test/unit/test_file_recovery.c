/* SPDX-License-Identifier: Apache-2.0 */
/* A process that is killed while it appends, and other processes that append to
 * the same file. */
#include "crash.h"
#include "lock_holder.h"
#include "random.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* Write the rest of a batch that was cut. */
static void complete_batch(void *data)
{
	struct crash *c = data;
	sink_dir_wait_s(&c->f, 1);
	sink_dir_flush_only(&c->f);
}

static void append(struct sink_dir *f, const char *name, const char *text)
{
	FILE *file = fopen(sink_dir_path(f, name), "a");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* --- a process that is killed */

static void a_kill_between_note_and_write_doubles_no_line(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	sink_dir_write(&c.f, "a", "old\n");
	c.left->kill_in = 1;
	run_and_kill(crash_run_batch, &c);
	assert_string_equal(sink_dir_content(&c.f, "a"), "old\n");
	crash_restart(&c);
	assert_string_equal(sink_dir_content(&c.f, "a"),
			    "old\nline 1\nline 2\nline 3\n");
	assert_int_equal(c.f.sink->stats.recovered_bytes_total, 0);
	crash_tear_down(&c);
}

/* Another process writes the rest of the same lines after a write that failed:
 * they are not this process' lines. */
static void the_same_lines_of_another_process_do_not_count(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < LINES_BYTES; cut++) {
		struct crash c;
		char expected[100];
		crash_set_up(&c);
		sink_dir_write(&c.f, "a", "old\n");
		c.left->has_failures = true;
		c.cut_bytes = 4 + cut;
		run_and_kill(crash_run_batch, &c);
		bool is_torn = cut % LINE_BYTES != 0;
		size_t whole = cut - cut % LINE_BYTES;
		append(&c.f, "a", is_torn ? "\n" : "");
		append(&c.f, "a", all_lines + whole);
		snprintf(expected, sizeof expected, "old\n%.*s%s%s%s", (int)cut,
			 all_lines, is_torn ? "\n" : "", all_lines + whole,
			 all_lines + whole);
		crash_restart(&c);
		assert_string_equal(sink_dir_content(&c.f, "a"), expected);
		crash_tear_down(&c);
	}
}

static void a_kill_after_the_write_doubles_no_line(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	run_and_kill(crash_run_batch, &c);
	assert_string_equal(sink_dir_content(&c.f, "a"), all_lines);
	crash_restart(&c);
	assert_string_equal(sink_dir_content(&c.f, "a"), all_lines);
	const struct sink_stats *s = &c.f.sink->stats;
	assert_int_equal(s->recovered_bytes_total, LINES_BYTES);
	assert_int_equal(s->bytes_written_total, 0);
	/* The line that is written next is a new one. */
	sink_dir_put(&c.f, "a", "line 1");
	sink_dir_flush_all(&c.f);
	assert_int_equal(strlen(sink_dir_content(&c.f, "a")),
			 LINES_BYTES + LINE_BYTES);
	crash_tear_down(&c);
}

/* Two paths that are one file, by a link that the operator made. */
static void put_two_names(struct crash *c)
{
	struct err e;
	assert_true(sink_dir_try_open(&c->f, "    Path @\n", false, &e));
	sink_dir_put(&c->f, "a", "line 1");
	sink_dir_put(&c->f, "b", "line 2");
	sink_dir_put(&c->f, "a", "line 3");
	sink_dir_put(&c->f, "b", "line 1");
}

static void run_two_names(void *data)
{
	struct crash *c = data;
	put_two_names(c);
	limit_file_size(c->cut_bytes);
	sink_dir_flush_only(&c->f);
}

static void a_kill_doubles_and_loses_no_line_of_a_linked_file(void **state)
{
	(void)state;
	static const char whole[] = "old\nline 1\nline 3\nline 2\nline 1\n";
	for (size_t cut = 4; cut < 2 * sizeof whole; cut++) {
		bool is_hard = cut % 2 == 0;
		struct crash c;
		crash_set_up(&c);
		sink_dir_write(&c.f, "a", "old\n");
		char a[PATH_MAX];
		snprintf(a, sizeof a, "%s", sink_dir_path(&c.f, "a"));
		const char *b = sink_dir_path(&c.f, "b");
		assert_int_equal(is_hard ? link(a, b) : symlink("a", b), 0);
		c.cut_bytes = 4 + (cut - 4) / 2;
		run_and_kill(run_two_names, &c);
		crash_notes_restart(c.left);
		put_two_names(&c);
		sink_dir_flush_all(&c.f);
		crash_notes_commit(c.left);
		assert_string_equal(sink_dir_content(&c.f, "a"), whole);
		crash_tear_down(&c);
	}
}

static void a_kill_at_any_byte_of_the_write_doubles_no_line(void **state)
{
	(void)state;
	for (rlim_t cut = 0; cut <= LINES_BYTES; cut++) {
		struct crash c;
		crash_set_up(&c);
		sink_dir_write(&c.f, "a", "old\n");
		c.cut_bytes = 4 + cut;
		run_and_kill(crash_run_batch, &c);
		assert_int_equal(strlen(sink_dir_content(&c.f, "a")), 4 + cut);
		crash_restart(&c);
		assert_string_equal(sink_dir_content(&c.f, "a"),
				    "old\nline 1\nline 2\nline 3\n");
		assert_int_equal(c.f.sink->stats.recovered_bytes_total, cut);
		crash_tear_down(&c);
	}
}

static void a_second_kill_during_recovery_doubles_no_line(void **state)
{
	(void)state;
	for (rlim_t cut = 0; cut <= LINES_BYTES; cut++) {
		struct crash c;
		crash_set_up(&c);
		c.cut_bytes = cut / 2;
		run_and_kill(crash_run_batch, &c);
		crash_notes_restart(c.left);
		c.cut_bytes = cut;
		run_and_kill(crash_run_batch, &c);
		crash_notes_restart(c.left);
		c.left->kill_in = 1;
		c.cut_bytes = RLIM_INFINITY;
		run_and_kill(crash_run_batch, &c);
		crash_restart(&c);
		assert_string_equal(sink_dir_content(&c.f, "a"), all_lines);
		crash_tear_down(&c);
	}
}

static void a_torn_write_is_noted_again_before_it_is_completed(void **state)
{
	(void)state;
	for (rlim_t cut = 1; cut < LINES_BYTES; cut++) {
		struct crash c;
		crash_set_up(&c);
		c.cut_bytes = cut;
		crash_run_batch(
			&c); /* this process continues without a restart */
		limit_file_size(RLIM_INFINITY);
		assert_int_equal(c.left->count, 1);
		sink_dir_wait_s(&c.f, 1);
		sink_dir_flush_only(&c.f);
		assert_int_equal(c.left->count, 2);
		const struct append_note *n = &c.left->notes[1];
		assert_int_equal(n->offset_bytes, cut);
		assert_int_equal(n->skip_bytes, cut);
		assert_int_equal(n->length_bytes, LINES_BYTES - cut);
		sink_dir_close(&c.f); /* not committed: the batch is repeated */
		crash_restart(&c);
		assert_string_equal(sink_dir_content(&c.f, "a"), all_lines);
		crash_tear_down(&c);
	}
}

/* The previous process wrote a part of the batch, and died before it completed
 * it.  The same messages make shorter lines now, for example because the
 * template has changed.  All of them are written. */
static void lines_that_have_changed_are_all_written(void **state)
{
	(void)state;
	for (rlim_t cut = 1; cut < LINES_BYTES; cut++) {
		struct crash c;
		struct err e;
		char want[64];
		crash_set_up(&c);
		c.cut_bytes = cut;
		crash_run_batch(&c);
		limit_file_size(RLIM_INFINITY);
		c.left->kill_in = 1;
		run_and_kill(complete_batch, &c);
		sink_dir_close(&c.f);
		crash_notes_restart(c.left);
		assert_true(sink_dir_try_open(&c.f, "    Path @\n", false, &e));
		sink_dir_put(&c.f, "a", "x1");
		sink_dir_put(&c.f, "a", "x2");
		sink_dir_put(&c.f, "a", "x3");
		assert_int_equal(sink_dir_flush(&c.f), SINK_FLUSHED);
		snprintf(want, sizeof want, "%.*s%sx1\nx2\nx3\n", (int)cut,
			 all_lines, cut % LINE_BYTES != 0 ? "\n" : "");
		assert_string_equal(sink_dir_content(&c.f, "a"), want);
		crash_tear_down(&c);
	}
}

static void lines_that_reached_no_file_are_noted_once(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	c.cut_bytes = 0;
	crash_run_batch(&c);
	for (int i = 0; i < 5; i++) {
		sink_dir_wait_s(&c.f, 10);
		sink_dir_flush_only(&c.f);
	}
	assert_int_equal(c.left->count, 1);
	limit_file_size(RLIM_INFINITY);
	sink_dir_wait_s(&c.f, 10);
	sink_dir_flush_all(&c.f);
	assert_string_equal(sink_dir_content(&c.f, "a"), all_lines);
	crash_tear_down(&c);
}

static void a_file_that_was_truncated_meanwhile_gets_all_lines(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	sink_dir_write(&c.f, "a", "old\nolder\n");
	run_and_kill(crash_run_batch, &c);
	assert_int_equal(truncate(sink_dir_path(&c.f, "a"), 4), 0);
	crash_restart(&c);
	assert_string_equal(sink_dir_content(&c.f, "a"),
			    "old\nline 1\nline 2\nline 3\n");
	crash_tear_down(&c);
}

/* Without a spill, lines that cannot be written wait in memory over several
 * batches.  A note describes only the lines of its own batch. */
static void older_lines_are_not_noted(void **state)
{
	(void)state;
	struct crash c;
	struct err e;
	crash_set_up(&c);
	assert_true(sink_dir_try_open(&c.f, "    Path @\n", false, &e));
	assert_int_equal(mkdir(sink_dir_path(&c.f, "a"), 0755), 0);
	sink_dir_put(&c.f, "a", "older");
	assert_int_equal(sink_dir_flush(&c.f), SINK_FLUSHED);
	assert_int_equal(rmdir(sink_dir_path(&c.f, "a")), 0);
	sink_dir_put(&c.f, "a", "line 1");
	sink_dir_wait_s(&c.f, 1);
	sink_dir_flush_only(&c.f);
	assert_int_equal(c.left->count, 1);
	assert_int_equal(c.left->notes[0].offset_bytes, strlen("older\n"));
	assert_int_equal(c.left->notes[0].skip_bytes, 0);
	assert_int_equal(c.left->notes[0].length_bytes, LINE_BYTES);
	sink_dir_close(&c.f);
	crash_notes_restart(c.left);
	assert_true(sink_dir_try_open(&c.f, "    Path @\n", false, &e));
	sink_dir_put(&c.f, "a", "line 1");
	sink_dir_flush_all(&c.f);
	assert_string_equal(sink_dir_content(&c.f, "a"), "older\nline 1\n");
	crash_tear_down(&c);
}

/* The sink must recognize the lines that were written during the first batch,
 * even if it can write nothing then. */
static void recovery_examines_a_file_that_is_locked(void **state)
{
	(void)state;
	for (rlim_t cut = 0; cut < 2 * LINES_BYTES; cut++) {
		struct crash c;
		char spill[96];
		crash_set_up(&c);
		snprintf(spill, sizeof spill, "%s",
			 sink_dir_path(&c.f, "spill"));
		if (cut % 2)
			c.f.env.spill_dir = spill;
		c.f.env.spill_bytes_max = SIZE_MAX;
		c.cut_bytes = cut / 2;
		run_and_kill(crash_run_batch, &c);
		crash_notes_restart(c.left);
		crash_open_and_put(&c);
		pid_t holder = lock_hold(c.f.dir, sink_dir_path(&c.f, "a"));
		assert_int_equal(sink_dir_flush(&c.f), SINK_FLUSHED);
		crash_notes_commit(c.left);
		lock_drop(holder);
		sink_dir_wait_s(&c.f, 1);
		sink_dir_flush_all(&c.f);
		assert_string_equal(sink_dir_content(&c.f, "a"), all_lines);
		assert_int_equal(c.f.sink->stats.recovered_bytes_total,
				 cut / 2);
		crash_tear_down(&c);
	}
}

static void recovery_examines_a_file_that_is_read_only(void **state)
{
	(void)state;
	uid_t user = geteuid();
	for (rlim_t cut = 0; cut <= LINES_BYTES; cut++) {
		struct crash c;
		crash_set_up(&c);
		c.cut_bytes = cut;
		run_and_kill(crash_run_batch, &c);
		crash_notes_restart(c.left);
		crash_open_and_put(&c);
		assert_int_equal(chmod(sink_dir_path(&c.f, "a"), 0444), 0);
		assert_int_equal(chmod(c.f.dir, 0755), 0);
		if (user == 0 && seteuid(OTHER_USER) != 0) {
			crash_tear_down(&c);
			skip();
		}
		assert_int_equal(sink_dir_flush(&c.f), SINK_FLUSHED);
		assert_int_equal(seteuid(user), 0);
		crash_notes_commit(c.left);
		assert_int_equal(c.f.sink->stats.lines_queued, 3 - cut / 7);
		assert_int_equal(chmod(sink_dir_path(&c.f, "a"), 0644), 0);
		sink_dir_wait_s(&c.f, 1);
		sink_dir_flush_all(&c.f);
		assert_string_equal(sink_dir_content(&c.f, "a"), all_lines);
		crash_tear_down(&c);
	}
}

/* --- other processes that append to the same file */

/* The batch waits until the file can be examined.  If the lines were spilled
 * and committed, those in the file would be written twice. */
static void recovery_waits_for_a_file_that_cannot_be_opened(void **state)
{
	(void)state;
	uid_t user = geteuid();
	struct crash c;
	crash_set_up(&c);
	c.cut_bytes = LINE_BYTES;
	run_and_kill(crash_run_batch, &c);
	crash_notes_restart(c.left);
	crash_open_and_put(&c);
	assert_int_equal(chmod(sink_dir_path(&c.f, "a"), 0), 0);
	assert_int_equal(chmod(c.f.dir, 0755), 0);
	if (user == 0 && seteuid(OTHER_USER) != 0) {
		crash_tear_down(&c);
		skip();
	}
	assert_int_equal(sink_dir_flush(&c.f), SINK_BLOCKED);
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(chmod(sink_dir_path(&c.f, "a"), 0644), 0);
	sink_dir_wait_s(&c.f, 1);
	sink_dir_flush_all(&c.f);
	assert_string_equal(sink_dir_content(&c.f, "a"), all_lines);
	crash_tear_down(&c);
}

static void lines_of_another_process_are_not_taken_for_ours(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	c.left->kill_in = 1;
	run_and_kill(crash_run_batch, &c);
	append(&c.f, "a", "line of another\n"); /* begins like our line */
	crash_restart(&c);
	assert_string_equal(sink_dir_content(&c.f, "a"),
			    "line of another\nline 1\nline 2\nline 3\n");
	crash_tear_down(&c);
}

static void a_line_closed_by_another_process_is_written_again(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	c.cut_bytes = 10;
	run_and_kill(crash_run_batch, &c);
	append(&c.f, "a", "\nanother\n");
	crash_restart(&c);
	assert_string_equal(sink_dir_content(&c.f, "a"),
			    "line 1\nlin\nanother\nline 2\nline 3\n");
	crash_tear_down(&c);
}

static void a_closed_line_is_written_again_without_a_restart(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	c.cut_bytes = 10;
	crash_run_batch(&c);
	limit_file_size(RLIM_INFINITY);
	append(&c.f, "a", "\nanother\n");
	sink_dir_wait_s(&c.f, 1);
	sink_dir_flush_all(&c.f);
	assert_string_equal(sink_dir_content(&c.f, "a"),
			    "line 1\nlin\nanother\nline 2\nline 3\n");
	crash_tear_down(&c);
}

static void a_torn_tail_of_another_process_is_waited_for(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_write(&f, "a", "whole\nhal");
	sink_dir_put(&f, "a", "ours");
	for (int s = 0; s < 10; s++) {
		sink_dir_put(&f, "b", "free");
		assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
		assert_int_equal(f.sink->stats.lines_queued, 1);
		sink_dir_wait_s(&f, s < 9);
	}
	assert_int_equal(strlen(sink_dir_content(&f, "b")), 50);
	append(&f, "a", "f\n");
	sink_dir_wait_s(&f, 5);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "whole\nhalf\nours\n");
	assert_int_equal(f.sink->stats.errors_total, 0);
	sink_dir_fini(&f);
}

static void a_foreign_torn_tail_is_closed_after_ten_seconds(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_write(&f, "a", "whole\nhal");
	sink_dir_put(&f, "a", "ours");
	sink_dir_flush(&f);
	sink_dir_wait_s(&f, 9);
	sink_dir_flush(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "whole\nhal");
	sink_dir_wait_s(&f, 1);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "whole\nhal\nours\n");
	assert_int_equal(f.sink->stats.bytes_written_total, 5);
	sink_dir_fini(&f);
}

static void a_torn_line_whose_rest_was_dropped_is_closed_at_once(void **state)
{
	(void)state;
	struct crash c;
	crash_set_up(&c);
	c.cut_bytes = 10;
	crash_run_batch(&c);
	limit_file_size(RLIM_INFINITY);
	sink_dir_drop_buffered(&c.f);
	sink_dir_put(&c.f, "a", "next");
	sink_dir_wait_s(&c.f, 1);
	sink_dir_flush_all(&c.f);
	assert_string_equal(sink_dir_content(&c.f, "a"), "line 1\nlin\nnext\n");
	crash_tear_down(&c);
}

static void a_locked_file_delays_no_other_file(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_write(&f, "a", "");
	pid_t holder = lock_hold(f.dir, sink_dir_path(&f, "a"));
	sink_dir_put(&f, "a", "ours");
	sink_dir_put(&f, "b", "free");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_string_equal(sink_dir_content(&f, "b"), "free\n");
	assert_string_equal(sink_dir_content(&f, "a"), "");
	assert_int_equal(f.sink->stats.lines_queued, 1);
	assert_int_equal(f.sink->stats.errors_total, 0);
	lock_drop(holder);
	sink_dir_wait_s(&f, 1);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "ours\n");
	sink_dir_fini(&f);
}

/* Everybody may open the file for reading. */
static void a_reader_that_locks_the_file_stops_nothing(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_write(&f, "a", "");
	int fd = open(sink_dir_path(&f, "a"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	struct flock range = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &range), 0);
	sink_dir_put(&f, "a", "ours");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "ours\n");
	close(fd);
	sink_dir_fini(&f);
}

static mode_t mode_of(struct sink_dir *f, const char *name)
{
	return file_mode(sink_dir_path(f, name));
}

static void only_the_owner_can_open_the_lock_file(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @/out\n");
	sink_dir_put(&f, "day/a", "1");
	sink_dir_flush_all(&f);
	assert_int_equal(mode_of(&f, "out/.sluiced"), 0700);
	assert_int_equal(mode_of(&f, "out/.sluiced/lock"), 0600);
	assert_false(sink_dir_exists(&f, "out/day/.sluiced"));
	sink_dir_close(&f);
	/* Somebody created it with other permissions. */
	assert_int_equal(mkdir(sink_dir_path(&f, "out/.sluiced"), 0700), 0);
	sink_dir_write(&f, "out/.sluiced/lock", "");
	assert_int_equal(chmod(sink_dir_path(&f, "out/.sluiced/lock"), 0666),
			 0);
	struct err e;
	assert_true(sink_dir_try_open(&f, "    Path @/out\n", false, &e));
	sink_dir_put(&f, "day/a", "2");
	sink_dir_flush_all(&f);
	assert_int_equal(mode_of(&f, "out/.sluiced/lock"), 0600);
	sink_dir_fini(&f);
}

static void a_removed_lock_file_is_created_again(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_put(&f, "a", "1");
	sink_dir_flush_all(&f);
	assert_int_equal(unlink(sink_dir_path(&f, ".sluiced/lock")), 0);
	pid_t holder = lock_hold(f.dir, sink_dir_path(&f, "a"));
	sink_dir_put(&f, "a", "2");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_int_equal(f.sink->stats.lines_queued, 1);
	lock_drop(holder);
	sink_dir_wait_s(&f, 1);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "1\n2\n");
	sink_dir_fini(&f);
}

/* The lock file cannot be created: the path of its directory is a file. */
static void without_a_lock_file_lines_are_written(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_write(&f, ".sluiced", "");
	sink_dir_put(&f, "a", "1");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "1\n");
	sink_dir_fini(&f);
}

static void a_symlink_as_lock_file_is_not_followed(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	assert_int_equal(mkdir(sink_dir_path(&f, ".sluiced"), 0777), 0);
	assert_int_equal(
		symlink("../victim", sink_dir_path(&f, ".sluiced/lock")), 0);
	sink_dir_put(&f, "a", "1");
	sink_dir_flush_all(&f);
	assert_false(sink_dir_exists(&f, "victim"));
	sink_dir_fini(&f);
}

static void a_file_that_is_write_only_is_appended_to(void **state)
{
	(void)state;
	uid_t user = geteuid();
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_write(&f, "a", "old\n");
	assert_int_equal(chmod(sink_dir_path(&f, "a"), 0222), 0);
	assert_int_equal(chmod(f.dir, 0777), 0);
	if (user == 0 && seteuid(OTHER_USER) != 0) {
		sink_dir_fini(&f);
		skip();
	}
	sink_dir_put(&f, "a", "new");
	sink_dir_flush_all(&f);
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(chmod(sink_dir_path(&f, "a"), 0644), 0);
	assert_string_equal(sink_dir_content(&f, "a"), "old\nnew\n");
	sink_dir_fini(&f);
}

/* --- two processes, one of which is killed again and again */

enum { SHARED_LINES = 10000, BATCH_LINES = 25 };

/* The state that a writer's next process finds: its part of the journal, and
 * the clock. */
struct shared {
	struct crash_notes notes;
	struct sink_stats counters;
	unsigned lines;
	unsigned starts;
	int64_t now_ns;
	atomic_ulong flushes; /* by all processes of this writer */
	atomic_bool is_finished;
};

struct writer {
	struct sink_dir f;
	struct append_notes notes, left;
	struct shared *shared, *other;
	unsigned long seen_flushes; /* of the other writer */
	char spill_dir[96];
	char who;
	struct random random; /* one sequence for each start */
	bool is_mortal;
	bool is_cut; /* its writes are cut from now on */
};

/* A process whose writes are cut must die: otherwise it would keep its lines
 * in memory and write them later. */
static void maybe_die(struct writer *w)
{
	if (w->is_cut || (w->is_mortal && random_below(&w->random, 4) == 0))
		kill(getpid(), SIGKILL);
}

/* The clock advances only when the other writer has flushed, so that the
 * machine's speed does not decide whether that writer completes its torn tail
 * or this one closes it. */
static int64_t tick(struct writer *w)
{
	unsigned long flushes = atomic_load(&w->other->flushes);
	if (flushes != w->seen_flushes || atomic_load(&w->other->is_finished))
		w->shared->now_ns += 100 * NS_PER_MS;
	else
		sched_yield();
	w->seen_flushes = flushes;
	atomic_fetch_add(&w->shared->flushes, 1);
	return w->shared->now_ns;
}

/* The commit is atomic, as the journal's commit is. */
static void flush_and_commit(struct writer *w, unsigned lines)
{
	enum sink_flush answer;
	do {
		w->f.now_ns = tick(w);
		answer = sink_dir_flush_only(&w->f);
		maybe_die(w);
	} while (answer == SINK_BLOCKED || (w->f.env.spill_dir == NULL &&
					    w->f.sink->stats.lines_queued > 0));
	w->shared->notes.count = w->shared->notes.found = 0;
	w->shared->counters = w->f.sink->stats;
	w->shared->lines += lines;
	sink_dir_commit(&w->f);
}

static void write_batch(struct writer *w)
{
	for (unsigned i = 0; i < BATCH_LINES; i++) {
		char text[64];
		snprintf(text, sizeof text, "%c %u %.*s.", w->who,
			 w->shared->lines + i, (int)(i % 20),
			 "abcdefghijklmnopqrst");
		sink_dir_put(&w->f, "shared", text);
	}
	flush_and_commit(w, BATCH_LINES);
}

/* Before a write, at random: do nothing, die, or cut the write short. */
static uint32_t note_and_die(void *data, const struct append_note *n,
			     uint32_t replaced)
{
	struct writer *w = data;
	uint32_t place = w->left.note(&w->shared->notes, n, replaced);
	uint32_t what = w->is_mortal ? random_below(&w->random, 8) : 7;
	if (what == 0)
		kill(getpid(), SIGKILL);
	if (what != 1)
		return place;
	limit_file_size(n->offset_bytes +
			random_below(&w->random, n->length_bytes));
	w->is_cut = true;
	return place;
}

static void record_failure(void *data, uint32_t place, uint32_t length_bytes)
{
	struct writer *w = data;
	w->left.failed(&w->shared->notes, place, length_bytes);
}

static const struct append_note *next_left(void *data,
					   const struct append_note *n)
{
	struct writer *w = data;
	return w->left.next(&w->shared->notes, n);
}

static bool may_find_left(void *data)
{
	struct writer *w = data;
	return w->left.may_find(&w->shared->notes);
}

static void write_all(struct writer *w)
{
	struct err e;
	w->left = crash_notes_access(&w->shared->notes);
	w->notes = (struct append_notes){.data = w,
					 .note = note_and_die,
					 .failed = record_failure,
					 .next = next_left,
					 .may_find = may_find_left};
	w->f.env.notes = &w->notes;
	w->f.env.id = (uint32_t)w->who;
	crash_notes_restart(&w->shared->notes);
	w->random = random_seed("file_recovery", 1);
	w->random.state += ++w->shared->starts * 2 + (w->who == 'A');
	w->shared->notes.has_failures = random_below(&w->random, 2) == 0;
	assert_true(sink_dir_try_open(&w->f, "    Path @\n", false, &e));
	w->f.sink->ops->restore(w->f.sink, &w->shared->counters);
	w->f.sink->ops->settle(w->f.sink, &(struct sink_moved){0});
	while (w->shared->lines < SHARED_LINES)
		write_batch(w);
	while (w->f.sink->stats.lines_queued > 0)
		flush_and_commit(w, 0);
	assert_int_equal(w->f.sink->stats.lines_written_total, SHARED_LINES);
	sink_dir_close(&w->f);
	atomic_store(&w->shared->is_finished, true);
	_exit(0);
}

static pid_t start(struct writer *w)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		write_all(w);
	return child;
}

static void count_line(const char *line, unsigned char *seen)
{
	char who;
	unsigned number;
	assert_int_equal(sscanf(line, "%c %u", &who, &number), 2);
	assert_true(who == 'A' || who == 'B');
	assert_true(number < SHARED_LINES);
	assert_int_equal(strcspn(line, "."), strlen(line) - 2);
	seen[who == 'A' ? number : SHARED_LINES + number]++;
}

static void assert_each_line_once(struct sink_dir *f)
{
	unsigned char *seen = calloc(2, SHARED_LINES);
	FILE *file = fopen(sink_dir_path(f, "shared"), "r");
	assert_non_null(file);
	char line[128];
	while (fgets(line, sizeof line, file) != NULL)
		count_line(line, seen);
	fclose(file);
	for (size_t i = 0; i < 2 * SHARED_LINES; i++)
		if (seen[i] != 1)
			fail_msg("line %zu: %u times", i, seen[i]);
	free(seen);
}

/* Restart A whenever it dies.  The answer is how often it died. */
static unsigned run_writers(struct writer writers[static 2])
{
	pid_t pids[2] = {start(&writers[0]), start(&writers[1])};
	unsigned deaths = 0;
	for (int status, running = 2; running > 0;) {
		pid_t pid = waitpid(-1, &status, 0);
		assert_true(pid == pids[0] || pid == pids[1]);
		if (WIFSIGNALED(status) && pid == pids[0]) {
			assert_int_equal(WTERMSIG(status), SIGKILL);
			deaths++;
			pids[0] = start(&writers[0]);
			continue;
		}
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		running--;
	}
	return deaths;
}

static void append_as_two(bool spills)
{
	struct writer writers[2] = {{.who = 'A', .is_mortal = true},
				    {.who = 'B'}};
	sink_dir_init(&writers[0].f);
	for (size_t i = 0; i < 2; i++) {
		struct writer *w = &writers[i];
		w->f = writers[0].f;
		w->shared = share(sizeof *w->shared);
		w->shared->now_ns = START_NS;
		writers[1 - i].other = w->shared;
		if (!spills)
			continue;
		snprintf(w->spill_dir, sizeof w->spill_dir, "%.64s/spill.%c",
			 w->f.dir, w->who);
		w->f.env.spill_dir = w->spill_dir;
		w->f.env.spill_bytes_max = SIZE_MAX;
	}
	unsigned deaths = run_writers(writers);
	assert_true(deaths > 20);
	assert_each_line_once(&writers[0].f);
	for (size_t i = 0; i < 2; i++)
		munmap(writers[i].shared, sizeof *writers[i].shared);
	sink_dir_fini(&writers[0].f);
}

static void two_processes_append_while_one_is_killed_repeatedly(void **state)
{
	(void)state;
	append_as_two(false);
}

static void two_processes_spill_while_one_is_killed_repeatedly(void **state)
{
	(void)state;
	append_as_two(true);
}

/* --- syncing */

static void the_fsync_policy_decides_when_to_sync(void **state)
{
	(void)state;
	static const struct {
		enum sink_fsync policy;
		uint64_t after_two, after_interval;
	} cases[] = {
		{SINK_FSYNC_NEVER, 0, 0},
		{SINK_FSYNC_BATCH, 4, 5},
		{SINK_FSYNC_INTERVAL, 2, 4},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sink_dir f;
		struct err e;
		sink_dir_init(&f);
		f.env.fsync = cases[i].policy;
		f.env.fsync_interval_s = 2.5;
		assert_true(sink_dir_try_open(&f, "    Path @\n", false, &e));
		const struct sink_stats *s = &f.sink->stats;
		for (int n = 0; n < 2; n++) {
			sink_dir_put(&f, "a", "1");
			sink_dir_put(&f, "b", "1");
			sink_dir_flush_all(&f);
		}
		assert_int_equal(s->fsyncs_total, cases[i].after_two);
		sink_dir_put(&f, "a", "2");
		sink_dir_wait_s(&f, 3);
		sink_dir_flush_all(&f);
		assert_int_equal(s->fsyncs_total, cases[i].after_interval);
		assert_int_equal(s->errors_total, 0);
		sink_dir_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_between_note_and_write_doubles_no_line),
		cmocka_unit_test(
			the_same_lines_of_another_process_do_not_count),
		cmocka_unit_test(a_kill_after_the_write_doubles_no_line),
		cmocka_unit_test(
			a_kill_doubles_and_loses_no_line_of_a_linked_file),
		cmocka_unit_test(
			a_kill_at_any_byte_of_the_write_doubles_no_line),
		cmocka_unit_test(a_second_kill_during_recovery_doubles_no_line),
		cmocka_unit_test(
			a_torn_write_is_noted_again_before_it_is_completed),
		cmocka_unit_test(lines_that_have_changed_are_all_written),
		cmocka_unit_test(lines_that_reached_no_file_are_noted_once),
		cmocka_unit_test(
			a_file_that_was_truncated_meanwhile_gets_all_lines),
		cmocka_unit_test(recovery_examines_a_file_that_is_locked),
		cmocka_unit_test(recovery_examines_a_file_that_is_read_only),
		cmocka_unit_test(
			recovery_waits_for_a_file_that_cannot_be_opened),
		cmocka_unit_test(older_lines_are_not_noted),
		cmocka_unit_test(
			lines_of_another_process_are_not_taken_for_ours),
		cmocka_unit_test(
			a_line_closed_by_another_process_is_written_again),
		cmocka_unit_test(
			a_closed_line_is_written_again_without_a_restart),
		cmocka_unit_test(a_torn_tail_of_another_process_is_waited_for),
		cmocka_unit_test(
			a_foreign_torn_tail_is_closed_after_ten_seconds),
		cmocka_unit_test(
			a_torn_line_whose_rest_was_dropped_is_closed_at_once),
		cmocka_unit_test(a_locked_file_delays_no_other_file),
		cmocka_unit_test(a_reader_that_locks_the_file_stops_nothing),
		cmocka_unit_test(only_the_owner_can_open_the_lock_file),
		cmocka_unit_test(a_removed_lock_file_is_created_again),
		cmocka_unit_test(without_a_lock_file_lines_are_written),
		cmocka_unit_test(a_symlink_as_lock_file_is_not_followed),
		cmocka_unit_test(a_file_that_is_write_only_is_appended_to),
		cmocka_unit_test(
			two_processes_append_while_one_is_killed_repeatedly),
		cmocka_unit_test(
			two_processes_spill_while_one_is_killed_repeatedly),
		cmocka_unit_test(the_fsync_policy_decides_when_to_sync),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
