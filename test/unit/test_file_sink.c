/* SPDX-License-Identifier: Apache-2.0 */
/* Where lines go, when everything works; the failures are in
 * test_file_faults.c. */
#include "sink_dir.h"

/* --- where lines go */

static const struct target_case {
	const char *keys; /* @ is the directory */
	const char *tag;  /* the same */
	const char *name; /* below the directory */
} target_cases[] = {
	{"", "@/a.log", "a.log"},
	{"", "@/2026-1120/a.log", "2026-1120/a.log"},
	{"", "@//b//c.log", "b/c.log"},
	{"    Path @\n", "a b.log", "a b.log"},
	{"    Path @/\n", "/x/kube.*", "x/kube.*"},
	{"    Path @//\n", "//x", "x"},
	{"    Path @/new/deep\n", "x", "new/deep/x"},
	{"    Path @\n    File all.log\n", "any/tag", "all.log"},
	{"    Path @\n    File /sub/all.log\n", "any/tag", "sub/all.log"},
	{"    File @/s/../all.log\n", "../tag", "all.log"},
	{"    Path @\n", "..a/b..", "..a/b.."},
	{"    Path @\n", "./a", "a"},
	{"    Path @\n    Tag_Path sanitized\n", "/x/kube.*", "x/kube._"},
	{"    Path @\n    Tag_Path sanitized\n", "../a b\\c//d", "_/a_b/c/d"},
	{"    Path @\n    Tag_Path sanitized\n", "./\xc3\xa9-Z_9.log/",
	 "_/__-Z_9.log"},
	{"    Path @\n    Tag_Path sanitized\n", "", "_"},
	{"    Path @\n    Tag_Path sanitized\n", "//", "_"},
	{"    Path @\n    Tag_Path Verbatim\n", "a*", "a*"},
};

static void put_with_dir(struct fixture *f, const char *tag)
{
	struct buf text = {0};
	if (*tag == '@')
		buf_put_text(&text, f->dir);
	buf_put_text(&text, *tag == '@' ? tag + 1 : tag);
	put(f, buf_text(&text), "hello");
	buf_fini(&text);
}

static void a_line_goes_where_path_file_and_tag_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof target_cases / sizeof *target_cases;
	     i++) {
		const struct target_case *c = &target_cases[i];
		struct fixture f;
		open_with(&f, c->keys);
		put_with_dir(&f, c->tag);
		flush_all(&f);
		assert_string_equal(content(&f, c->name), "hello\n");
		close_all(&f);
	}
}

static void a_relative_tag_lies_in_the_working_directory(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "");
	char before[PATH_MAX];
	assert_non_null(getcwd(before, sizeof before));
	assert_int_equal(chdir(f.dir), 0);
	put(&f, "kube.*", "hello");
	flush_all(&f);
	assert_int_equal(chdir(before), 0);
	assert_string_equal(content(&f, "kube.*"), "hello\n");
	close_all(&f);
}

static void a_path_that_leaves_its_root_is_refused(void **state)
{
	(void)state;
	static char too_long[PATH_MAX], long_part[NAME_MAX + 3];
	for (size_t i = 0; i < sizeof too_long; i++)
		too_long[i] = i % 2 ? 'x' : '/';
	memset(long_part, 'x', sizeof long_part);
	memcpy(long_part, "a/", 2);
	const struct span tags[] = {
		SPAN(""),
		SPAN("/"),
		SPAN("///"),
		SPAN(".."),
		SPAN("../x"),
		SPAN("/a/../x"),
		SPAN("a/.."),
		SPAN("a/"),
		SPAN("a\0b"),
		SPAN("a\0"),
		span_make(too_long, sizeof too_long),
		span_make(long_part, sizeof long_part),
	};
	static const char *const keys[] = {"", "    Path @\n"};
	for (size_t k = 0; k < 2; k++) {
		struct fixture f;
		open_with(&f, keys[k]);
		size_t count = sizeof tags / sizeof *tags;
		for (size_t i = 0; i < count; i++) {
			enum drop_reason reason = DROP_unrouted;
			assert_false(put_span(&f, tags[i], SPAN("m"), true,
					      &reason));
			assert_int_equal(reason, DROP_path_refused);
		}
		const struct sink_stats *s = &f.sink->stats;
		assert_int_equal(s->lines_dropped_total[DROP_path_refused],
				 count);
		assert_int_equal(s->messages_total, 0);
		flush_all(&f);
		close_all(&f);
	}
}

static void a_file_has_the_modes_of_fluent_bit(void **state)
{
	(void)state;
	struct fixture f;
	struct stat st;
	mode_t before = umask(027);
	open_with(&f, "    Path @/new\n");
	put(&f, "sub/a", "m");
	flush_all(&f);
	umask(before);
	assert_int_equal(stat(path(&f, "new/sub/a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(stat(path(&f, "new/sub"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	close_all(&f);
}

/* --- symbolic links below the root */

static void a_link_that_stays_below_the_root_is_followed(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Path @/root\n");
	assert_int_equal(mkdir(path(&f, "root/day"), 0755), 0);
	assert_int_equal(symlink("day", path(&f, "root/today")), 0);
	put(&f, "today/sub/a", "1");
	flush_all(&f);
	assert_string_equal(content(&f, "root/day/sub/a"), "1\n");
	close_all(&f);
}

static void a_link_that_leads_out_of_the_root_is_not(void **state)
{
	(void)state;
	static const char *const tags[] = {"file", "dir/a", "dir/new/a"};
	for (int follow = 0; follow < 2; follow++) {
		struct fixture f;
		open_with(&f, follow ? "    Path @/root\n"
				       "    Follow_Symlinks on\n"
				     : "    Path @/root\n");
		assert_int_equal(mkdir(path(&f, "outside"), 0755), 0);
		assert_int_equal(symlink("../outside", path(&f, "root/dir")),
				 0);
		assert_int_equal(
			symlink("../outside/file", path(&f, "root/file")), 0);
		for (size_t i = 0; i < 3; i++)
			put(&f, tags[i], "1");
		assert_int_equal(flush(&f), SINK_FLUSHED);
		assert_int_equal(f.sink->stats.lines_written_total,
				 follow ? 3 : 0);
		assert_int_equal(f.sink->stats.lines_queued, follow ? 0 : 3);
		assert_int_equal(exists(&f, "outside/file"), follow);
		assert_int_equal(exists(&f, "outside/a"), follow);
		assert_int_equal(exists(&f, "outside/new"), follow);
		abandon(&f);
		close_all(&f);
	}
}

static void the_root_itself_may_be_a_link(void **state)
{
	(void)state;
	struct fixture f;
	struct err e;
	make_dir(&f);
	assert_int_equal(mkdir(path(&f, "disk"), 0755), 0);
	assert_int_equal(symlink("disk", path(&f, "root")), 0);
	assert_true(open_in(&f, "    Path @/root\n", false, &e));
	put(&f, "new/a", "1");
	flush_all(&f);
	assert_string_equal(content(&f, "disk/new/a"), "1\n");
	close_all(&f);
}

/* --- what a file begins with */

static void an_empty_file_begins_with_its_columns(void **state)
{
	(void)state;
	struct fixture f;
	struct err e;
	make_dir(&f);
	f.format = "    Format csv\n    csv_column_names on\n";
	assert_true(open_in(&f, "    Path @\n", false, &e));
	const char *row = "0.000000001,\"x\"\n";
	write_file(&f, "old", row);
	put(&f, "old", "x");
	put(&f, "new", "x");
	put(&f, "new", "x");
	flush_all(&f);
	put(&f, "new", "x");
	flush_all(&f);
	assert_string_equal(content(&f, "old"),
			    "0.000000001,\"x\"\n0.000000001,\"x\"\n");
	assert_string_equal(content(&f, "new"),
			    "timestamp,\"message\"\n0.000000001,\"x\"\n"
			    "0.000000001,\"x\"\n0.000000001,\"x\"\n");
	/* Also one that took the place of another. */
	move(&f, "new", "new.1");
	put(&f, "new", "x");
	flush_all(&f);
	assert_string_equal(content(&f, "new"),
			    "timestamp,\"message\"\n0.000000001,\"x\"\n");
	assert_int_equal(f.sink->stats.lines_written_total, 5);
	close_all(&f);
}

static void a_line_with_line_breaks_counts_as_several(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Path @\n    Escape off\n");
	put(&f, "a", "1\n2\n3");
	put(&f, "a", "4");
	assert_int_equal(f.sink->stats.lines_queued, 4);
	assert_int_equal(f.sink->stats.messages_queued, 2);
	flush_all(&f);
	assert_string_equal(content(&f, "a"), "1\n2\n3\n4\n");
	assert_int_equal(f.sink->stats.messages_written_total, 2);
	close_all(&f);
}

/* --- batches */

static void a_batch_is_one_write_for_each_file(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Path @\n");
	write_file(&f, "a", "old\n");
	for (int i = 0; i < 100; i++) {
		put(&f, "a", "1");
		put(&f, "b", "2");
	}
	assert_int_equal(f.sink->stats.lines_queued, 200);
	flush_all(&f);
	assert_int_equal(f.sink->stats.writes_total, 2);
	assert_int_equal(f.sink->stats.bytes_written_total, 400);
	assert_int_equal(f.sink->stats.files_open, 2);
	assert_int_equal(strncmp(content(&f, "a"), "old\n1\n1\n", 8), 0);
	assert_int_equal(strlen(content(&f, "a")), 204);
	flush_all(&f);
	assert_int_equal(f.sink->stats.writes_total, 2);
	close_all(&f);
}

static void only_messages_that_it_answers_for_are_counted(void **state)
{
	(void)state;
	struct fixture f;
	enum drop_reason reason;
	open_with(&f, "    Path @\n");
	for (int i = 0; i < 10; i++)
		assert_true(put_span(&f, SPAN("a"), SPAN("m"), i % 2 == 0,
				     &reason));
	assert_int_equal(f.sink->stats.messages_queued, 5);
	flush_all(&f);
	assert_int_equal(f.sink->stats.lines_written_total, 10);
	assert_int_equal(f.sink->stats.messages_written_total, 5);
	close_all(&f);
}

static void a_renamed_file_is_left_without_a_signal(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Path @\n");
	put(&f, "a", "1");
	flush_all(&f);
	move(&f, "a", "a.1");
	put(&f, "a", "2");
	flush_all(&f);
	assert_string_equal(content(&f, "a.1"), "1\n");
	assert_string_equal(content(&f, "a"), "2\n");
	assert_int_equal(unlink(path(&f, "a")), 0);
	put(&f, "a", "3");
	flush_all(&f);
	assert_string_equal(content(&f, "a"), "3\n");
	assert_int_equal(f.sink->stats.files_open, 1);
	close_all(&f);
}

static void a_removed_directory_is_made_again(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Path @\n");
	put(&f, "d/e/a", "1");
	flush_all(&f);
	assert_int_equal(unlink(path(&f, "d/e/a")), 0);
	assert_int_equal(rmdir(path(&f, "d/e")), 0);
	assert_int_equal(rmdir(path(&f, "d")), 0);
	put(&f, "d/e/a", "2");
	flush_all(&f);
	assert_string_equal(content(&f, "d/e/a"), "2\n");
	close_all(&f);
}

static void reopen_closes_and_the_next_line_opens(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Path @\n");
	put(&f, "a", "1");
	flush_all(&f);
	put(&f, "a", "2");
	put(&f, "b", "1");
	f.sink->ops->reopen(f.sink);
	assert_laws(f.sink);
	assert_int_equal(f.sink->stats.files_open, 0);
	assert_string_equal(content(&f, "a"), "1\n");
	flush_all(&f);
	assert_string_equal(content(&f, "a"), "1\n2\n");
	assert_string_equal(content(&f, "b"), "1\n");
	close_all(&f);
}

static void many_files_share_a_bounded_number_of_descriptors(void **state)
{
	(void)state;
	struct fixture f;
	enum { FILES = 300, ROUNDS = 3 };
	open_with(&f, "    Path @\n");
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < FILES; i++) {
			char name[16];
			snprintf(name, sizeof name, "d%d/%d", i % 7, i);
			put(&f, name, "m");
		}
		flush_all(&f);
		assert_in_range(f.sink->stats.files_open, 1, 64);
		assert_in_range(count_fds(), f.fds + 1, f.fds + 64);
	}
	for (int i = 0; i < FILES; i++) {
		char name[16];
		snprintf(name, sizeof name, "d%d/%d", i % 7, i);
		assert_string_equal(content(&f, name), "m\nm\nm\n");
	}
	close_all(&f);
}

static void an_idle_file_is_closed(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Path @\n");
	put(&f, "a", "1");
	put(&f, "b", "1");
	flush_all(&f);
	wait_s(&f, 40);
	put(&f, "b", "2");
	flush_all(&f);
	wait_s(&f, 40);
	flush_all(&f);
	assert_int_equal(f.sink->stats.files_open, 1);
	wait_s(&f, 40);
	flush_all(&f);
	assert_int_equal(f.sink->stats.files_open, 0);
	put(&f, "a", "2");
	flush_all(&f);
	assert_string_equal(content(&f, "a"), "1\n2\n");
	close_all(&f);
}

/* --- opening the sink */

static void the_directory_is_there_from_the_start(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Path @/x/y\n");
	assert_true(exists(&f, "x/y"));
	close_all(&f);
	open_with(&f, "    File @/z/all.log\n");
	assert_true(exists(&f, "z"));
	assert_false(exists(&f, "z/all.log"));
	close_all(&f);
}

static const struct dry_case {
	const char *keys;
	const char *said; /* NULL: all is well */
} dry_cases[] = {
	{"", NULL},
	{"    Path @\n", NULL},
	{"    Path @/x/y\n", NULL},
	{"    Path @/x/y\n    Mkdir off\n", "No such file"},
	{"    Path @/file\n", "Not a directory"},
	{"    Path @/file/x\n", "Not a directory"},
	{"    File @/x/all.log\n", NULL},
	{"    File @/file\n", NULL},
	{"    File @/dir\n", "Is a directory"},
	{"    File /dev/full\n", NULL},
	{"    Path @\n    File file/x\n", "Not a directory"},
};

static void a_dry_run_tells_and_makes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof dry_cases / sizeof *dry_cases; i++) {
		const struct dry_case *c = &dry_cases[i];
		struct fixture f;
		struct err e = {0};
		make_dir(&f);
		write_file(&f, "file", "");
		assert_int_equal(mkdir(path(&f, "dir"), 0755), 0);
		assert_int_equal(open_in(&f, c->keys, true, &e),
				 c->said == NULL);
		if (c->said != NULL && (strstr(e.text, c->said) == NULL ||
					strstr(e.text, "t.conf:4") == NULL))
			fail_msg("no '%s' in: %s", c->said, e.text);
		assert_false(exists(&f, "x"));
		close_all(&f);
	}
}

static const struct mistake {
	const char *keys;
	const char *said;
} mistakes[] = {
	{"    Mkdir maybe\n", "Mkdir"},
	{"    Tag_Path clean\n", "sanitized"},
	{"    rotate on\n", "logrotate"},
	{"    enable_strftime on\n", "lua"},
	{"    File $a\n    fallback_file x\n", "rewrite_tag"},
	{"    File @/a/\n", "it ends with '/'"},
	{"    Path @\n    File /\n", "empty"},
	{"    Format template\n", "Format"},
	{"    Paht @\n", "Path"},
};

static void a_mistake_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct fixture f;
		struct err e = {0};
		make_dir(&f);
		assert_false(open_in(&f, mistakes[i].keys, false, &e));
		if (strstr(e.text, mistakes[i].said) == NULL)
			fail_msg("no '%s' in: %s", mistakes[i].said, e.text);
		close_all(&f);
	}
}

static void a_directory_that_cannot_be_made_is_no_error_yet(void **state)
{
	(void)state;
	struct fixture f;
	struct err e;
	make_dir(&f);
	write_file(&f, "file", "");
	assert_true(open_in(&f, "    Path @/file/x\n", false, &e));
	put(&f, "a", "1");
	assert_int_equal(flush(&f), SINK_FLUSHED);
	assert_int_equal(f.sink->stats.lines_queued, 1);
	assert_int_equal(unlink(path(&f, "file")), 0);
	wait_s(&f, 1);
	flush_all(&f);
	assert_string_equal(content(&f, "file/x/a"), "1\n");
	close_all(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_goes_where_path_file_and_tag_say),
		cmocka_unit_test(a_relative_tag_lies_in_the_working_directory),
		cmocka_unit_test(a_path_that_leaves_its_root_is_refused),
		cmocka_unit_test(a_file_has_the_modes_of_fluent_bit),
		cmocka_unit_test(a_link_that_stays_below_the_root_is_followed),
		cmocka_unit_test(a_link_that_leads_out_of_the_root_is_not),
		cmocka_unit_test(the_root_itself_may_be_a_link),
		cmocka_unit_test(an_empty_file_begins_with_its_columns),
		cmocka_unit_test(a_line_with_line_breaks_counts_as_several),
		cmocka_unit_test(a_batch_is_one_write_for_each_file),
		cmocka_unit_test(only_messages_that_it_answers_for_are_counted),
		cmocka_unit_test(a_renamed_file_is_left_without_a_signal),
		cmocka_unit_test(a_removed_directory_is_made_again),
		cmocka_unit_test(reopen_closes_and_the_next_line_opens),
		cmocka_unit_test(
			many_files_share_a_bounded_number_of_descriptors),
		cmocka_unit_test(an_idle_file_is_closed),
		cmocka_unit_test(the_directory_is_there_from_the_start),
		cmocka_unit_test(a_dry_run_tells_and_makes_nothing),
		cmocka_unit_test(a_mistake_is_told),
		cmocka_unit_test(
			a_directory_that_cannot_be_made_is_no_error_yet),
	};
	return cmocka_run_group_tests(tests, be_quiet, NULL);
}
