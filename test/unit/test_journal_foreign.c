/* SPDX-License-Identifier: Apache-2.0 */
/* Another user has put something in the journal's place. */
#include "journal_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct stat stat_of(const char *path)
{
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	return st;
}

static void assert_is_set_aside(struct journal_dir *d, ino_t inode)
{
	struct journal_found found;
	struct journal *j = journal_dir_open(d, &found);
	assert_int_equal(found.messages, 0);
	assert_string_equal(found.damaged, "");
	append_texts(j, 0, 1);
	assert_texts(j, 0, 1);
	journal_close(j);
	assert_int_equal(stat_of(journal_dir_beside(d, ".foreign.1")).st_ino,
			 inode);
	assert_int_equal(stat_of(d->path).st_uid, geteuid());
	assert_int_equal(stat_of(d->path).st_mode & 0777, 0600);
}

/* The journal is opened with a waiting time of 0. */
static void a_locked_journal_of_another_user_is_set_aside(void **state)
{
	struct journal_dir *d = *state;
	file_write_text(d->path, "not a journal");
	int fd = open(d->path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	if (!file_give_away(d->path)) {
		close(fd);
		skip();
	}
	assert_is_set_aside(d, stat_of(d->path).st_ino);
	close(fd);
}

/* For example after an upgrade with another runAsUser.  As that user, `sluiced
 * replay` can read it. */
static void the_messages_of_another_user_s_journal_are_kept(void **state)
{
	struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	append_texts(j, 7, 3);
	journal_close(j);
	if (!file_give_away(d->path))
		skip();
	assert_is_set_aside(d, stat_of(d->path).st_ino);
	assert_int_equal(rename(journal_dir_beside(d, ".foreign.1"), d->path),
			 0);
	assert_int_equal(chown(d->path, geteuid(), getegid()), 0);
	j = journal_dir_open_good(d);
	assert_texts(j, 7, 3);
	journal_close(j);
}

static void a_link_of_another_user_is_set_aside(void **state)
{
	struct journal_dir *d = *state;
	assert_int_equal(symlink("/nowhere", d->path), 0);
	if (!file_give_away(d->path))
		skip();
	assert_is_set_aside(d, stat_of(d->path).st_ino);
}

/* The other user has read access to the log file, so he can link it. */
static void a_log_file_under_the_name_of_the_new_journal_is_not_changed(
	void **state)
{
	struct journal_dir *d = *state;
	struct buf text = {0};
	char log[128];
	snprintf(log, sizeof log, "%s/log", d->root);
	file_write_text(log, "line\n");
	assert_int_equal(link(log, journal_dir_beside(d, ".new")), 0);
	journal_close(journal_dir_open_good(d));
	assert_true(file_read(log, &text));
	assert_true(span_equals(buf_span(&text), SPAN("line\n")));
	assert_int_equal(stat_of(d->path).st_nlink, 1);
	buf_fini(&text);
	unlink(log);
}

static void a_journal_that_others_could_open_continues_and_is_private(
	void **state)
{
	struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	append_texts(j, 0, 3);
	journal_close(j);
	assert_int_equal(chmod(d->path, 0660), 0); /* as fsGroup leaves it */
	j = journal_dir_open_good(d);
	assert_texts(j, 0, 3);
	journal_close(j);
	assert_int_equal(stat_of(d->path).st_mode & 0777, 0600);
}

int main(void)
{
#define TEST(name)                                                \
	cmocka_unit_test_setup_teardown(name, journal_dir_set_up, \
					journal_dir_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_locked_journal_of_another_user_is_set_aside),
		TEST(the_messages_of_another_user_s_journal_are_kept),
		TEST(a_link_of_another_user_is_set_aside),
		TEST(a_log_file_under_the_name_of_the_new_journal_is_not_changed),
		TEST(a_journal_that_others_could_open_continues_and_is_private),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
