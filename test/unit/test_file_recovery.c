/* SPDX-License-Identifier: Apache-2.0 */
/* A process that is killed while it appends, and others on the same file. */
#include "sink_dir.h"

#include <fcntl.h>
#include <sys/file.h>

#include "crash_notes.h"

static const char all_lines[] = "line 1\nline 2\nline 3\n";
enum { LINES_BYTES = sizeof all_lines - 1, LINE_BYTES = 7 };

struct crash {
	struct fixture f;
	struct append_notes notes;
	struct crash_notes *left;
	rlim_t cut_bytes; /* the file's size at which the write is cut */
};

static void set_up_crash(struct crash *c)
{
	*c = (struct crash){.cut_bytes = RLIM_INFINITY,
			    .left = share(sizeof *c->left)};
	c->notes = (struct append_notes){c->left, crash_note, crash_find};
	make_dir(&c->f);
	c->f.env.notes = &c->notes;
}

static void tear_down_crash(struct crash *c)
{
	munmap(c->left, sizeof *c->left);
	close_all(&c->f);
}

static void open_and_put(struct crash *c)
{
	struct err e;
	enum drop_reason reason;
	assert_true(open_in(&c->f, "    Path @\n", false, &e));
	put(&c->f, "a", "line 1");
	assert_true(put_span(&c->f, SPAN("a"), SPAN("line 2"), false, &reason));
	put(&c->f, "a", "line 3");
}

static void run_batch(void *data)
{
	struct crash *c = data;
	open_and_put(c);
	limit_file_size(c->cut_bytes);
	flush_only(&c->f);
}

/* The next process gets the same lines and goes on. */
static void restart(struct crash *c)
{
	crash_notes_restart(c->left);
	open_and_put(c);
	flush_all(&c->f);
	crash_notes_commit(c->left);
	const struct sink_stats *s = &c->f.sink->stats;
	assert_int_equal(s->lines_written_total, 3);
	assert_int_equal(s->messages_written_total, 2);
}

static void append(struct fixture *f, const char *name, const char *text)
{
	FILE *file = fopen(path(f, name), "a");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* --- killed */

static void killed_between_note_and_write(void **state)
{
	(void)state;
	struct crash c;
	set_up_crash(&c);
	write_file(&c.f, "a", "old\n");
	c.left->kill_in = 1;
	run_and_kill(run_batch, &c);
	assert_string_equal(content(&c.f, "a"), "old\n");
	restart(&c);
	assert_string_equal(content(&c.f, "a"),
			    "old\nline 1\nline 2\nline 3\n");
	assert_int_equal(c.f.sink->stats.recovered_bytes_total, 0);
	tear_down_crash(&c);
}

static void killed_behind_the_write(void **state)
{
	(void)state;
	struct crash c;
	set_up_crash(&c);
	run_and_kill(run_batch, &c);
	assert_string_equal(content(&c.f, "a"), all_lines);
	restart(&c);
	assert_string_equal(content(&c.f, "a"), all_lines);
	const struct sink_stats *s = &c.f.sink->stats;
	assert_int_equal(s->recovered_bytes_total, LINES_BYTES);
	assert_int_equal(s->bytes_written_total, 0);
	/* What is written next is new. */
	put(&c.f, "a", "line 1");
	flush_all(&c.f);
	assert_int_equal(strlen(content(&c.f, "a")), LINES_BYTES + LINE_BYTES);
	tear_down_crash(&c);
}

static void killed_inside_the_write_at_each_byte(void **state)
{
	(void)state;
	for (rlim_t cut = 0; cut <= LINES_BYTES; cut++) {
		struct crash c;
		set_up_crash(&c);
		write_file(&c.f, "a", "old\n");
		c.cut_bytes = 4 + cut;
		run_and_kill(run_batch, &c);
		assert_int_equal(strlen(content(&c.f, "a")), 4 + cut);
		restart(&c);
		assert_string_equal(content(&c.f, "a"),
				    "old\nline 1\nline 2\nline 3\n");
		assert_int_equal(c.f.sink->stats.recovered_bytes_total, cut);
		tear_down_crash(&c);
	}
}

static void killed_again_while_recovering(void **state)
{
	(void)state;
	for (rlim_t cut = 0; cut <= LINES_BYTES; cut++) {
		struct crash c;
		set_up_crash(&c);
		c.cut_bytes = cut / 2;
		run_and_kill(run_batch, &c);
		crash_notes_restart(c.left);
		c.cut_bytes = cut;
		run_and_kill(run_batch, &c);
		crash_notes_restart(c.left);
		c.left->kill_in = 1;
		c.cut_bytes = RLIM_INFINITY;
		run_and_kill(run_batch, &c);
		restart(&c);
		assert_string_equal(content(&c.f, "a"), all_lines);
		tear_down_crash(&c);
	}
}

static void a_torn_write_is_noted_again_before_it_goes_on(void **state)
{
	(void)state;
	for (rlim_t cut = 1; cut < LINES_BYTES; cut++) {
		struct crash c;
		set_up_crash(&c);
		c.cut_bytes = cut;
		run_batch(&c); /* in this process, which lives on */
		limit_file_size(RLIM_INFINITY);
		assert_int_equal(c.left->count, 1);
		wait_s(&c.f, 1);
		flush_only(&c.f);
		assert_int_equal(c.left->count, 2);
		const struct append_note *n = &c.left->notes[1];
		assert_int_equal(n->offset_bytes, cut);
		assert_int_equal(n->skip_bytes, cut);
		assert_int_equal(n->length_bytes, LINES_BYTES - cut);
		close_sink(&c.f); /* not committed: it comes again */
		restart(&c);
		assert_string_equal(content(&c.f, "a"), all_lines);
		tear_down_crash(&c);
	}
}

static void what_got_nowhere_is_noted_once(void **state)
{
	(void)state;
	struct crash c;
	set_up_crash(&c);
	c.cut_bytes = 0;
	run_batch(&c);
	for (int i = 0; i < 5; i++) {
		wait_s(&c.f, 10);
		flush_only(&c.f);
	}
	assert_int_equal(c.left->count, 1);
	limit_file_size(RLIM_INFINITY);
	wait_s(&c.f, 10);
	flush_all(&c.f);
	assert_string_equal(content(&c.f, "a"), all_lines);
	tear_down_crash(&c);
}

static void a_renamed_file_gets_nothing_and_the_new_one_all(void **state)
{
	(void)state;
	struct crash c;
	set_up_crash(&c);
	c.cut_bytes = 10;
	run_and_kill(run_batch, &c);
	move(&c.f, "a", "a.1");
	restart(&c);
	assert_string_equal(content(&c.f, "a.1"), "line 1\nlin");
	assert_string_equal(content(&c.f, "a"), all_lines);
	tear_down_crash(&c);
}

static void a_file_that_was_cut_meanwhile_gets_all(void **state)
{
	(void)state;
	struct crash c;
	set_up_crash(&c);
	write_file(&c.f, "a", "old\nolder\n");
	run_and_kill(run_batch, &c);
	assert_int_equal(truncate(path(&c.f, "a"), 4), 0);
	restart(&c);
	assert_string_equal(content(&c.f, "a"),
			    "old\nline 1\nline 2\nline 3\n");
	tear_down_crash(&c);
}

/* Without a spill what is set aside waits in memory, over batches; a note
 * speaks of the new lines alone. */
static void older_lines_are_not_noted(void **state)
{
	(void)state;
	struct crash c;
	struct err e;
	set_up_crash(&c);
	assert_true(open_in(&c.f, "    Path @\n", false, &e));
	assert_int_equal(mkdir(path(&c.f, "a"), 0755), 0);
	put(&c.f, "a", "older");
	assert_int_equal(flush(&c.f), SINK_FLUSHED);
	assert_int_equal(rmdir(path(&c.f, "a")), 0);
	put(&c.f, "a", "line 1");
	wait_s(&c.f, 1);
	flush_only(&c.f);
	assert_int_equal(c.left->count, 1);
	assert_int_equal(c.left->notes[0].offset_bytes, strlen("older\n"));
	assert_int_equal(c.left->notes[0].skip_bytes, 0);
	assert_int_equal(c.left->notes[0].length_bytes, LINE_BYTES);
	close_sink(&c.f);
	crash_notes_restart(c.left);
	assert_true(open_in(&c.f, "    Path @\n", false, &e));
	put(&c.f, "a", "line 1");
	flush_all(&c.f);
	assert_string_equal(content(&c.f, "a"), "older\nline 1\n");
	tear_down_crash(&c);
}

/* What was written must be found in the first batch, also when nothing can be
 * written then. */
static void a_file_that_is_locked_then_is_looked_into(void **state)
{
	(void)state;
	for (rlim_t cut = 0; cut < 2 * LINES_BYTES; cut++) {
		struct crash c;
		char spill[96];
		set_up_crash(&c);
		snprintf(spill, sizeof spill, "%s", path(&c.f, "spill"));
		if (cut % 2)
			c.f.env.spill_dir = spill;
		c.f.env.spill_bytes_max = SIZE_MAX;
		c.cut_bytes = cut / 2;
		run_and_kill(run_batch, &c);
		crash_notes_restart(c.left);
		open_and_put(&c);
		int fd = open(path(&c.f, "a"), O_RDONLY | O_CLOEXEC);
		assert_int_equal(flock(fd, LOCK_EX), 0);
		assert_int_equal(flush(&c.f), SINK_FLUSHED);
		crash_notes_commit(c.left);
		close(fd);
		wait_s(&c.f, 1);
		flush_all(&c.f);
		assert_string_equal(content(&c.f, "a"), all_lines);
		assert_int_equal(c.f.sink->stats.recovered_bytes_total,
				 cut / 2);
		tear_down_crash(&c);
	}
}

static void a_file_that_may_only_be_read_then_is_too(void **state)
{
	(void)state;
	enum { NOBODY = 65534 };
	uid_t user = geteuid();
	for (rlim_t cut = 0; cut <= LINES_BYTES; cut++) {
		struct crash c;
		set_up_crash(&c);
		c.cut_bytes = cut;
		run_and_kill(run_batch, &c);
		crash_notes_restart(c.left);
		open_and_put(&c);
		assert_int_equal(chmod(path(&c.f, "a"), 0444), 0);
		assert_int_equal(chmod(c.f.dir, 0755), 0);
		if (user == 0 && seteuid(NOBODY) != 0) {
			tear_down_crash(&c);
			skip();
		}
		assert_int_equal(flush(&c.f), SINK_FLUSHED);
		assert_int_equal(seteuid(user), 0);
		crash_notes_commit(c.left);
		assert_int_equal(c.f.sink->stats.lines_queued, 3 - cut / 7);
		assert_int_equal(chmod(path(&c.f, "a"), 0644), 0);
		wait_s(&c.f, 1);
		flush_all(&c.f);
		assert_string_equal(content(&c.f, "a"), all_lines);
		tear_down_crash(&c);
	}
}

/* --- others on the same file */

static void what_another_process_wrote_there_is_not_ours(void **state)
{
	(void)state;
	struct crash c;
	set_up_crash(&c);
	c.left->kill_in = 1;
	run_and_kill(run_batch, &c);
	append(&c.f, "a", "line of another\n"); /* begins as ours */
	restart(&c);
	assert_string_equal(content(&c.f, "a"),
			    "line of another\nline 1\nline 2\nline 3\n");
	tear_down_crash(&c);
}

static void a_line_that_another_process_closed_comes_again_whole(void **state)
{
	(void)state;
	struct crash c;
	set_up_crash(&c);
	c.cut_bytes = 10;
	run_and_kill(run_batch, &c);
	append(&c.f, "a", "\nanother\n");
	restart(&c);
	assert_string_equal(content(&c.f, "a"),
			    "line 1\nlin\nanother\nline 2\nline 3\n");
	tear_down_crash(&c);
}

static void the_same_while_alive(void **state)
{
	(void)state;
	struct crash c;
	set_up_crash(&c);
	c.cut_bytes = 10;
	run_batch(&c);
	limit_file_size(RLIM_INFINITY);
	append(&c.f, "a", "\nanother\n");
	wait_s(&c.f, 1);
	flush_all(&c.f);
	assert_string_equal(content(&c.f, "a"),
			    "line 1\nlin\nanother\nline 2\nline 3\n");
	tear_down_crash(&c);
}

static void a_torn_tail_of_another_process_is_waited_for(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Path @\n");
	write_file(&f, "a", "whole\nhal");
	put(&f, "a", "ours");
	for (int s = 0; s < 10; s++) {
		put(&f, "b", "free");
		assert_int_equal(flush(&f), SINK_FLUSHED);
		assert_int_equal(f.sink->stats.lines_queued, 1);
		wait_s(&f, s < 9);
	}
	assert_int_equal(strlen(content(&f, "b")), 50);
	append(&f, "a", "f\n");
	wait_s(&f, 5);
	flush_all(&f);
	assert_string_equal(content(&f, "a"), "whole\nhalf\nours\n");
	assert_int_equal(f.sink->stats.errors_total, 0);
	close_all(&f);
}

static void and_closed_after_ten_seconds(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Path @\n");
	write_file(&f, "a", "whole\nhal");
	put(&f, "a", "ours");
	flush(&f);
	wait_s(&f, 9);
	flush(&f);
	assert_string_equal(content(&f, "a"), "whole\nhal");
	wait_s(&f, 1);
	flush_all(&f);
	assert_string_equal(content(&f, "a"), "whole\nhal\nours\n");
	assert_int_equal(f.sink->stats.bytes_written_total, 5);
	close_all(&f);
}

static void what_was_given_up_is_closed_at_once(void **state)
{
	(void)state;
	struct crash c;
	set_up_crash(&c);
	c.cut_bytes = 10;
	run_batch(&c);
	limit_file_size(RLIM_INFINITY);
	abandon(&c.f);
	put(&c.f, "a", "next");
	wait_s(&c.f, 1);
	flush_all(&c.f);
	assert_string_equal(content(&c.f, "a"), "line 1\nlin\nnext\n");
	tear_down_crash(&c);
}

static void a_locked_file_holds_up_no_other(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Path @\n");
	write_file(&f, "a", "");
	int fd = open(path(&f, "a"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	put(&f, "a", "ours");
	put(&f, "b", "free");
	assert_int_equal(flush(&f), SINK_FLUSHED);
	assert_string_equal(content(&f, "b"), "free\n");
	assert_string_equal(content(&f, "a"), "");
	assert_int_equal(f.sink->stats.lines_queued, 1);
	assert_int_equal(f.sink->stats.errors_total, 0);
	close(fd);
	wait_s(&f, 1);
	flush_all(&f);
	assert_string_equal(content(&f, "a"), "ours\n");
	close_all(&f);
}

static void a_file_that_may_only_be_written_is(void **state)
{
	(void)state;
	enum { NOBODY = 65534 };
	uid_t user = geteuid();
	struct fixture f;
	open_with(&f, "    Path @\n");
	write_file(&f, "a", "old\n");
	assert_int_equal(chmod(path(&f, "a"), 0222), 0);
	assert_int_equal(chmod(f.dir, 0777), 0);
	if (user == 0 && seteuid(NOBODY) != 0) {
		close_all(&f);
		skip();
	}
	put(&f, "a", "new");
	flush_all(&f);
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(chmod(path(&f, "a"), 0644), 0);
	assert_string_equal(content(&f, "a"), "old\nnew\n");
	close_all(&f);
}

/* --- two processes, one of them killed again and again */

enum { SHARED_LINES = 10000, BATCH_LINES = 25 };

struct shared { /* what the journal keeps, for a writer's next process */
	struct crash_notes notes;
	struct sink_stats counters;
	unsigned lines;
	unsigned starts;
};

struct writer {
	struct fixture f;
	struct append_notes notes;
	struct shared *shared;
	char spill_dir[96];
	unsigned seed;
	char who;
	bool is_mortal;
	bool is_cut; /* its writes, from now on */
};

/* A process whose writes fail would go on with its lines in memory. */
static void maybe_die(const struct writer *w)
{
	if (w->is_cut || (w->is_mortal && rand() % 4 == 0))
		kill(getpid(), SIGKILL);
}

/* As the journal's commit, this is one instant.  Real time: a torn tail must
 * be waited for. */
static void flush_and_commit(struct writer *w, unsigned lines)
{
	do {
		w->f.now_ns = clock_mono_ns();
		assert_int_equal(flush_only(&w->f), SINK_FLUSHED);
		maybe_die(w);
	} while (w->f.env.spill_dir == NULL &&
		 w->f.sink->stats.lines_queued > 0);
	w->shared->notes.count = w->shared->notes.found = 0;
	w->shared->counters = w->f.sink->stats;
	w->shared->lines += lines;
	commit(&w->f);
}

static void write_batch(struct writer *w)
{
	for (unsigned i = 0; i < BATCH_LINES; i++) {
		char text[64];
		snprintf(text, sizeof text, "%c %u %.*s.", w->who,
			 w->shared->lines + i, (int)(i % 20),
			 "abcdefghijklmnopqrst");
		put(&w->f, "shared", text);
	}
	flush_and_commit(w, BATCH_LINES);
}

/* Before a write: nothing, death, or a cut inside it. */
static void note_and_die(void *data, const struct append_note *n)
{
	struct writer *w = data;
	crash_note(&w->shared->notes, n);
	int what = w->is_mortal ? rand() % 8 : 7;
	if (what == 0)
		kill(getpid(), SIGKILL);
	if (what != 1)
		return;
	limit_file_size(n->offset_bytes + (rlim_t)rand() % n->length_bytes);
	w->is_cut = true;
}

static const struct append_note *find_left(void *data, uint32_t sink,
					   uint64_t device, uint64_t inode,
					   size_t nth)
{
	struct writer *w = data;
	return crash_find(&w->shared->notes, sink, device, inode, nth);
}

static void write_all(struct writer *w)
{
	struct err e;
	w->notes = (struct append_notes){w, note_and_die, find_left};
	w->f.env.notes = &w->notes;
	w->f.env.number = (uint32_t)w->who;
	crash_notes_restart(&w->shared->notes);
	srand(w->seed + ++w->shared->starts * 2 + (w->who == 'A'));
	assert_true(open_in(&w->f, "    Path @\n", false, &e));
	w->f.sink->ops->restore(w->f.sink, &w->shared->counters);
	while (w->shared->lines < SHARED_LINES)
		write_batch(w);
	while (w->f.sink->stats.lines_queued > 0)
		flush_and_commit(w, 0);
	assert_int_equal(w->f.sink->stats.lines_written_total, SHARED_LINES);
	close_sink(&w->f);
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

static void assert_each_line_once(struct fixture *f)
{
	unsigned char *seen = calloc(2, SHARED_LINES);
	FILE *file = fopen(path(f, "shared"), "r");
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

/* Restart A as often as it dies.  How often that was. */
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
	unsigned seed = unit_seed(0);
	make_dir(&writers[0].f);
	for (size_t i = 0; i < 2; i++) {
		struct writer *w = &writers[i];
		w->seed = seed;
		w->f = writers[0].f;
		w->shared = share(sizeof *w->shared);
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
	close_all(&writers[0].f);
}

static void two_processes_append_and_one_is_killed_all_the_time(void **state)
{
	(void)state;
	append_as_two(false);
}

static void the_same_with_spills(void **state)
{
	(void)state;
	append_as_two(true);
}

/* --- syncing */

static void the_policy_says_when_to_sync(void **state)
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
		struct fixture f;
		struct err e;
		make_dir(&f);
		f.env.fsync = cases[i].policy;
		f.env.fsync_interval_s = 2.5;
		assert_true(open_in(&f, "    Path @\n", false, &e));
		const struct sink_stats *s = &f.sink->stats;
		for (int n = 0; n < 2; n++) {
			put(&f, "a", "1");
			put(&f, "b", "1");
			flush_all(&f);
		}
		assert_int_equal(s->fsyncs_total, cases[i].after_two);
		put(&f, "a", "2");
		wait_s(&f, 3);
		flush_all(&f);
		assert_int_equal(s->fsyncs_total, cases[i].after_interval);
		assert_int_equal(s->errors_total, 0);
		close_all(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_between_note_and_write),
		cmocka_unit_test(killed_behind_the_write),
		cmocka_unit_test(killed_inside_the_write_at_each_byte),
		cmocka_unit_test(killed_again_while_recovering),
		cmocka_unit_test(a_torn_write_is_noted_again_before_it_goes_on),
		cmocka_unit_test(what_got_nowhere_is_noted_once),
		cmocka_unit_test(
			a_renamed_file_gets_nothing_and_the_new_one_all),
		cmocka_unit_test(a_file_that_was_cut_meanwhile_gets_all),
		cmocka_unit_test(a_file_that_is_locked_then_is_looked_into),
		cmocka_unit_test(a_file_that_may_only_be_read_then_is_too),
		cmocka_unit_test(older_lines_are_not_noted),
		cmocka_unit_test(what_another_process_wrote_there_is_not_ours),
		cmocka_unit_test(
			a_line_that_another_process_closed_comes_again_whole),
		cmocka_unit_test(the_same_while_alive),
		cmocka_unit_test(a_torn_tail_of_another_process_is_waited_for),
		cmocka_unit_test(and_closed_after_ten_seconds),
		cmocka_unit_test(what_was_given_up_is_closed_at_once),
		cmocka_unit_test(a_locked_file_holds_up_no_other),
		cmocka_unit_test(a_file_that_may_only_be_written_is),
		cmocka_unit_test(
			two_processes_append_and_one_is_killed_all_the_time),
		cmocka_unit_test(the_same_with_spills),
		cmocka_unit_test(the_policy_says_when_to_sync),
	};
	return cmocka_run_group_tests(tests, be_quiet, NULL);
}
