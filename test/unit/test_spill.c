/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a file that cannot be written, in a file beside the journal. */
#include "spilling.h"

#include <fcntl.h>
#include <sys/file.h>

#include "file/spill_file.h"

/* --- aside and back */

static void lines_are_spilled_and_come_back_in_order(void **state)
{
	(void)state;
	struct spilling s;
	struct stat st;
	char name[64];
	make_spilling(&s);
	block(&s, "a");
	for (int i = 1; i <= 3; i++) {
		char line[16];
		snprintf(line, sizeof line, "line %d", i);
		put(&s.f, "a", line);
		put(&s.f, "b", line);
		flush_and_commit(&s);
	}
	const struct sink_stats *stats = &s.f.sink->stats;
	assert_string_equal(content(&s.f, "out/b"), "line 1\nline 2\nline 3\n");
	assert_int_equal(stats->lines_queued, 3);
	assert_int_equal(stats->lines_spilled, 3);
	assert_int_equal(stats->messages_spilled, 3);
	assert_int_equal(stats->spilled_bytes,
			 3 * (sizeof(struct spill_chunk) + 7));
	assert_int_equal(stat(s.dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(path(&s.f, only(&s, ".spill", name)), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	const char *text = content(&s.f, name);
	assert_non_null(strstr(text, " file.0 "));
	assert_non_null(strstr(text, "/out/a\n"));

	unblock(&s, "a");
	put(&s.f, "a", "line 4");
	assert_all_written(&s, "line 1\nline 2\nline 3\nline 4\n");
	assert_int_equal(stats->lines_written_total, 7);
	end(&s);
}

static void a_spill_is_not_drained_before_its_commit(void **state)
{
	(void)state;
	struct spilling s;
	make_spilling(&s);
	block(&s, "a");
	assert_int_equal(symlink("/dev/full", path(&s.f, "out/full")), 0);
	put(&s.f, "a", "line 1");
	put(&s.f, "full", "x");
	assert_int_equal(flush_only(&s.f), SINK_BLOCKED);
	unblock(&s, "a");
	/* It works again, but a killed process would write it twice. */
	assert_int_equal(flush_only(&s.f), SINK_BLOCKED);
	assert_false(exists(&s.f, "out/a"));
	assert_int_equal(unlink(path(&s.f, "out/full")), 0);
	flush_and_commit(&s);
	assert_all_written(&s, "line 1\n");
	end(&s);
}

static void a_large_spill_comes_in_pieces_of_whole_lines(void **state)
{
	(void)state;
	enum { LINE = 100003, LINES = 55 };
	struct spilling s;
	char *text = malloc(LINE + 1);
	make_spilling(&s);
	block(&s, "a");
	for (int i = 0; i < LINES; i++) {
		memset(text, 'a' + i % 26, LINE);
		text[LINE] = '\0';
		put(&s.f, "a", text);
		if (i % 7 == 0)
			flush_and_commit(&s);
	}
	flush_and_commit(&s);
	unblock(&s, "a");
	assert_int_equal(flush_only(&s.f), SINK_FLUSHED);
	assert_true(s.left->count > 4);
	for (size_t i = 0; i < s.left->count; i++) {
		const struct append_note *n = &s.left->notes[i];
		assert_int_equal(n->kind, APPEND_SPILL);
		assert_int_equal(n->length_bytes % (LINE + 1), 0);
		assert_true(n->length_bytes <= 1024 * 1024 + LINE);
	}
	commit_all(&s);
	const char *all = content(&s.f, "out/a");
	assert_int_equal(strlen(all), LINES * (LINE + 1));
	for (int i = 0; i < LINES; i++)
		for (int n = 0; n <= LINE; n += LINE / 2)
			assert_int_equal(all[i * (LINE + 1) + n], 'a' + i % 26);
	assert_false(has_spill(&s));
	free(text);
	end(&s);
}

static void when_it_is_full_the_newest_are_refused(void **state)
{
	(void)state;
	struct spilling s;
	enum drop_reason reason = DROP_unrouted;
	make_spilling(&s);
	close_sink(&s.f);
	s.f.env.spill_bytes_max = 90;
	open_sink(&s);
	block(&s, "a");
	for (int i = 0; i < 3; i++) { /* 31 bytes each */
		put(&s.f, "a", "line 1");
		flush_and_commit(&s);
	}
	assert_false(put_span(&s.f, SPAN("a"), SPAN("m"), true, &reason));
	assert_int_equal(reason, DROP_write_failed);
	assert_true(put_span(&s.f, SPAN("b"), SPAN("m"), true, &reason));
	flush_and_commit(&s);
	/* Nor after a restart, when nobody knows yet that it fails. */
	restart(&s);
	assert_false(put_span(&s.f, SPAN("a"), SPAN("m"), true, &reason));
	unblock(&s, "a");
	assert_all_written(&s, "line 1\nline 1\nline 1\n");
	put(&s.f, "a", "line 2");
	assert_all_written(&s, "line 1\nline 1\nline 1\nline 2\n");
	assert_int_equal(s.f.sink->stats.lines_dropped_total[DROP_write_failed],
			 2);
	end(&s);
}

static void as_many_files_wait_as_there_is_room_for(void **state)
{
	(void)state;
	struct spilling s;
	enum { FILES = 100, ROOM = 8 };
	make_spilling(&s);
	close_sink(&s.f);
	s.f.env.spill_bytes_max = ROOM * 4096;
	open_sink(&s);
	char name[16];
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "f%d", i);
		block(&s, name);
		put(&s.f, name, "line");
		flush_and_commit(&s);
	}
	const struct sink_stats *stats = &s.f.sink->stats;
	assert_in_range(stats->lines_queued, 1, ROOM);
	assert_int_equal(stats->lines_queued +
				 stats->lines_dropped_total[DROP_write_failed],
			 FILES);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "f%d", i);
		unblock(&s, name);
	}
	end(&s);
}

static void without_a_place_lines_wait_in_memory(void **state)
{
	(void)state;
	struct spilling s;
	make_spilling(&s);
	write_file(&s.f, "spill", "no directory");
	block(&s, "a");
	for (int i = 0; i < 2; i++) {
		put(&s.f, "a", "older");
		flush_and_commit(&s);
	}
	assert_int_equal(s.f.sink->stats.lines_queued, 2);
	assert_int_equal(s.f.sink->stats.lines_spilled, 0);
	/* As soon as there is one, they are spilled, the older ones apart. */
	assert_int_equal(unlink(path(&s.f, "spill")), 0);
	put(&s.f, "a", "newer");
	flush_only(&s.f);
	assert_int_equal(s.f.sink->stats.lines_spilled, 3);
	assert_int_equal(s.left->count, 1);
	assert_int_equal(s.left->notes[0].length_bytes,
			 sizeof(struct spill_chunk) + strlen("newer\n"));
	commit_all(&s);
	unblock(&s, "a");
	assert_all_written(&s, "older\nolder\nnewer\n");
	end(&s);
}

static void a_spill_that_was_removed_is_counted_as_lost(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	make_spilling(&s);
	block(&s, "a");
	put(&s.f, "a", "line 1");
	flush_and_commit(&s);
	assert_int_equal(unlink(path(&s.f, only(&s, ".spill", name))), 0);
	unblock(&s, "a");
	put(&s.f, "a", "line 2");
	assert_all_written(&s, "line 2\n");
	assert_int_equal(s.f.sink->stats.lines_dropped_total[DROP_write_failed],
			 1);
	end(&s);
}

/* The limit concerns the spill too, so that the lines get there only with the
 * second flush, which comes before the file would be tried again, or are
 * written by it. */
static void a_torn_line_is_completed_from_the_spill(void **state)
{
	(void)state;
	for (rlim_t cut = 0; cut <= 21; cut++) {
		struct spilling s;
		make_spilling(&s);
		put(&s.f, "a", "line 1");
		put(&s.f, "a", "line 2");
		put(&s.f, "a", "line 3");
		limit_file_size(cut);
		flush_only(&s.f);
		limit_file_size(RLIM_INFINITY);
		wait_s(&s.f, cut % 2 ? 0 : 10);
		flush_only(&s.f);
		commit_all(&s);
		if (cut % 3 == 0)
			restart(&s);
		wait_s(&s.f, 10);
		put(&s.f, "a", "line 4");
		assert_all_written(&s, "line 1\nline 2\nline 3\nline 4\n");
		assert_int_equal(s.f.sink->stats.lines_written_total, 4);
		end(&s);
	}
}

/* --- a process that is killed, or just ends */

static void the_next_process_goes_on(void **state)
{
	(void)state;
	for (int has_counters = 0; has_counters < 2; has_counters++) {
		struct spilling s;
		make_spilling(&s);
		block(&s, "a");
		put(&s.f, "a", "line 1");
		put(&s.f, "b", "line 1");
		flush_and_commit(&s);
		close_sink(&s.f);
		open_sink(&s);
		const struct sink_stats *stats = &s.f.sink->stats;
		if (has_counters)
			s.f.sink->ops->restore(s.f.sink, s.committed);
		put(&s.f, "a", "line 2"); /* else now */
		assert_int_equal(stats->lines_queued, 2);
		assert_int_equal(stats->lines_total, has_counters ? 3 : 2);
		assert_int_equal(stats->files_open, 0);
		flush_and_commit(&s);
		assert_int_equal(stats->lines_spilled, 2);
		unblock(&s, "a");
		assert_all_written(&s, "line 1\nline 2\n");
		assert_int_equal(stats->lines_written_total,
				 has_counters ? 3 : 2);
		end(&s);
	}
}

static void a_spill_of_another_output_is_left_alone(void **state)
{
	(void)state;
	struct spilling s;
	make_spilling(&s);
	block(&s, "a");
	put(&s.f, "a", "line 1");
	flush_and_commit(&s);
	unblock(&s, "a");
	close_sink(&s.f);
	open_sink(&s);
	close_sink(&s.f);
	struct err e;
	s.f.env.name = "other";
	struct buf text = {0};
	buf_put_text(&text, "[OUTPUT]\n    Format plain\n");
	s.f.conf = conf_read_text("t.conf", text.ptr, text.len, &e);
	buf_fini(&text);
	s.f.sink = file_sink_ops.open(conf_section(s.f.conf, 0), &s.f.env, &e);
	s.f.sink->ops = &file_sink_ops;
	flush_all(&s.f);
	assert_true(has_spill(&s));
	assert_false(exists(&s.f, "out/a"));
	end(&s);
}

static void a_batch_that_was_spilled_is_spilled_once(void **state)
{
	(void)state;
	/* Killed at the note of the chunk, or behind it; the file works again
	 * for the next process, or not. */
	for (unsigned kind = 0; kind < 4; kind++) {
		struct spilling s;
		make_spilling(&s);
		block(&s, "a");
		put(&s.f, "a", "line 1");
		flush_and_commit(&s);
		struct batch b = {&s, "line 2", RLIM_INFINITY, kind % 2};
		run_and_kill(run_batch, &b);
		if (kind / 2)
			unblock(&s, "a");
		restart(&s);
		assert_int_equal(s.f.sink->stats.lines_queued, 1);
		put(&s.f, "a", "line 2");
		flush_and_commit(&s);
		if (kind / 2 == 0)
			unblock(&s, "a");
		put(&s.f, "a", "line 3");
		assert_all_written(&s, "line 1\nline 2\nline 3\n");
		assert_int_equal(s.f.sink->stats.lines_total, 3);
		end(&s);
	}
}

/* As if the process had been killed before it saved the position. */
static void forget_position(struct spilling *s, const struct spill_state *old)
{
	char name[64];
	int fd = open(path(&s->f, only(s, ".spill", name)), O_RDWR);
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

static struct spill_state read_position(struct spilling *s)
{
	char name[64];
	struct spill_state state = {0};
	int fd = open(path(&s->f, only(s, ".spill", name)), O_RDONLY);
	assert_true(fd >= 0);
	for (off_t at = 64; state.magic != SPILL_STATE_MAGIC; at += 64)
		assert_int_equal(pread(fd, &state, sizeof state, at),
				 sizeof state);
	close(fd);
	return state;
}

/* A limit for the size of the file must not concern the spill, which is
 * shorter. */
static void spill_three_for_a_long_file(struct spilling *s)
{
	char pad[PAD_BYTES + 1];
	spill_three(s);
	memset(pad, 'x', PAD_BYTES);
	pad[PAD_BYTES - 1] = '\n';
	pad[PAD_BYTES] = '\0';
	write_file(&s->f, "out/a", pad);
	s->pad_bytes = PAD_BYTES;
}

/* Cut in the write at each byte.  With and without the saved position; with a
 * batch behind it. */
static void killed_while_it_drains(void **state)
{
	(void)state;
	enum { BYTES = sizeof three - 1 };
	for (unsigned i = 0; i < 4 * (BYTES + 2); i++) {
		rlim_t cut = i / 4;
		bool has_line = i % 2, is_saved = i / 2 % 2;
		struct spilling s;
		spill_three_for_a_long_file(&s);
		struct spill_state old = read_position(&s);
		struct batch b = {&s, has_line ? "line 4" : NULL, 0, 0};
		b.cut_bytes = cut <= BYTES ? PAD_BYTES + cut : RLIM_INFINITY;
		if (cut > BYTES)
			b.kill_in = 1;
		run_and_kill(run_batch, &b);
		if (!is_saved)
			forget_position(&s, &old);
		restart(&s);
		assert_true(s.f.sink->stats.lines_queued <= 3);
		if (has_line)
			put(&s.f, "a", "line 4");
		assert_all_written(&s, has_line ? "line 1\nline 2\nline 3\n"
						  "line 4\n"
						: three);
		assert_int_equal(s.f.sink->stats.lines_total, 3 + has_line);
		assert_int_equal(s.f.sink->stats.lines_written_total,
				 3 + has_line);
		end(&s);
	}
}

static void killed_and_then_the_file_is_locked(void **state)
{
	(void)state;
	for (rlim_t cut = 0; cut <= sizeof three - 1; cut++) {
		struct spilling s;
		spill_three_for_a_long_file(&s);
		struct spill_state old = read_position(&s);
		struct batch b = {&s, "line 4", PAD_BYTES + cut, 0};
		run_and_kill(run_batch, &b);
		forget_position(&s, &old);
		restart(&s);
		put(&s.f, "a", "line 4");
		int fd = open(path(&s.f, "out/a"), O_RDONLY | O_CLOEXEC);
		assert_int_equal(flock(fd, LOCK_EX), 0);
		flush_and_commit(&s);
		close(fd);
		wait_s(&s.f, 1);
		assert_all_written(&s, "line 1\nline 2\nline 3\nline 4\n");
		end(&s);
	}
}

static void killed_behind_everything_but_the_commit(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct spilling s;
		spill_three_for_a_long_file(&s);
		struct spill_state old = read_position(&s);
		struct batch b = {&s, "line 4", RLIM_INFINITY, 0};
		run_and_kill(run_batch, &b);
		if (i == 1)
			forget_position(&s, &old);
		restart(&s);
		assert_int_equal(s.f.sink->stats.lines_queued, i == 0 ? 0 : 3);
		put(&s.f, "a", "line 4");
		assert_all_written(&s, "line 1\nline 2\nline 3\nline 4\n");
		assert_int_equal(s.f.sink->stats.lines_written_total, 4);
		end(&s);
	}
}

/* Killed between the write of all that was spilled and the saving of the
 * position. */
static void kill_behind_the_write(struct spilling *s)
{
	spill_three_for_a_long_file(s);
	struct spill_state old = read_position(s);
	struct batch b = {s, NULL, RLIM_INFINITY, 0};
	run_and_kill(run_batch, &b);
	forget_position(s, &old);
	restart(s);
}

static void a_spill_that_proves_to_be_drained_is_not_called_lost(void **state)
{
	(void)state;
	struct spilling s;
	kill_behind_the_write(&s);
	assert_all_written(&s, three);
	assert_nothing_called_lost(&s);
	end(&s);
}

/* The limit concerns the file alone. */
static void a_spill_that_proves_to_be_drained_takes_lines(void **state)
{
	(void)state;
	struct spilling s;
	kill_behind_the_write(&s);
	put(&s.f, "a", "line 4");
	limit_file_size(PAD_BYTES + sizeof three - 1);
	flush_only(&s.f);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(s.f.sink->stats.lines_spilled, 1);
	commit_all(&s);
	restart(&s);
	assert_all_written(&s, "line 1\nline 2\nline 3\nline 4\n");
	assert_nothing_called_lost(&s);
	end(&s);
}

/* What the new batch spilled is not there to be drained yet. */
static void what_is_spilled_behind_what_was_drained_is_kept(void **state)
{
	(void)state;
	struct spilling s;
	kill_behind_the_write(&s);
	move(&s.f, "out/a", "out/away");
	block(&s, "a");
	assert_int_equal(symlink("/dev/full", path(&s.f, "out/full")), 0);
	put(&s.f, "a", "line 4");
	put(&s.f, "full", "x");
	assert_int_equal(flush_only(&s.f), SINK_BLOCKED);
	assert_int_equal(s.f.sink->stats.lines_spilled, 4);
	unblock(&s, "a");
	move(&s.f, "out/away", "out/a");
	assert_int_equal(flush_only(&s.f), SINK_BLOCKED);
	assert_int_equal(unlink(path(&s.f, "out/full")), 0);
	assert_all_written(&s, "line 1\nline 2\nline 3\nline 4\n");
	assert_nothing_called_lost(&s);
	end(&s);
}

/* The first `cut` bytes of it are there, and that was committed. */
static void drain_torn(struct spilling *s, rlim_t cut)
{
	spill_three_for_a_long_file(s);
	limit_file_size(PAD_BYTES + cut);
	flush_only(&s->f);
	limit_file_size(RLIM_INFINITY);
	commit_all(s);
}

static void a_line_torn_while_draining_comes_whole_to_a_new_file(void **state)
{
	(void)state;
	for (rlim_t cut = 1; cut < sizeof three - 1; cut++) {
		struct spilling s;
		drain_torn(&s, cut);
		move(&s.f, "out/a", "out/a.1");
		if (cut % 2)
			restart(&s);
		wait_s(&s.f, 10);
		s.pad_bytes = 0;
		assert_all_written(&s, three + cut / 7 * 7);
		assert_int_equal(strlen(content(&s.f, "out/a.1")),
				 PAD_BYTES + cut);
		assert_int_equal(s.f.sink->stats.lines_written_total, 3);
		end(&s);
	}
}

static void a_line_that_another_process_closed_comes_whole(void **state)
{
	(void)state;
	for (rlim_t cut = 1; cut < sizeof three - 1; cut++) {
		struct spilling s;
		char expected[64];
		drain_torn(&s, cut);
		int fd = open(path(&s.f, "out/a"), O_WRONLY | O_APPEND);
		assert_int_equal(write(fd, "\nother\n", 7), 7);
		close(fd);
		wait_s(&s.f, 10);
		if (cut % 2) { /* and is killed before it saves that */
			struct spill_state old = read_position(&s);
			struct batch b = {&s, NULL, RLIM_INFINITY, 0};
			run_and_kill(run_batch, &b);
			forget_position(&s, &old);
			restart(&s);
		}
		snprintf(expected, sizeof expected, "%.*s\nother\n%s", (int)cut,
			 three, three + cut / 7 * 7);
		assert_all_written(&s, expected);
		assert_int_equal(s.f.sink->stats.lines_written_total, 3);
		end(&s);
	}
}

static void lines_in_memory_are_lost_and_counted(void **state)
{
	(void)state;
	struct spilling s;
	make_spilling(&s);
	write_file(&s.f, "spill", "no directory");
	block(&s, "a");
	put(&s.f, "a", "line 1");
	flush_and_commit(&s);
	restart(&s);
	const struct sink_stats *stats = &s.f.sink->stats;
	assert_int_equal(stats->lines_queued, 0);
	assert_int_equal(stats->lines_dropped_total[DROP_write_failed], 1);
	end(&s);
}

static void a_spill_that_cannot_be_opened_now_is_drained_later(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	spill_three(&s);
	only(&s, ".spill", name);
	hide(&s, name);
	for (int i = 0; i < 3; i++) {
		restart(&s);
		flush_and_commit(&s);
		assert_int_equal(s.f.sink->stats.lines_queued, 3);
		assert_int_equal(s.f.sink->stats.lines_written_total, 0);
	}
	show(&s, name);
	assert_all_written(&s, three);
	assert_int_equal(s.f.sink->stats.lines_written_total, 3);
	assert_int_equal(s.f.sink->stats.lines_total, 3);
	assert_nothing_called_lost(&s);
	end(&s);
}

static void behind_a_spill_that_cannot_be_opened_lines_are_spilled(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	spill_three(&s);
	only(&s, ".spill", name);
	hide(&s, name);
	restart(&s);
	block(&s, "a");
	put(&s.f, "a", "line 4");
	flush_and_commit(&s);
	assert_int_equal(s.f.sink->stats.lines_spilled, 4);
	assert_int_equal(s.f.sink->stats.lines_queued, 4);
	unblock(&s, "a");
	flush_and_commit(&s);
	assert_string_equal(content(&s.f, "out/a"), "line 4\n");
	assert_int_equal(s.f.sink->stats.lines_queued, 3);
	show(&s, name);
	assert_all_written(&s, "line 4\nline 1\nline 2\nline 3\n");
	assert_int_equal(s.f.sink->stats.lines_total, 4);
	assert_nothing_called_lost(&s);
	end(&s);
}

static void of_two_spills_for_a_file_both_are_drained(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	make_spilling(&s);
	block(&s, "a");
	put(&s.f, "a", "line 1");
	flush_and_commit(&s);
	move(&s.f, only(&s, ".spill", name), "hidden");
	restart(&s);
	put(&s.f, "a", "line 2");
	flush_and_commit(&s);
	close_sink(&s.f);
	move(&s.f, "hidden", "spill/0.spill");
	restart(&s);
	unblock(&s, "a");
	flush_and_commit(&s);
	assert_int_equal(strlen(content(&s.f, "out/a")), 7);
	wait_s(&s.f, 1);
	bool is_older_first = strcmp(content(&s.f, "out/a"), "line 1\n") == 0;
	assert_all_written(&s, is_older_first ? "line 1\nline 2\n"
					      : "line 2\nline 1\n");
	end(&s);
}

/* --- damage */

static void is_whole_lines(const char *text, size_t *count)
{
	*count = 0;
	for (; *text != '\0'; text += 7, (*count)++)
		assert_int_equal(strncmp(text, &three[*count * 7], 7), 0);
}

static void a_spill_cut_at_each_length_gives_what_is_whole(void **state)
{
	(void)state;
	struct spilling s;
	char name[64], damaged[64];
	spill_three(&s);
	only(&s, ".spill", name);
	copy_file(&s, name, "whole");
	uint64_t size = size_of(&s, name);
	close_sink(&s.f);
	for (uint64_t len = 0; len <= size; len++) {
		size_t count;
		copy_file(&s, "whole", name);
		assert_int_equal(truncate(path(&s.f, name), (off_t)len), 0);
		restart(&s);
		flush_all(&s.f);
		is_whole_lines(exists(&s.f, "out/a") ? content(&s.f, "out/a")
						     : "",
			       &count);
		const struct sink_stats *stats = &s.f.sink->stats;
		assert_int_equal(stats->lines_total, 3);
		if (len == size)
			assert_int_equal(count, 3);
		if (*only(&s, ".damaged", damaged) != '\0') {
			assert_int_equal(
				stats->lines_dropped_total[DROP_write_failed],
				3 - count);
			assert_int_equal(unlink(path(&s.f, damaged)), 0);
		}
		unlink(path(&s.f, "out/a"));
		close_sink(&s.f);
	}
	end(&s);
}

static void a_spill_with_any_byte_changed_is_survived(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	spill_three(&s);
	only(&s, ".spill", name);
	copy_file(&s, name, "whole");
	uint64_t size = size_of(&s, name);
	close_sink(&s.f);
	for (uint64_t at = 0; at < size; at++) {
		copy_file(&s, "whole", name);
		int fd = open(path(&s.f, name), O_RDWR);
		unsigned char byte;
		assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
		byte = (unsigned char)(byte ^ (1u << at % 8));
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		close(fd);
		restart(&s);
		flush(&s.f);
		flush(&s.f);
		assert_true(s.f.sink->stats.lines_written_total <= 3);
		close_sink(&s.f);
		struct buf command = {0};
		buf_printf(&command, "rm -rf %s/spill/* %s/out/*", s.f.dir,
			   s.f.dir);
		assert_int_equal(system(buf_text(&command)), 0);
		buf_fini(&command);
	}
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_spilled_and_come_back_in_order),
		cmocka_unit_test(a_spill_is_not_drained_before_its_commit),
		cmocka_unit_test(a_large_spill_comes_in_pieces_of_whole_lines),
		cmocka_unit_test(when_it_is_full_the_newest_are_refused),
		cmocka_unit_test(as_many_files_wait_as_there_is_room_for),
		cmocka_unit_test(without_a_place_lines_wait_in_memory),
		cmocka_unit_test(a_spill_that_was_removed_is_counted_as_lost),
		cmocka_unit_test(a_torn_line_is_completed_from_the_spill),
		cmocka_unit_test(the_next_process_goes_on),
		cmocka_unit_test(a_spill_of_another_output_is_left_alone),
		cmocka_unit_test(a_batch_that_was_spilled_is_spilled_once),
		cmocka_unit_test(killed_while_it_drains),
		cmocka_unit_test(killed_and_then_the_file_is_locked),
		cmocka_unit_test(killed_behind_everything_but_the_commit),
		cmocka_unit_test(
			a_spill_that_proves_to_be_drained_is_not_called_lost),
		cmocka_unit_test(a_spill_that_proves_to_be_drained_takes_lines),
		cmocka_unit_test(
			what_is_spilled_behind_what_was_drained_is_kept),
		cmocka_unit_test(
			a_line_torn_while_draining_comes_whole_to_a_new_file),
		cmocka_unit_test(
			a_line_that_another_process_closed_comes_whole),
		cmocka_unit_test(lines_in_memory_are_lost_and_counted),
		cmocka_unit_test(
			a_spill_that_cannot_be_opened_now_is_drained_later),
		cmocka_unit_test(
			behind_a_spill_that_cannot_be_opened_lines_are_spilled),
		cmocka_unit_test(of_two_spills_for_a_file_both_are_drained),
		cmocka_unit_test(
			a_spill_cut_at_each_length_gives_what_is_whole),
		cmocka_unit_test(a_spill_with_any_byte_changed_is_survived),
	};
	return cmocka_run_group_tests(tests, be_quiet, NULL);
}
