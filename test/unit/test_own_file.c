/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal_foreign.c and test_spill_foreign.c test what the users of this
 * module do with files of another user. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own_file.h"
#include "files.h"

struct place {
	char dir[TEMP_DIR_BYTES];
	char path[TEMP_DIR_BYTES + 16];
	char foreign[TEMP_DIR_BYTES + 32];
	struct log_rate rate;
};

static int set_up(void **state)
{
	static struct place place;
	struct place *p = *state = &place;
	if (!temp_dir_make(p->dir, "/tmp", "test_own_file"))
		return -1;
	if (snprintf(p->path, sizeof p->path, "%s/file", p->dir) < 0 ||
	    snprintf(p->foreign, sizeof p->foreign, "%s.foreign.1", p->path) <
		    0)
		return -1;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	return temp_dir_remove(p->dir);
}

/* Open the path and close it again.  Returns 0 or an errno. */
static int try_open(struct place *p, int flags)
{
	int fd = own_file_open(AT_FDCWD, p->path, flags, &p->rate);
	if (fd < 0)
		return errno;
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	return 0;
}

static void a_missing_file_is_made_only_on_request(void **state)
{
	struct place *p = *state;
	assert_int_equal(try_open(p, O_RDWR), ENOENT);
	assert_int_equal(try_open(p, O_RDWR | O_CREAT), 0);
	assert_int_equal(file_mode(p->path), 0600);
	assert_int_equal(try_open(p, O_RDWR | O_CREAT | O_EXCL), EEXIST);
	assert_false(file_exists(p->foreign));
}

static void own_links_are_not_followed_and_stay(void **state)
{
	struct place *p = *state;
	assert_int_equal(symlink(p->dir, p->path), 0);
	assert_int_equal(try_open(p, O_RDWR | O_CREAT), ELOOP);
	assert_int_equal(try_open(p, O_RDONLY | O_DIRECTORY), ELOOP);
	assert_true(file_exists(p->path));
}

static void a_fifo_is_not_waited_for(void **state)
{
	struct place *p = *state;
	assert_int_equal(mkfifo(p->path, 0600), 0);
	assert_int_equal(try_open(p, O_RDONLY), 0);
	assert_int_equal(try_open(p, O_WRONLY), ENXIO);
}

static void other_users_lose_access_to_own_files_and_directories(void **state)
{
	struct place *p = *state;
	file_write_text(p->path, "");
	assert_int_equal(chmod(p->path, 0666), 0);
	assert_int_equal(try_open(p, O_RDONLY), 0);
	assert_int_equal(file_mode(p->path), 0600);
	unlink(p->path);
	assert_int_equal(mkdir(p->path, 0777), 0);
	assert_int_equal(chmod(p->path, 02777), 0);
	assert_int_equal(try_open(p, O_RDONLY | O_DIRECTORY), 0);
	assert_int_equal(file_mode(p->path), 0700);
}

static void a_name_below_an_open_directory_is_opened_there(void **state)
{
	struct place *p = *state;
	struct stat st, opened;
	file_write_text(p->path, "");
	assert_int_equal(stat(p->path, &st), 0);
	int dir = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = own_file_open(dir, "/nowhere/file", O_RDONLY, &p->rate);
	assert_int_equal(fstat(fd, &opened), 0);
	assert_int_equal(opened.st_ino, st.st_ino);
	close(fd);
	close(dir);
}

static void what_another_user_owns_is_renamed(void **state)
{
	struct place *p = *state;
	char second[112];
	file_write_text(p->path, "first");
	if (!file_give_away(p->path))
		skip();
	assert_int_equal(try_open(p, O_RDWR), ENOENT);
	assert_true(file_exists(p->foreign));
	assert_int_equal(mkdir(p->path, 0755), 0);
	assert_true(file_give_away(p->path));
	assert_int_equal(try_open(p, O_RDWR | O_CREAT), 0);
	assert_int_equal(file_mode(p->path), 0600);
	snprintf(second, sizeof second, "%s.foreign.2", p->path);
	assert_int_equal(file_mode(second), 0755);
}

/* As root with another effective user, the tests' directory belongs to root. */
static void a_directory_of_root_s_that_others_can_write_is_renamed(void **state)
{
	struct place *p = *state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(p->dir, 0777), 0);
	assert_int_equal(mkdir(p->path, 0755), 0);
	assert_int_equal(seteuid(OTHER_USER), 0);
	int before = try_open(p, O_RDONLY | O_DIRECTORY);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(p->path, 0775), 0);
	assert_int_equal(seteuid(OTHER_USER), 0);
	int after = try_open(p, O_RDONLY | O_DIRECTORY);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(before, 0);
	assert_int_equal(after, ENOENT);
	assert_int_equal(file_mode(p->foreign), 0775);
}

/* Root's file stays unreadable, so the process would never be able to start. */
static void a_file_of_root_s_that_cannot_be_opened_is_renamed(void **state)
{
	struct place *p = *state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(p->dir, 0777), 0);
	file_write_text(p->path, "");
	assert_int_equal(chmod(p->path, 0600), 0);
	assert_int_equal(seteuid(OTHER_USER), 0);
	int error = try_open(p, O_RDWR);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(error, ENOENT);
	assert_true(file_exists(p->foreign));
}

static void a_file_that_cannot_be_renamed_is_not_used(void **state)
{
	struct place *p = *state;
	if (geteuid() != 0)
		skip();
	file_write_text(p->path, "");
	assert_int_equal(chmod(p->path, 0666), 0);
	assert_int_equal(chown(p->path, OTHER_USER - 1, 0), 0);
	assert_int_equal(chmod(p->dir, 01777), 0); /* sticky, like /tmp */
	assert_int_equal(seteuid(OTHER_USER), 0);
	int error = try_open(p, O_RDWR | O_CREAT);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(error, EPERM);
	assert_true(file_exists(p->path));
}

/* The user of new files is changed, as root_squash of NFS does it. */
static void the_owner_of_all_new_files_is_trusted(void **state)
{
	struct place *p = *state;
	file_write_text(p->path, "");
	if (!file_give_away(p->path))
		skip();
	assert_int_equal(chmod(p->dir, 0777), 0);
	setfsuid(OTHER_USER);
	int error = try_open(p, O_RDWR);
	setfsuid(0);
	assert_int_equal(error, 0);
	assert_false(file_exists(p->foreign));
	assert_int_equal(unlink(p->path), 0);
	assert_int_equal(rmdir(p->dir), 0); /* nothing else is left */
	assert_int_equal(mkdir(p->dir, 0700), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_missing_file_is_made_only_on_request),
		T(own_links_are_not_followed_and_stay),
		T(a_fifo_is_not_waited_for),
		T(other_users_lose_access_to_own_files_and_directories),
		T(a_name_below_an_open_directory_is_opened_there),
		T(what_another_user_owns_is_renamed),
		T(a_directory_of_root_s_that_others_can_write_is_renamed),
		T(a_file_of_root_s_that_cannot_be_opened_is_renamed),
		T(a_file_that_cannot_be_renamed_is_not_used),
		T(the_owner_of_all_new_files_is_trusted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
