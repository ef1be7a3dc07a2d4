/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for a file that cannot be written are kept in a spill beside the
 * journal. */
#include "bad_disk.h"
#include "lock_holder.h"
#include "spill_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/conf_keys.h"
#include "file/spill_file.h"
#include "file/spill_owners.h"
#include "setup/plugins.h"

/* --- spilling and draining */

static void lines_are_spilled_and_drained_in_order(void **state)
{
	(void)state;
	struct spill_dir s;
	struct stat st;
	char name[64];
	spill_dir_init(&s);
	spill_dir_block(&s, "a");
	for (int i = 1; i <= 3; i++) {
		char line[24];
		snprintf(line, sizeof line, "line %d", i);
		sink_dir_put(&s.f, "a", line);
		sink_dir_put(&s.f, "b", line);
		spill_dir_flush(&s);
	}
	const struct sink_stats *stats = &s.f.sink->stats;
	assert_string_equal(sink_dir_content(&s.f, "out/b"),
			    "line 1\nline 2\nline 3\n");
	assert_int_equal(stats->lines_queued, 3);
	assert_int_equal(stats->lines_spilled, 3);
	assert_int_equal(stats->messages_spilled, 3);
	assert_int_equal(stats->spilled_bytes,
			 3 * (sizeof(struct spill_chunk) + 7));
	assert_int_equal(stat(s.f.spills, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(
		stat(sink_dir_path(&s.f, spill_dir_only(&s, ".spill", name)),
		     &st),
		0);
	assert_int_equal(st.st_mode & 07777, 0600);
	const char *text = sink_dir_content(&s.f, name);
	assert_non_null(strstr(text, " file.0 "));
	assert_non_null(strstr(text, "/out/a\n"));

	spill_dir_unblock(&s, "a");
	sink_dir_put(&s.f, "a", "line 4");
	spill_dir_assert_written(&s, "line 1\nline 2\nline 3\nline 4\n");
	assert_int_equal(stats->lines_written_total, 7);
	spill_dir_fini(&s);
}

static void a_spill_is_not_drained_before_its_commit(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_init(&s);
	spill_dir_block(&s, "a");
	bad_disk_begin(sink_dir_path(&s.f, "out/full"), ENOSPC);
	sink_dir_put(&s.f, "a", "line 1");
	sink_dir_put(&s.f, "full", "x");
	assert_int_equal(sink_dir_flush_only(&s.f), SINK_BLOCKED);
	spill_dir_unblock(&s, "a");
	/* The file works again, but before the commit a killed process would
	 * write the lines twice. */
	assert_int_equal(sink_dir_flush_only(&s.f), SINK_BLOCKED);
	assert_false(sink_dir_exists(&s.f, "out/a"));
	bad_disk_end();
	spill_dir_flush(&s);
	spill_dir_assert_written(&s, "line 1\n");
	spill_dir_fini(&s);
}

static void a_large_spill_is_drained_in_pieces_of_whole_lines(void **state)
{
	(void)state;
	enum { LINE = 100003, LINES = 55 };
	struct spill_dir s;
	char *text = malloc(LINE + 1);
	spill_dir_init(&s);
	spill_dir_block(&s, "a");
	for (int i = 0; i < LINES; i++) {
		memset(text, 'a' + i % 26, LINE);
		text[LINE] = '\0';
		sink_dir_put(&s.f, "a", text);
		if (i % 7 == 0)
			spill_dir_flush(&s);
	}
	spill_dir_flush(&s);
	spill_dir_unblock(&s, "a");
	assert_int_equal(sink_dir_flush_only(&s.f), SINK_FLUSHED);
	assert_true(s.left->count > 4);
	for (size_t i = 0; i < s.left->count; i++) {
		const struct append_note *n = &s.left->notes[i];
		assert_int_equal(n->kind, APPEND_SPILL);
		assert_int_equal(n->length_bytes % (LINE + 1), 0);
		assert_true(n->length_bytes <= 1024 * 1024 + LINE);
	}
	spill_dir_commit(&s);
	const char *all = sink_dir_content(&s.f, "out/a");
	assert_int_equal(strlen(all), LINES * (LINE + 1));
	for (int i = 0; i < LINES; i++)
		for (int n = 0; n <= LINE; n += LINE / 2)
			assert_int_equal(all[i * (LINE + 1) + n], 'a' + i % 26);
	assert_false(spill_dir_has_spill(&s));
	free(text);
	spill_dir_fini(&s);
}

static void a_full_spill_refuses_the_newest_lines(void **state)
{
	(void)state;
	struct spill_dir s;
	enum drop_reason reason = DROP_unrouted;
	spill_dir_init(&s);
	sink_dir_close(&s.f);
	s.f.env.spill_bytes_max = 90;
	spill_dir_open(&s);
	spill_dir_block(&s, "a");
	for (int i = 0; i < 3;
	     i++) { /* each line takes 31 bytes in the spill */
		sink_dir_put(&s.f, "a", "line 1");
		spill_dir_flush(&s);
	}
	assert_false(
		sink_dir_put_span(&s.f, SPAN("a"), SPAN("m"), true, &reason));
	assert_int_equal(reason, DROP_write_failed);
	assert_true(
		sink_dir_put_span(&s.f, SPAN("b"), SPAN("m"), true, &reason));
	spill_dir_flush(&s);
	/* The same after a restart, when the sink does not know yet that the
	 * file fails. */
	spill_dir_restart(&s);
	assert_false(
		sink_dir_put_span(&s.f, SPAN("a"), SPAN("m"), true, &reason));
	spill_dir_unblock(&s, "a");
	spill_dir_assert_written(&s, "line 1\nline 1\nline 1\n");
	sink_dir_put(&s.f, "a", "line 2");
	spill_dir_assert_written(&s, "line 1\nline 1\nline 1\nline 2\n");
	assert_int_equal(s.f.sink->stats.lines_dropped_total[DROP_write_failed],
			 2);
	spill_dir_fini(&s);
}

static void as_many_files_spill_as_there_is_room_for(void **state)
{
	(void)state;
	struct spill_dir s;
	enum { FILES = 100, ROOM = 8 };
	spill_dir_init(&s);
	sink_dir_close(&s.f);
	s.f.env.spill_bytes_max = ROOM * 4096;
	spill_dir_open(&s);
	char name[16];
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "f%d", i);
		spill_dir_block(&s, name);
		sink_dir_put(&s.f, name, "line");
		spill_dir_flush(&s);
	}
	const struct sink_stats *stats = &s.f.sink->stats;
	assert_in_range(stats->lines_queued, 1, ROOM);
	assert_int_equal(stats->lines_queued +
				 stats->lines_dropped_total[DROP_write_failed],
			 FILES);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "f%d", i);
		spill_dir_unblock(&s, name);
	}
	spill_dir_fini(&s);
}

static void without_a_spill_directory_lines_wait_in_memory(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_init(&s);
	sink_dir_write(&s.f, "spill", "no directory");
	spill_dir_block(&s, "a");
	for (int i = 0; i < 2; i++) {
		sink_dir_put(&s.f, "a", "older");
		assert_int_equal(spill_dir_flush_unspilled(&s),
				 i == 0 ? 10 : 0);
	}
	assert_int_equal(s.f.sink->stats.lines_queued, 2);
	assert_int_equal(s.f.sink->stats.lines_spilled, 0);
	/* As soon as the directory exists, the lines are spilled, the older
	 * ones first. */
	assert_int_equal(unlink(sink_dir_path(&s.f, "spill")), 0);
	sink_dir_put(&s.f, "a", "newer");
	sink_dir_flush_only(&s.f);
	assert_int_equal(s.f.sink->stats.lines_spilled, 3);
	assert_int_equal(s.left->count, 1);
	assert_int_equal(s.left->notes[0].length_bytes,
			 sizeof(struct spill_chunk) + strlen("newer\n"));
	spill_dir_commit(&s);
	spill_dir_unblock(&s, "a");
	spill_dir_assert_written(&s, "older\nolder\nnewer\n");
	spill_dir_fini(&s);
}

static void lines_of_a_removed_spill_are_counted_as_dropped(void **state)
{
	(void)state;
	struct spill_dir s;
	char name[64];
	spill_dir_init(&s);
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 1");
	spill_dir_flush(&s);
	assert_int_equal(
		unlink(sink_dir_path(&s.f, spill_dir_only(&s, ".spill", name))),
		0);
	spill_dir_unblock(&s, "a");
	sink_dir_put(&s.f, "a", "line 2");
	spill_dir_assert_written(&s, "line 2\n");
	assert_int_equal(s.f.sink->stats.lines_dropped_total[DROP_write_failed],
			 1);
	spill_dir_fini(&s);
}

/* The size limit of the first flush applies to the spill, too.  So the spill
 * takes the lines in the second flush if this comes before the retry of the
 * file.  Otherwise the second flush writes them to the file. */
static void a_torn_line_is_completed_from_the_spill(void **state)
{
	(void)state;
	for (rlim_t cut = 0; cut <= 21; cut++) {
		struct spill_dir s;
		spill_dir_init(&s);
		sink_dir_put(&s.f, "a", "line 1");
		sink_dir_put(&s.f, "a", "line 2");
		sink_dir_put(&s.f, "a", "line 3");
		limit_file_size(cut);
		sink_dir_flush_only(&s.f);
		limit_file_size(RLIM_INFINITY);
		sink_dir_wait_s(&s.f, cut % 2 ? 0 : 10);
		sink_dir_flush_only(&s.f);
		spill_dir_commit(&s);
		if (cut % 3 == 0)
			spill_dir_restart(&s);
		sink_dir_wait_s(&s.f, 10);
		sink_dir_put(&s.f, "a", "line 4");
		spill_dir_assert_written(&s,
					 "line 1\nline 2\nline 3\nline 4\n");
		assert_int_equal(s.f.sink->stats.lines_written_total, 4);
		spill_dir_fini(&s);
	}
}

/* --- a process that is killed, or just ends */

static void the_next_process_continues_to_drain(void **state)
{
	(void)state;
	for (int has_counters = 0; has_counters < 2; has_counters++) {
		struct spill_dir s;
		spill_dir_init(&s);
		spill_dir_block(&s, "a");
		sink_dir_put(&s.f, "a", "line 1");
		sink_dir_put(&s.f, "b", "line 1");
		spill_dir_flush(&s);
		sink_dir_close(&s.f);
		spill_dir_open(&s);
		const struct sink_stats *stats = &s.f.sink->stats;
		if (has_counters)
			spill_dir_restore(&s);
		sink_dir_put(&s.f, "a",
			     "line 2"); /* otherwise they are counted now */
		assert_int_equal(stats->lines_queued, 2);
		assert_int_equal(stats->lines_total, has_counters ? 3 : 2);
		assert_int_equal(stats->files_open, 0);
		spill_dir_flush(&s);
		assert_int_equal(stats->lines_spilled, 2);
		spill_dir_unblock(&s, "a");
		spill_dir_assert_written(&s, "line 1\nline 2\n");
		assert_int_equal(stats->lines_written_total,
				 has_counters ? 3 : 2);
		spill_dir_fini(&s);
	}
}

static void a_spill_of_another_output_is_left_alone(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_init(&s);
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 1");
	spill_dir_flush(&s);
	spill_dir_unblock(&s, "a");
	sink_dir_close(&s.f);
	spill_dir_open(&s);
	sink_dir_close(&s.f);
	struct err e;
	s.f.env.name = "other";
	s.f.env.spill_owners = spill_owners_new();
	struct buf text = {0};
	buf_put_text(&text, "[OUTPUT]\n    Format plain\n");
	s.f.conf = conf_read_text("t.conf", text.ptr, text.len, &e);
	buf_fini(&text);
	conf_declare(conf_section(s.f.conf, 0), file_sink_ops.keys);
	s.f.sink = file_sink_ops.open(conf_section(s.f.conf, 0), &s.f.env, &e);
	s.f.sink->ops = &file_sink_ops;
	sink_dir_flush_all(&s.f);
	assert_true(spill_dir_has_spill(&s));
	assert_false(sink_dir_exists(&s.f, "out/a"));
	spill_dir_fini(&s);
}

static void a_repeated_batch_is_spilled_once(void **state)
{
	(void)state;
	/* Kill the process at the note of the chunk, or after it.  The file
	 * works again for the next process, or does not. */
	for (unsigned kind = 0; kind < 4; kind++) {
		struct spill_dir s;
		spill_dir_init(&s);
		spill_dir_block(&s, "a");
		sink_dir_put(&s.f, "a", "line 1");
		spill_dir_flush(&s);
		struct spill_batch b = {&s, "line 2", RLIM_INFINITY, kind % 2};
		run_and_kill(spill_batch_run, &b);
		if (kind / 2)
			spill_dir_unblock(&s, "a");
		spill_dir_restart(&s);
		assert_int_equal(s.f.sink->stats.lines_queued, 1);
		sink_dir_put(&s.f, "a", "line 2");
		spill_dir_flush(&s);
		if (kind / 2 == 0)
			spill_dir_unblock(&s, "a");
		sink_dir_put(&s.f, "a", "line 3");
		spill_dir_assert_written(&s, "line 1\nline 2\nline 3\n");
		assert_int_equal(s.f.sink->stats.lines_total, 3);
		spill_dir_fini(&s);
	}
}

/* Restore the old position, as if the process had been killed before saving the
 * new one. */
static void forget_position(struct spill_dir *s, const struct spill_state *old)
{
	char name[64];
	int fd = open(sink_dir_path(&s->f, spill_dir_only(s, ".spill", name)),
		      O_RDWR);
	assert_true(fd >= 0);
	for (off_t at = 64;; at += 64) {
		struct spill_state now;
		assert_int_equal(pread(fd, &now, sizeof now, at), sizeof now);
		if (now.magic != SPILL_STATE_MAGIC)
			continue;
		if (old != NULL)
			pwrite(fd, old, sizeof *old, at) == sizeof *old
				? (void)0
				: fail();
		break;
	}
	close(fd);
}

static struct spill_state read_position(struct spill_dir *s)
{
	char name[64];
	struct spill_state state = {0};
	int fd = open(sink_dir_path(&s->f, spill_dir_only(s, ".spill", name)),
		      O_RDONLY);
	assert_true(fd >= 0);
	for (off_t at = 64; state.magic != SPILL_STATE_MAGIC; at += 64)
		assert_int_equal(pread(fd, &state, sizeof state, at),
				 sizeof state);
	close(fd);
	return state;
}

/* The file is longer than the spill, so that a size limit for the file does not
 * affect the spill. */
static void spill_three_for_a_long_file(struct spill_dir *s)
{
	char pad[PAD_BYTES + 1];
	spill_dir_spill_three(s);
	memset(pad, 'x', PAD_BYTES);
	pad[PAD_BYTES - 1] = '\n';
	pad[PAD_BYTES] = '\0';
	sink_dir_write(&s->f, "out/a", pad);
	s->pad_bytes = PAD_BYTES;
}

/* Cut the write at each byte, with and without the saved position, and with a
 * batch after it. */
static void a_kill_while_draining_doubles_no_line(void **state)
{
	(void)state;
	enum { BYTES = sizeof THREE_LINES - 1 };
	for (unsigned i = 0; i < 4 * (BYTES + 2); i++) {
		rlim_t cut = i / 4;
		bool has_line = i % 2, is_saved = i / 2 % 2;
		struct spill_dir s;
		spill_three_for_a_long_file(&s);
		struct spill_state old = read_position(&s);
		struct spill_batch b = {&s, has_line ? "line 4" : NULL, 0, 0};
		b.cut_bytes = cut <= BYTES ? PAD_BYTES + cut : RLIM_INFINITY;
		if (cut > BYTES)
			b.kill_in = 1;
		run_and_kill(spill_batch_run, &b);
		if (!is_saved)
			forget_position(&s, &old);
		spill_dir_restart(&s);
		assert_true(s.f.sink->stats.lines_queued <= 3);
		if (has_line)
			sink_dir_put(&s.f, "a", "line 4");
		spill_dir_assert_written(&s,
					 has_line ? "line 1\nline 2\nline 3\n"
						    "line 4\n"
						  : THREE_LINES);
		assert_int_equal(s.f.sink->stats.lines_total, 3 + has_line);
		assert_int_equal(s.f.sink->stats.lines_written_total,
				 3 + has_line);
		spill_dir_fini(&s);
	}
}

/* Nothing could be written, and another process writes the same lines: they are
 * not this process' lines. */
static void the_same_lines_of_another_process_do_not_count(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct spill_dir s;
		spill_three_for_a_long_file(&s);
		s.left->has_failures = true;
		struct spill_state old = read_position(&s);
		struct spill_batch b = {&s, NULL, PAD_BYTES, 0};
		run_and_kill(spill_batch_run, &b);
		if (i == 1)
			forget_position(&s, &old);
		FILE *file = fopen(sink_dir_path(&s.f, "out/a"), "a");
		assert_non_null(file);
		fputs(THREE_LINES, file);
		fclose(file);
		spill_dir_restart(&s);
		spill_dir_assert_written(&s, THREE_LINES THREE_LINES);
		spill_dir_fini(&s);
	}
}

static void a_kill_before_the_file_is_locked_doubles_no_line(void **state)
{
	(void)state;
	for (rlim_t cut = 0; cut <= sizeof THREE_LINES - 1; cut++) {
		struct spill_dir s;
		spill_three_for_a_long_file(&s);
		struct spill_state old = read_position(&s);
		struct spill_batch b = {&s, "line 4", PAD_BYTES + cut, 0};
		run_and_kill(spill_batch_run, &b);
		forget_position(&s, &old);
		spill_dir_restart(&s);
		sink_dir_put(&s.f, "a", "line 4");
		char out[PATH_MAX];
		snprintf(out, sizeof out, "%s", sink_dir_path(&s.f, "out"));
		pid_t holder = lock_hold(out, sink_dir_path(&s.f, "out/a"));
		spill_dir_flush(&s);
		lock_drop(holder);
		sink_dir_wait_s(&s.f, 1);
		spill_dir_assert_written(&s,
					 "line 1\nline 2\nline 3\nline 4\n");
		spill_dir_fini(&s);
	}
}

static void a_kill_right_before_the_commit_doubles_no_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct spill_dir s;
		spill_three_for_a_long_file(&s);
		struct spill_state old = read_position(&s);
		struct spill_batch b = {&s, "line 4", RLIM_INFINITY, 0};
		run_and_kill(spill_batch_run, &b);
		if (i == 1)
			forget_position(&s, &old);
		spill_dir_restart(&s);
		assert_int_equal(s.f.sink->stats.lines_queued, i == 0 ? 0 : 3);
		sink_dir_put(&s.f, "a", "line 4");
		spill_dir_assert_written(&s,
					 "line 1\nline 2\nline 3\nline 4\n");
		assert_int_equal(s.f.sink->stats.lines_written_total, 4);
		spill_dir_fini(&s);
	}
}

/* Kill the process after it wrote all spilled lines and before it saves the
 * position. */
static void kill_after_the_write(struct spill_dir *s)
{
	spill_three_for_a_long_file(s);
	struct spill_state old = read_position(s);
	struct spill_batch b = {s, NULL, RLIM_INFINITY, 0};
	run_and_kill(spill_batch_run, &b);
	forget_position(s, &old);
	spill_dir_restart(s);
}

static void a_spill_that_proves_drained_is_not_reported_as_lost(void **state)
{
	(void)state;
	struct spill_dir s;
	kill_after_the_write(&s);
	spill_dir_assert_written(&s, THREE_LINES);
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

/* The size limit affects only the file. */
static void a_spill_that_proves_drained_accepts_new_lines(void **state)
{
	(void)state;
	struct spill_dir s;
	kill_after_the_write(&s);
	sink_dir_put(&s.f, "a", "line 4");
	limit_file_size(PAD_BYTES + sizeof THREE_LINES - 1);
	sink_dir_flush_only(&s.f);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(s.f.sink->stats.lines_spilled, 1);
	spill_dir_commit(&s);
	spill_dir_restart(&s);
	spill_dir_assert_written(&s, "line 1\nline 2\nline 3\nline 4\n");
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

/* Lines that the new batch spilled must not be drained yet. */
static void lines_spilled_after_the_drained_ones_are_kept(void **state)
{
	(void)state;
	struct spill_dir s;
	kill_after_the_write(&s);
	sink_dir_move(&s.f, "out/a", "out/away");
	spill_dir_block(&s, "a");
	bad_disk_begin(sink_dir_path(&s.f, "out/full"), ENOSPC);
	sink_dir_put(&s.f, "a", "line 4");
	sink_dir_put(&s.f, "full", "x");
	assert_int_equal(sink_dir_flush_only(&s.f), SINK_BLOCKED);
	assert_int_equal(s.f.sink->stats.lines_spilled, 4);
	spill_dir_unblock(&s, "a");
	sink_dir_move(&s.f, "out/away", "out/a");
	assert_int_equal(sink_dir_flush_only(&s.f), SINK_BLOCKED);
	bad_disk_end();
	spill_dir_assert_written(&s, "line 1\nline 2\nline 3\nline 4\n");
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

/* Write the first `cut` bytes of the spilled lines to the file and commit. */
static void drain_torn(struct spill_dir *s, rlim_t cut)
{
	spill_three_for_a_long_file(s);
	limit_file_size(PAD_BYTES + cut);
	sink_dir_flush_only(&s->f);
	limit_file_size(RLIM_INFINITY);
	spill_dir_commit(s);
}

static void a_line_torn_while_draining_goes_whole_to_a_new_file(void **state)
{
	(void)state;
	for (rlim_t cut = 1; cut < sizeof THREE_LINES - 1; cut++) {
		struct spill_dir s;
		drain_torn(&s, cut);
		sink_dir_move(&s.f, "out/a", "out/a.1");
		if (cut % 2)
			spill_dir_restart(&s);
		sink_dir_wait_s(&s.f, 10);
		s.pad_bytes = 0;
		spill_dir_assert_written(&s, &THREE_LINES[cut / 7 * 7]);
		assert_int_equal(strlen(sink_dir_content(&s.f, "out/a.1")),
				 PAD_BYTES + cut);
		assert_int_equal(s.f.sink->stats.lines_written_total, 3);
		spill_dir_fini(&s);
	}
}

static void a_drained_line_closed_by_another_is_written_whole(void **state)
{
	(void)state;
	for (rlim_t cut = 1; cut < sizeof THREE_LINES - 1; cut++) {
		struct spill_dir s;
		char expected[64];
		drain_torn(&s, cut);
		int fd =
			open(sink_dir_path(&s.f, "out/a"), O_WRONLY | O_APPEND);
		assert_int_equal(write(fd, "\nother\n", 7), 7);
		close(fd);
		sink_dir_wait_s(&s.f, 10);
		if (cut % 2) { /* killed before it saves the position */
			struct spill_state old = read_position(&s);
			struct spill_batch b = {&s, NULL, RLIM_INFINITY, 0};
			run_and_kill(spill_batch_run, &b);
			forget_position(&s, &old);
			spill_dir_restart(&s);
		}
		snprintf(expected, sizeof expected, "%.*s\nother\n%s", (int)cut,
			 THREE_LINES, &THREE_LINES[cut / 7 * 7]);
		spill_dir_assert_written(&s, expected);
		assert_int_equal(s.f.sink->stats.lines_written_total, 3);
		spill_dir_fini(&s);
	}
}

/* They are not committed, so no kill can lose them. */
static void lines_that_cannot_be_spilled_now_block_the_sink(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_init(&s);
	sink_dir_write(&s.f, "spill", "no directory");
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 1");
	assert_int_equal(sink_dir_flush_only(&s.f), SINK_BLOCKED);
	assert_int_equal(unlink(sink_dir_path(&s.f, "spill")), 0);
	spill_dir_flush(&s);
	assert_int_equal(s.f.sink->stats.lines_spilled, 1);
	spill_dir_unblock(&s, "a");
	spill_dir_assert_written(&s, "line 1\n");
	spill_dir_fini(&s);
}

static void lines_lost_with_the_memory_of_a_process_are_counted(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_init(&s);
	sink_dir_write(&s.f, "spill", "no directory");
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 1");
	spill_dir_flush_unspilled(&s);
	spill_dir_restart(&s);
	const struct sink_stats *stats = &s.f.sink->stats;
	assert_int_equal(stats->lines_queued, 0);
	assert_int_equal(stats->lines_dropped_total[DROP_write_failed], 1);
	spill_dir_fini(&s);
}

static void an_unreadable_spill_is_drained_once_it_can_be_opened(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	spill_dir_hide(&s, s.name);
	for (int i = 0; i < 3; i++) {
		spill_dir_restart(&s);
		spill_dir_flush(&s);
		assert_int_equal(s.f.sink->stats.lines_queued, 3);
		assert_int_equal(s.f.sink->stats.lines_written_total, 0);
	}
	spill_dir_show(&s, s.name);
	spill_dir_assert_written(&s, THREE_LINES);
	assert_int_equal(s.f.sink->stats.lines_written_total, 3);
	assert_int_equal(s.f.sink->stats.lines_total, 3);
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

static void lines_following_an_unreadable_spill_are_spilled_too(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	spill_dir_hide(&s, s.name);
	spill_dir_restart(&s);
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 4");
	spill_dir_flush(&s);
	assert_int_equal(s.f.sink->stats.lines_spilled, 4);
	assert_int_equal(s.f.sink->stats.lines_queued, 4);
	spill_dir_unblock(&s, "a");
	spill_dir_flush(&s);
	assert_string_equal(sink_dir_content(&s.f, "out/a"), "line 4\n");
	assert_int_equal(s.f.sink->stats.lines_queued, 3);
	spill_dir_show(&s, s.name);
	spill_dir_assert_written(&s, "line 4\nline 1\nline 2\nline 3\n");
	assert_int_equal(s.f.sink->stats.lines_total, 4);
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

/* --- damage */

static void is_whole_lines(const char *text, size_t *count)
{
	*count = 0;
	for (; *text != '\0'; text += 7, (*count)++)
		assert_int_equal(strncmp(text, &THREE_LINES[*count * 7], 7), 0);
}

static void a_truncated_spill_delivers_its_whole_lines(void **state)
{
	(void)state;
	struct spill_dir s;
	char name[64], damaged[64];
	spill_dir_spill_three(&s);
	spill_dir_only(&s, ".spill", name);
	spill_dir_copy(&s, name, "whole");
	uint64_t size = spill_dir_size_of(&s, name);
	sink_dir_close(&s.f);
	for (uint64_t len = 0; len <= size; len++) {
		size_t count;
		spill_dir_copy(&s, "whole", name);
		assert_int_equal(
			truncate(sink_dir_path(&s.f, name), (off_t)len), 0);
		spill_dir_restart(&s);
		sink_dir_flush_all(&s.f);
		is_whole_lines(sink_dir_exists(&s.f, "out/a")
				       ? sink_dir_content(&s.f, "out/a")
				       : "",
			       &count);
		const struct sink_stats *stats = &s.f.sink->stats;
		assert_int_equal(stats->lines_total, 3);
		if (len == size)
			assert_int_equal(count, 3);
		if (*spill_dir_only(&s, ".damaged", damaged) != '\0') {
			assert_int_equal(
				stats->lines_dropped_total[DROP_write_failed],
				3 - count);
			assert_int_equal(unlink(sink_dir_path(&s.f, damaged)),
					 0);
		}
		unlink(sink_dir_path(&s.f, "out/a"));
		sink_dir_close(&s.f);
	}
	spill_dir_fini(&s);
}

static void a_spill_with_any_byte_changed_is_survived(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	spill_dir_copy(&s, s.name, "whole");
	uint64_t size = spill_dir_size_of(&s, s.name);
	sink_dir_close(&s.f);
	for (uint64_t at = 0; at < size; at++) {
		spill_dir_copy(&s, "whole", s.name);
		int fd = open(sink_dir_path(&s.f, s.name), O_RDWR);
		unsigned char byte;
		assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
		byte = (unsigned char)(byte ^ (1u << at % 8));
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		close(fd);
		spill_dir_restart(&s);
		sink_dir_flush(&s.f);
		sink_dir_flush(&s.f);
		assert_true(s.f.sink->stats.lines_written_total <= 3);
		sink_dir_close(&s.f);
		struct buf command = {0};
		buf_printf(&command, "rm -rf %s/spill/* %s/out/*", s.f.dir,
			   s.f.dir);
		assert_int_equal(system(buf_text(&command)), 0);
		buf_fini(&command);
	}
	spill_dir_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_spilled_and_drained_in_order),
		cmocka_unit_test(a_spill_is_not_drained_before_its_commit),
		cmocka_unit_test(
			lines_that_cannot_be_spilled_now_block_the_sink),
		cmocka_unit_test(
			a_large_spill_is_drained_in_pieces_of_whole_lines),
		cmocka_unit_test(a_full_spill_refuses_the_newest_lines),
		cmocka_unit_test(as_many_files_spill_as_there_is_room_for),
		cmocka_unit_test(
			without_a_spill_directory_lines_wait_in_memory),
		cmocka_unit_test(
			lines_of_a_removed_spill_are_counted_as_dropped),
		cmocka_unit_test(a_torn_line_is_completed_from_the_spill),
		cmocka_unit_test(the_next_process_continues_to_drain),
		cmocka_unit_test(a_spill_of_another_output_is_left_alone),
		cmocka_unit_test(a_repeated_batch_is_spilled_once),
		cmocka_unit_test(a_kill_while_draining_doubles_no_line),
		cmocka_unit_test(
			the_same_lines_of_another_process_do_not_count),
		cmocka_unit_test(
			a_kill_before_the_file_is_locked_doubles_no_line),
		cmocka_unit_test(
			a_kill_right_before_the_commit_doubles_no_line),
		cmocka_unit_test(
			a_spill_that_proves_drained_is_not_reported_as_lost),
		cmocka_unit_test(a_spill_that_proves_drained_accepts_new_lines),
		cmocka_unit_test(lines_spilled_after_the_drained_ones_are_kept),
		cmocka_unit_test(
			a_line_torn_while_draining_goes_whole_to_a_new_file),
		cmocka_unit_test(
			a_drained_line_closed_by_another_is_written_whole),
		cmocka_unit_test(
			lines_lost_with_the_memory_of_a_process_are_counted),
		cmocka_unit_test(
			an_unreadable_spill_is_drained_once_it_can_be_opened),
		cmocka_unit_test(
			lines_following_an_unreadable_spill_are_spilled_too),
		cmocka_unit_test(a_truncated_spill_delivers_its_whole_lines),
		cmocka_unit_test(a_spill_with_any_byte_changed_is_survived),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
