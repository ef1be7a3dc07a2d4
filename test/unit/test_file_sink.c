/* SPDX-License-Identifier: Apache-2.0 */
/* These tests check which file each line goes to while nothing fails;
 * test_file_faults.c tests failures. */
#include "sink_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

/* --- the path of a line */

static const struct target_case {
	const char *keys; /* @ stands for the directory */
	const char *tag;  /* in it, @ stands for the directory, too */
	const char *name; /* in the directory */
} target_cases[] = {
	{"", "@/a.log", "a.log"},
	{"", "@/2026-1120/a.log", "2026-1120/a.log"},
	{"", "@//b//c.log", "b/c.log"},
	{"    Path @\n", "a b.log", "a b.log"},
	{"    Path @/\n", "/x/kube.*", "x/kube.*"},
	{"    Path @//\n", "//x", "x"},
	{"    Path @/new/deep\n", "x", "new/deep/x"},
	{"    Path @/out\n", "a//b", "out/a/b"},
	{"    Path @/out\n", "c///d//e", "out/c/d/e"},
	{"    Path @/out\n", "//f//g/./h", "out/f/g/h"},
	{"    Path @\n    File all.log\n", "any/tag", "all.log"},
	{"    Path @\n    File /sub/all.log\n", "any/tag", "sub/all.log"},
	{"    File @/s/../all.log\n", "../tag", "all.log"},
	{"    Path @\n", "..a/b..", "..a/b.."},
	{"    Path @\n", "./a", "a"},
	{"    Path @\n", ".sluiced.log", ".sluiced.log"},
	{"    Path @\n", "a.sluiced/.b", "a.sluiced/.b"},
	{"    Path @\n    Tag_Path sanitized\n", "/x/kube.*", "x/kube._"},
	{"    Path @\n    Tag_Path sanitized\n", "../a b\\c//d", "_/a_b/c/d"},
	{"    Path @\n    Tag_Path sanitized\n", "./\xc3\xa9-Z_9.log/",
	 "_/__-Z_9.log"},
	{"    Path @\n    Tag_Path sanitized\n", "", "_"},
	{"    Path @\n    Tag_Path sanitized\n", "//", "_"},
	{"    Path @\n    Tag_Path Verbatim\n", "a*", "a*"},
};

static void put_with_dir(struct sink_dir *f, const char *tag)
{
	struct buf text = {0};
	if (*tag == '@')
		buf_put_text(&text, f->dir);
	buf_put_text(&text, *tag == '@' ? tag + 1 : tag);
	sink_dir_put(f, buf_text(&text), "hello");
	buf_fini(&text);
}

static void a_line_goes_where_path_file_and_tag_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(target_cases); i++) {
		const struct target_case *c = &target_cases[i];
		struct sink_dir f;
		sink_dir_open(&f, c->keys);
		put_with_dir(&f, c->tag);
		sink_dir_flush_all(&f);
		const char *content = sink_dir_content(&f, c->name);
		if (strcmp(content, "hello\n") != 0 ||
		    f.sink->stats.errors_total > 0)
			fail_msg("%stag %s: %s", c->keys, c->tag, content);
		sink_dir_fini(&f);
	}
}

static void all_spellings_of_a_path_are_one_file(void **state)
{
	(void)state;
	static const char *const keys[] = {"", "    Path @\n"};
	static const char *const names[] = {"/d/a",	"//d/a",  "/./d/a",
					    "/d//a",	"/d/./a", "/d/././//a",
					    "/.//d/./a"};
	for (size_t k = 0; k < 2; k++) {
		struct sink_dir f;
		sink_dir_open(&f, keys[k]);
		for (size_t i = 0; i < COUNT(names); i++) {
			struct buf tag = {0};
			buf_put_text(&tag, k == 0 ? f.dir : "");
			buf_put_text(&tag, names[i]);
			sink_dir_put(&f, buf_text(&tag), "1");
			buf_fini(&tag);
		}
		sink_dir_flush_all(&f);
		assert_int_equal(f.sink->stats.writes_total, 1);
		assert_int_equal(f.sink->stats.files_open, 1);
		assert_string_equal(sink_dir_content(&f, "d/a"),
				    "1\n1\n1\n1\n1\n1\n1\n");
		sink_dir_fini(&f);
	}
}

/* Not even in the configuration: the directory with that name holds locks. */
static void a_file_among_the_locks_is_an_error(void **state)
{
	(void)state;
	static const char *const keys[] = {
		"    Path @\n    File .sluiced\n",
		"    Path @\n    File .sluiced/lock\n",
		"    Path @\n    File x/./.sluiced/a\n",
		"    File @/.sluiced/lock\n",
		"    Path @/.sluiced\n",
		"    Path @/.sluiced//x/\n    File lock\n",
		"    Path @\n    File .\n",
		"    Path @\n    File a/.\n",
		"    File @/a/..\n",
	};
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct sink_dir f;
		struct err e;
		sink_dir_init(&f);
		assert_false(sink_dir_try_open(&f, keys[i], false, &e));
		assert_non_null(strstr(e.text, "is not a valid path"));
		sink_dir_fini(&f);
	}
}

/* A sender that chooses the path must not make the sink create any number of
 * directories. */
static void a_path_has_at_most_32_components(void **state)
{
	(void)state;
	struct sink_dir f;
	struct buf tag = {0};
	enum drop_reason reason = DROP_unrouted;
	sink_dir_open(&f, "    Path @\n");
	for (int i = 0; i < 31; i++)
		buf_put_text(&tag, "d/.//");
	buf_put_text(&tag, "a");
	assert_true(sink_dir_put_span(&f, buf_span(&tag), SPAN("m"), true,
				      &reason));
	buf_put_text(&tag, "/a");
	assert_false(sink_dir_put_span(&f, buf_span(&tag), SPAN("m"), true,
				       &reason));
	assert_int_equal(reason, DROP_path_refused);
	sink_dir_flush_all(&f);
	buf_fini(&tag);
	sink_dir_fini(&f);
}

/* The pipeline ends a batch that has many files, and then looks at its orders.
 * Creating the directories of a new path takes longer than its file. */
static void the_directories_of_a_new_path_count_as_files(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_put(&f, "a/b/c", "1");
	assert_int_equal(f.sink->batch_files, 3);
	sink_dir_put(&f, "a/b/c", "2");
	sink_dir_put(&f, "a/b/d", "3");
	assert_int_equal(f.sink->batch_files, 6);
	sink_dir_flush_all(&f);
	assert_int_equal(f.sink->batch_files, 0);
	sink_dir_put(&f, "a/b/c", "4");
	assert_int_equal(f.sink->batch_files, 1);
	sink_dir_flush_all(&f);
	sink_dir_fini(&f);
}

static void a_relative_tag_is_below_the_working_directory(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "");
	char before[PATH_MAX];
	assert_non_null(getcwd(before, sizeof before));
	assert_int_equal(chdir(f.dir), 0);
	sink_dir_put(&f, "kube.*", "hello");
	sink_dir_flush_all(&f);
	assert_int_equal(chdir(before), 0);
	assert_string_equal(sink_dir_content(&f, "kube.*"), "hello\n");
	sink_dir_fini(&f);
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
		SPAN("."),
		SPAN("/./"),
		SPAN("a/."),
		SPAN("a/.//."),
		SPAN(".sluiced"),
		SPAN("/.sluiced/lock"),
		SPAN("a/./.sluiced/b"),
		SPAN("a/.sluiced"),
		SPAN("a\0b"),
		SPAN("a\0"),
		span_make(too_long, sizeof too_long),
		span_make(long_part, sizeof long_part),
	};
	static const char *const keys[] = {"", "    Path @\n"};
	for (size_t k = 0; k < 2; k++) {
		struct sink_dir f;
		sink_dir_open(&f, keys[k]);
		size_t count = COUNT(tags);
		for (size_t i = 0; i < count; i++) {
			enum drop_reason reason = DROP_unrouted;
			assert_false(sink_dir_put_span(&f, tags[i], SPAN("m"),
						       true, &reason));
			assert_int_equal(reason, DROP_path_refused);
		}
		const struct sink_stats *s = &f.sink->stats;
		assert_int_equal(s->lines_dropped_total[DROP_path_refused],
				 count);
		assert_int_equal(s->messages_total, 0);
		sink_dir_flush_all(&f);
		sink_dir_fini(&f);
	}
}

static void a_file_has_the_permissions_fluent_bit_gives_it(void **state)
{
	(void)state;
	struct sink_dir f;
	struct stat st;
	mode_t before = umask(027);
	sink_dir_open(&f, "    Path @/new\n");
	sink_dir_put(&f, "sub/a", "m");
	sink_dir_flush_all(&f);
	umask(before);
	assert_int_equal(stat(sink_dir_path(&f, "new/sub/a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(stat(sink_dir_path(&f, "new/sub"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	sink_dir_fini(&f);
}

/* --- symbolic links below the root */

static void a_symlink_that_stays_below_the_root_is_followed(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @/root\n");
	assert_int_equal(mkdir(sink_dir_path(&f, "root/day"), 0755), 0);
	assert_int_equal(symlink("day", sink_dir_path(&f, "root/today")), 0);
	sink_dir_put(&f, "today/sub/a", "1");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "root/day/sub/a"), "1\n");
	sink_dir_fini(&f);
}

/* Open a sink with these keys.  Two links in root/ lead out of it. */
static void open_with_links_out(struct sink_dir *f, const char *keys,
				bool follow)
{
	struct buf text = {0};
	struct err e;
	sink_dir_init(f);
	assert_int_equal(mkdir(sink_dir_path(f, "root"), 0755), 0);
	assert_int_equal(mkdir(sink_dir_path(f, "outside"), 0755), 0);
	assert_int_equal(symlink("../outside", sink_dir_path(f, "root/dir")),
			 0);
	assert_int_equal(
		symlink("../outside/file", sink_dir_path(f, "root/file")), 0);
	buf_put_text(&text, keys);
	buf_put_text(&text, follow ? "    Follow_Symlinks on\n" : "");
	assert_true(sink_dir_try_open(f, buf_text(&text), false, &e));
	buf_fini(&text);
}

static void a_symlink_that_leads_out_of_the_root_is_not_followed(void **state)
{
	(void)state;
	static const char *const tags[] = {"file", "dir/a", "dir/new/a"};
	for (int follow = 0; follow < 2; follow++) {
		struct sink_dir f;
		open_with_links_out(&f, "    Path @/root\n", follow);
		for (size_t i = 0; i < 3; i++)
			sink_dir_put(&f, tags[i], "1");
		assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
		assert_int_equal(f.sink->stats.lines_written_total,
				 follow ? 3 : 0);
		assert_int_equal(f.sink->stats.lines_queued, follow ? 0 : 3);
		assert_int_equal(sink_dir_exists(&f, "outside/file"), follow);
		assert_int_equal(sink_dir_exists(&f, "outside/a"), follow);
		assert_int_equal(sink_dir_exists(&f, "outside/new"), follow);
		sink_dir_drop_buffered(&f);
		sink_dir_fini(&f);
	}
}

static void check_fixed_file(const char *keys, const char *outside, bool follow)
{
	struct sink_dir f;
	open_with_links_out(&f, keys, follow);
	sink_dir_put(&f, "any/tag", "1");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	const struct sink_stats *s = &f.sink->stats;
	if (s->lines_written_total != follow || s->lines_queued != !follow ||
	    sink_dir_exists(&f, outside) != follow)
		fail_msg("%sfollow %d: %llu written, %llu queued", keys, follow,
			 (unsigned long long)s->lines_written_total,
			 (unsigned long long)s->lines_queued);
	sink_dir_drop_buffered(&f);
	sink_dir_fini(&f);
}

static void a_symlink_in_place_of_the_fixed_file_is_not_followed(void **state)
{
	(void)state;
	static const struct {
		const char *keys;
		const char *outside; /* the first thing that is created there */
	} cases[] = {
		{"    Path @/root\n    File dir/a\n", "outside/a"},
		{"    Path @/root\n    File dir/new/a\n", "outside/new"},
		{"    Path @/root\n    File file\n", "outside/file"},
		{"    File @/root/file\n", "outside/file"},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int follow = 0; follow < 2; follow++)
			check_fixed_file(cases[i].keys, cases[i].outside,
					 follow);
}

/* The operator chose both. */
static void a_fixed_file_may_leave_its_root_by_its_name(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @/root\n    File ../all.log\n");
	sink_dir_put(&f, "any/tag", "1");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "all.log"), "1\n");
	sink_dir_fini(&f);
}

/* These are links to /proc, which nobody but root can replace. */
static void a_link_of_the_system_in_dev_is_followed(void **state)
{
	(void)state;
	static const char *const keys[] = {
		"    Path /dev\n    File stdout\n",
		"    Path /dev/fd/\n    File 1\n",
		"    Path /proc/self/fd\n    File 1\n",
	};
	for (size_t i = 0; i < 3; i++) {
		struct sink_dir f;
		sink_dir_open(&f, keys[i]);
		int out = dup(STDOUT_FILENO);
		assert_true(out >= 0);
		assert_non_null(freopen(sink_dir_path(&f, "out"), "a", stdout));
		sink_dir_put(&f, "any/tag", "1");
		enum sink_flush answer = sink_dir_flush(&f);
		assert_true(dup2(out, STDOUT_FILENO) >= 0);
		close(out);
		assert_int_equal(answer, SINK_FLUSHED);
		assert_int_equal(f.sink->stats.lines_written_total, 1);
		assert_string_equal(sink_dir_content(&f, "out"), "1\n");
		sink_dir_fini(&f);
	}
}

static void the_root_itself_may_be_a_symlink(void **state)
{
	(void)state;
	struct sink_dir f;
	struct err e;
	sink_dir_init(&f);
	assert_int_equal(mkdir(sink_dir_path(&f, "disk"), 0755), 0);
	assert_int_equal(symlink("disk", sink_dir_path(&f, "root")), 0);
	assert_true(sink_dir_try_open(&f, "    Path @/root\n", false, &e));
	sink_dir_put(&f, "new/a", "1");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "disk/new/a"), "1\n");
	sink_dir_fini(&f);
}

/* The rest is left to the next process. */
static void a_flush_ends_early_when_the_time_is_up(void **state)
{
	(void)state;
	atomic_bool is_time_up = true;
	struct sink_dir f;
	struct err e;
	sink_dir_init(&f);
	f.env.is_time_up = &is_time_up;
	assert_true(sink_dir_try_open(&f, "    Path @\n", false, &e));
	sink_dir_put(&f, "a", "1");
	sink_dir_put(&f, "b", "2");
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	assert_int_equal(f.sink->stats.lines_queued, 2);
	assert_false(sink_dir_exists(&f, "a"));
	is_time_up = false;
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "1\n");
	assert_string_equal(sink_dir_content(&f, "b"), "2\n");
	sink_dir_put(&f, "a", "3");
	is_time_up = true;
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	sink_dir_drop_buffered(&f);
	sink_dir_fini(&f);
}

/* --- the first line of a file */

static void an_empty_file_begins_with_the_column_names(void **state)
{
	(void)state;
	struct sink_dir f;
	struct err e;
	sink_dir_init(&f);
	f.format = "    Format csv\n    csv_column_names on\n";
	assert_true(sink_dir_try_open(&f, "    Path @\n", false, &e));
	const char *row = "0.000000001,\"x\"\n";
	sink_dir_write(&f, "old", row);
	sink_dir_put(&f, "old", "x");
	sink_dir_put(&f, "new", "x");
	sink_dir_put(&f, "new", "x");
	sink_dir_flush_all(&f);
	sink_dir_put(&f, "new", "x");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "old"),
			    "0.000000001,\"x\"\n0.000000001,\"x\"\n");
	assert_string_equal(sink_dir_content(&f, "new"),
			    "timestamp,\"message\"\n0.000000001,\"x\"\n"
			    "0.000000001,\"x\"\n0.000000001,\"x\"\n");
	/* A file that replaces another one begins with them, too. */
	sink_dir_move(&f, "new", "new.1");
	sink_dir_put(&f, "new", "x");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "new"),
			    "timestamp,\"message\"\n0.000000001,\"x\"\n");
	assert_int_equal(f.sink->stats.lines_written_total, 5);
	sink_dir_fini(&f);
}

static void a_line_with_line_breaks_counts_as_several_lines(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n    Escape off\n");
	sink_dir_put(&f, "a", "1\n2\n3");
	sink_dir_put(&f, "a", "4");
	assert_int_equal(f.sink->stats.lines_queued, 4);
	assert_int_equal(f.sink->stats.messages_queued, 2);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "1\n2\n3\n4\n");
	assert_int_equal(f.sink->stats.messages_written_total, 2);
	sink_dir_fini(&f);
}

/* --- batches */

static void a_batch_takes_one_write_per_file(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_write(&f, "a", "old\n");
	for (int i = 0; i < 100; i++) {
		sink_dir_put(&f, "a", "1");
		sink_dir_put(&f, "b", "2");
	}
	assert_int_equal(f.sink->stats.lines_queued, 200);
	sink_dir_flush_all(&f);
	assert_int_equal(f.sink->stats.writes_total, 2);
	assert_int_equal(f.sink->stats.bytes_written_total, 400);
	assert_int_equal(f.sink->stats.files_open, 2);
	assert_int_equal(strncmp(sink_dir_content(&f, "a"), "old\n1\n1\n", 8),
			 0);
	assert_int_equal(strlen(sink_dir_content(&f, "a")), 204);
	sink_dir_flush_all(&f);
	assert_int_equal(f.sink->stats.writes_total, 2);
	sink_dir_fini(&f);
}

static void only_messages_the_sink_answers_for_are_counted(void **state)
{
	(void)state;
	struct sink_dir f;
	enum drop_reason reason;
	sink_dir_open(&f, "    Path @\n");
	for (int i = 0; i < 10; i++)
		assert_true(sink_dir_put_span(&f, SPAN("a"), SPAN("m"),
					      i % 2 == 0, &reason));
	assert_int_equal(f.sink->stats.messages_queued, 5);
	sink_dir_flush_all(&f);
	assert_int_equal(f.sink->stats.lines_written_total, 10);
	assert_int_equal(f.sink->stats.messages_written_total, 5);
	sink_dir_fini(&f);
}

static void a_renamed_file_is_noticed_without_a_signal(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_put(&f, "a", "1");
	sink_dir_flush_all(&f);
	sink_dir_move(&f, "a", "a.1");
	sink_dir_put(&f, "a", "2");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a.1"), "1\n");
	assert_string_equal(sink_dir_content(&f, "a"), "2\n");
	assert_int_equal(unlink(sink_dir_path(&f, "a")), 0);
	sink_dir_put(&f, "a", "3");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "3\n");
	assert_int_equal(f.sink->stats.files_open, 1);
	sink_dir_fini(&f);
}

static void a_removed_directory_is_created_again(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_put(&f, "d/e/a", "1");
	sink_dir_flush_all(&f);
	assert_int_equal(unlink(sink_dir_path(&f, "d/e/a")), 0);
	assert_int_equal(rmdir(sink_dir_path(&f, "d/e")), 0);
	assert_int_equal(rmdir(sink_dir_path(&f, "d")), 0);
	sink_dir_put(&f, "d/e/a", "2");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "d/e/a"), "2\n");
	sink_dir_fini(&f);
}

static void reopen_closes_the_files_and_the_next_line_opens_them(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_put(&f, "a", "1");
	sink_dir_flush_all(&f);
	sink_dir_put(&f, "a", "2");
	sink_dir_put(&f, "b", "1");
	f.sink->ops->reopen(f.sink);
	assert_sink_adds_up(f.sink);
	assert_int_equal(f.sink->stats.files_open, 0);
	assert_string_equal(sink_dir_content(&f, "a"), "1\n");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "1\n2\n");
	assert_string_equal(sink_dir_content(&f, "b"), "1\n");
	sink_dir_fini(&f);
}

static void many_files_share_a_bounded_number_of_descriptors(void **state)
{
	(void)state;
	struct sink_dir f;
	enum { FILES = 300, ROUNDS = 3 };
	sink_dir_open(&f, "    Path @\n");
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < FILES; i++) {
			char name[16];
			snprintf(name, sizeof name, "d%d/%d", i % 7, i);
			sink_dir_put(&f, name, "m");
		}
		sink_dir_flush_all(&f);
		assert_in_range(f.sink->stats.files_open, 1, 64);
		/* ... and the lock file */
		assert_in_range(count_fds(), f.fds + 1, f.fds + 65);
	}
	for (int i = 0; i < FILES; i++) {
		char name[16];
		snprintf(name, sizeof name, "d%d/%d", i % 7, i);
		assert_string_equal(sink_dir_content(&f, name), "m\nm\nm\n");
	}
	sink_dir_fini(&f);
}

static void an_idle_file_is_closed(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @\n");
	sink_dir_put(&f, "a", "1");
	sink_dir_put(&f, "b", "1");
	sink_dir_flush_all(&f);
	sink_dir_wait_s(&f, 40);
	sink_dir_put(&f, "b", "2");
	sink_dir_flush_all(&f);
	sink_dir_wait_s(&f, 40);
	sink_dir_flush_all(&f);
	assert_int_equal(f.sink->stats.files_open, 1);
	sink_dir_wait_s(&f, 40);
	sink_dir_flush_all(&f);
	assert_int_equal(f.sink->stats.files_open, 0);
	sink_dir_put(&f, "a", "2");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "a"), "1\n2\n");
	sink_dir_fini(&f);
}

/* --- opening the sink */

static void the_directory_is_created_at_start_up(void **state)
{
	(void)state;
	struct sink_dir f;
	sink_dir_open(&f, "    Path @/x/y\n");
	assert_true(sink_dir_exists(&f, "x/y"));
	sink_dir_fini(&f);
	sink_dir_open(&f, "    File @/z/all.log\n");
	assert_true(sink_dir_exists(&f, "z"));
	assert_false(sink_dir_exists(&f, "z/all.log"));
	sink_dir_fini(&f);
}

static const struct dry_case {
	const char *keys;
	const char *message; /* NULL: no mistake is reported */
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

static void a_dry_run_reports_mistakes_and_creates_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dry_cases); i++) {
		const struct dry_case *c = &dry_cases[i];
		struct sink_dir f;
		struct err e = {0};
		sink_dir_init(&f);
		sink_dir_write(&f, "file", "");
		assert_int_equal(mkdir(sink_dir_path(&f, "dir"), 0755), 0);
		assert_int_equal(sink_dir_try_open(&f, c->keys, true, &e),
				 c->message == NULL);
		if (c->message != NULL && (strstr(e.text, c->message) == NULL ||
					   strstr(e.text, "t.conf:4") == NULL))
			fail_msg("no '%s' in: %s", c->message, e.text);
		assert_false(sink_dir_exists(&f, "x"));
		sink_dir_fini(&f);
	}
}

/* As the sink opens the file later, so that it reports the same. */
static void a_dry_run_follows_no_symlink_out_of_the_root(void **state)
{
	(void)state;
	static const char *const keys[] = {
		"    Path @/root\n    File file\n",
		"    Path @/root\n    File dir/a\n",
		"    Path @/root\n    File dir/new/a\n",
	};
	for (size_t i = 0; i < 6; i++) {
		bool follow = i >= 3;
		char text[128];
		struct sink_dir f;
		struct err e = {0};
		snprintf(text, sizeof text, "%s%s", keys[i % 3],
			 follow ? "    Follow_Symlinks on\n" : "");
		sink_dir_init(&f);
		assert_int_equal(mkdir(sink_dir_path(&f, "root"), 0755), 0);
		assert_int_equal(mkdir(sink_dir_path(&f, "outside"), 0755), 0);
		sink_dir_write(&f, "outside/a", "");
		assert_int_equal(
			symlink("../outside", sink_dir_path(&f, "root/dir")),
			0);
		assert_int_equal(
			symlink("../outside/a", sink_dir_path(&f, "root/file")),
			0);
		assert_int_equal(sink_dir_try_open(&f, text, true, &e), follow);
		if (!follow)
			assert_non_null(
				strstr(e.text, "a symbolic link leads out of"));
		sink_dir_fini(&f);
	}
}

static const struct mistake {
	const char *keys;
	const char *message;
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

static void a_mistake_is_reported(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		struct sink_dir f;
		struct err e = {0};
		sink_dir_init(&f);
		assert_false(
			sink_dir_try_open(&f, mistakes[i].keys, false, &e));
		if (strstr(e.text, mistakes[i].message) == NULL)
			fail_msg("no '%s' in: %s", mistakes[i].message, e.text);
		sink_dir_fini(&f);
	}
}

static void a_directory_that_cannot_be_created_is_not_an_error_yet(void **state)
{
	(void)state;
	struct sink_dir f;
	struct err e;
	sink_dir_init(&f);
	sink_dir_write(&f, "file", "");
	assert_true(sink_dir_try_open(&f, "    Path @/file/x\n", false, &e));
	sink_dir_put(&f, "a", "1");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_int_equal(f.sink->stats.lines_queued, 1);
	assert_int_equal(unlink(sink_dir_path(&f, "file")), 0);
	sink_dir_wait_s(&f, 1);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "file/x/a"), "1\n");
	sink_dir_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_goes_where_path_file_and_tag_say),
		cmocka_unit_test(all_spellings_of_a_path_are_one_file),
		cmocka_unit_test(a_file_among_the_locks_is_an_error),
		cmocka_unit_test(a_path_has_at_most_32_components),
		cmocka_unit_test(the_directories_of_a_new_path_count_as_files),
		cmocka_unit_test(a_relative_tag_is_below_the_working_directory),
		cmocka_unit_test(a_path_that_leaves_its_root_is_refused),
		cmocka_unit_test(
			a_file_has_the_permissions_fluent_bit_gives_it),
		cmocka_unit_test(
			a_symlink_that_stays_below_the_root_is_followed),
		cmocka_unit_test(
			a_symlink_that_leads_out_of_the_root_is_not_followed),
		cmocka_unit_test(
			a_symlink_in_place_of_the_fixed_file_is_not_followed),
		cmocka_unit_test(a_fixed_file_may_leave_its_root_by_its_name),
		cmocka_unit_test(a_link_of_the_system_in_dev_is_followed),
		cmocka_unit_test(the_root_itself_may_be_a_symlink),
		cmocka_unit_test(a_flush_ends_early_when_the_time_is_up),
		cmocka_unit_test(an_empty_file_begins_with_the_column_names),
		cmocka_unit_test(
			a_line_with_line_breaks_counts_as_several_lines),
		cmocka_unit_test(a_batch_takes_one_write_per_file),
		cmocka_unit_test(
			only_messages_the_sink_answers_for_are_counted),
		cmocka_unit_test(a_renamed_file_is_noticed_without_a_signal),
		cmocka_unit_test(a_removed_directory_is_created_again),
		cmocka_unit_test(
			reopen_closes_the_files_and_the_next_line_opens_them),
		cmocka_unit_test(
			many_files_share_a_bounded_number_of_descriptors),
		cmocka_unit_test(an_idle_file_is_closed),
		cmocka_unit_test(the_directory_is_created_at_start_up),
		cmocka_unit_test(
			a_dry_run_reports_mistakes_and_creates_nothing),
		cmocka_unit_test(a_dry_run_follows_no_symlink_out_of_the_root),
		cmocka_unit_test(a_mistake_is_reported),
		cmocka_unit_test(
			a_directory_that_cannot_be_created_is_not_an_error_yet),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
