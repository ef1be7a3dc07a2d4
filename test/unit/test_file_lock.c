/* SPDX-License-Identifier: Apache-2.0 */
/* These tests check which lock file is used, when it is removed, and how often
 * a flush pauses; test_file_recovery.c tests how writers use it. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file/file_lock.h"
#include "files.h"
#include "lock_holder.h"
#include "sink_dir.h"

enum { INODE = 7, FLUSH_PAUSES = 50 };

struct place {
	char dir[TEMP_DIR_BYTES];
	char hidden[TEMP_DIR_BYTES + 16];
	char lock[TEMP_DIR_BYTES + 32];
};

static int set_up(void **state)
{
	static struct place place;
	struct place *p = *state = &place;
	if (!temp_dir_make(p->dir, "/tmp", "test_file_lock"))
		return -1;
	if (snprintf(p->hidden, sizeof p->hidden, "%s/.sluiced", p->dir) < 0 ||
	    snprintf(p->lock, sizeof p->lock, "%s/lock", p->hidden) < 0)
		return -1;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	return temp_dir_remove(p->dir);
}

/* Take a lock and release it.  The lock file exists then, and no lock is
 * held. */
static struct file_lock *used_lock(const struct place *p)
{
	struct file_lock *l = file_lock_new();
	assert_int_equal(file_lock_take(l, span_of(p->dir), INODE), 0);
	file_lock_release(l);
	assert_int_equal(access(p->lock, F_OK), 0);
	return l;
}

static void the_last_process_removes_the_lock_file(void **state)
{
	struct place *p = *state;
	file_lock_free(used_lock(p));
	assert_int_not_equal(access(p->hidden, F_OK), 0);
}

static void a_lock_file_on_which_a_lock_is_held_stays(void **state)
{
	struct place *p = *state;
	struct file_lock *l = used_lock(p);
	pid_t holder = lock_hold(p->dir, p->dir);
	file_lock_free(l);
	assert_int_equal(access(p->lock, F_OK), 0);
	lock_drop(holder);
}

static void a_lock_file_of_somebody_else_stays(void **state)
{
	struct place *p = *state;
	struct file_lock *l = used_lock(p);
	assert_int_equal(unlink(p->lock), 0);
	file_write_text(p->lock, "");
	file_lock_free(l);
	assert_int_equal(access(p->lock, F_OK), 0);
}

static void a_directory_with_other_files_stays(void **state)
{
	struct place *p = *state;
	char other[112];
	snprintf(other, sizeof other, "%s/other", p->hidden);
	struct file_lock *l = used_lock(p);
	file_write_text(other, "");
	file_lock_free(l);
	assert_int_not_equal(access(p->lock, F_OK), 0);
	assert_int_equal(access(other, F_OK), 0);
}

static void after_the_removal_other_writers_lock_a_new_file(void **state)
{
	struct place *p = *state;
	struct file_lock *first = used_lock(p), *second = used_lock(p);
	file_lock_free(first);
	pid_t holder = lock_hold(p->dir, p->dir);
	struct stat st;
	assert_int_equal(stat(p->dir, &st), 0);
	assert_int_equal(file_lock_take(second, span_of(p->dir), st.st_ino),
			 EBUSY);
	lock_drop(holder);
	assert_int_equal(file_lock_take(second, span_of(p->dir), st.st_ino), 0);
	file_lock_release(second);
	file_lock_free(second);
	assert_int_not_equal(access(p->hidden, F_OK), 0);
}

/* --- which lock file is used */

/* Lock all bytes as a process does that could open the file.  Returns the
 * descriptor. */
static int hold_all(const char *path)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &all), 0);
	return fd;
}

static void make_lock_file(const struct place *p, mode_t dir, mode_t file)
{
	assert_int_equal(mkdir(p->hidden, 0700), 0);
	file_write_text(p->lock, "");
	assert_int_equal(chmod(p->lock, file), 0);
	assert_int_equal(chmod(p->hidden, dir), 0);
}

static void assert_lock_works(const struct place *p, struct file_lock *l)
{
	assert_int_equal(file_mode(p->hidden), 0700);
	assert_int_equal(file_mode(p->lock), 0600);
	int fd = hold_all(p->lock);
	assert_int_equal(file_lock_take(l, span_of(p->dir), INODE), EBUSY);
	close(fd);
	assert_int_equal(file_lock_take(l, span_of(p->dir), INODE), 0);
	file_lock_release(l);
}

static void assert_is_replaced(const struct place *p)
{
	int fd = hold_all(p->lock);
	struct file_lock *l = used_lock(p);
	assert_lock_works(p, l);
	file_lock_free(l);
	close(fd);
	assert_int_not_equal(access(p->hidden, F_OK), 0);
}

static void assert_is_left_alone(const struct place *p)
{
	struct stat before, after;
	assert_int_equal(stat(p->lock, &before), 0);
	int fd = hold_all(p->lock);
	file_lock_free(used_lock(p));
	close(fd);
	assert_int_equal(stat(p->lock, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_mode, before.st_mode);
}

static void a_lock_file_in_a_directory_that_others_can_write_is_replaced(
	void **state)
{
	struct place *p = *state;
	make_lock_file(p, 0720, 0600);
	assert_is_replaced(p);
	make_lock_file(p, 0702, 0600);
	assert_is_replaced(p);
	make_lock_file(p, 02770, 0660); /* as fsGroup leaves it */
	assert_is_replaced(p);
}

static void a_lock_file_that_others_can_open_is_replaced(void **state)
{
	struct place *p = *state;
	make_lock_file(p, 0700, 0640);
	assert_is_replaced(p);
	make_lock_file(p, 0700, 0604);
	assert_is_replaced(p);
}

static void a_lock_file_that_others_can_open_later_is_replaced(void **state)
{
	struct place *p = *state;
	struct file_lock *l = used_lock(p);
	assert_int_equal(chmod(p->lock, 0660), 0);
	int fd = hold_all(p->lock);
	assert_int_equal(file_lock_take(l, span_of(p->dir), INODE), 0);
	file_lock_release(l);
	close(fd);
	assert_lock_works(p, l);
	file_lock_free(l);
}

static void a_lock_file_with_a_second_name_is_replaced(void **state)
{
	struct place *p = *state;
	char other[112];
	snprintf(other, sizeof other, "%s/a.log", p->dir);
	make_lock_file(p, 0700, 0600);
	assert_int_equal(link(p->lock, other), 0);
	assert_is_replaced(p);
	assert_int_equal(access(other, F_OK), 0);
}

/* A member of the group has moved a log file to the place of the lock. */
static void a_file_with_content_is_neither_used_nor_changed(void **state)
{
	struct place *p = *state;
	make_lock_file(p, 0700, 0640);
	file_write_text(p->lock, "line\n");
	assert_is_left_alone(p);
	assert_int_equal(chmod(p->hidden, 0770), 0);
	assert_int_equal(chmod(p->lock, 0600), 0);
	assert_is_left_alone(p);
}

static void the_lock_file_of_another_user_is_neither_used_nor_changed(
	void **state)
{
	struct place *p = *state;
	make_lock_file(p, 0700, 0600);
	if (!file_give_away(p->lock))
		skip();
	assert_is_left_alone(p);
	assert_int_equal(chown(p->lock, 0, 0), 0);
	assert_int_equal(chmod(p->lock, 0666), 0);
	assert_true(file_give_away(p->hidden));
	assert_is_left_alone(p);
}

/* For example as root on NFS, where the server gives root's files to nobody. */
static void a_directory_of_another_user_gets_no_lock_file(void **state)
{
	struct place *p = *state;
	assert_int_equal(mkdir(p->hidden, 0777), 0);
	if (!file_give_away(p->hidden))
		skip();
	struct file_lock *l = file_lock_new();
	assert_int_equal(file_lock_take(l, span_of(p->dir), INODE), 0);
	file_lock_release(l);
	file_lock_free(l);
	assert_int_not_equal(access(p->lock, F_OK), 0);
	assert_int_equal(access(p->hidden, F_OK), 0);
}

static mode_t mkdir_adds;
static unsigned made_dirs;

/* Replaces libc's function in this program. */
int mkdir(const char *path, mode_t mode)
{
	made_dirs++;
	if (mkdirat(AT_FDCWD, path, mode) < 0)
		return -1;
	return mkdir_adds == 0 ? 0 : chmod(path, mode | mkdir_adds);
}

/* For example a mounted share, on which every file has the same mode. */
static void on_a_file_system_without_modes_nothing_is_made_again(void **state)
{
	struct place *p = *state;
	struct file_lock *l = file_lock_new();
	mkdir_adds = 0077;
	made_dirs = 0;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(file_lock_take(l, span_of(p->dir), INODE), 0);
		file_lock_release(l);
		assert_in_range(made_dirs, 1, 2);
	}
	mkdir_adds = 0;
	file_lock_free(l);
}

/* Use the lock file, and read into `text` what was logged. */
static void use_and_read_log(const struct place *p, struct buf *text)
{
	char log[112];
	snprintf(log, sizeof log, "%s/log", p->dir);
	int kept = dup(STDERR_FILENO);
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(kept >= 0 && fd >= 0);
	dup2(fd, STDERR_FILENO);
	file_lock_free(used_lock(p));
	wait_for_log();
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(fd);
	assert_true(file_read(log, text));
	buf_text(text);
}

static void a_lock_file_that_is_not_used_is_reported_with_its_owner(
	void **state)
{
	struct place *p = *state;
	struct buf text = {0};
	char owner[64];
	snprintf(owner, sizeof owner, "/.sluiced/lock\" owner_uid=%u err=\"",
		 (unsigned)geteuid());
	make_lock_file(p, 0700, 0640);
	file_write_text(p->lock, "line\n");
	use_and_read_log(p, &text);
	assert_non_null(strstr(text.ptr, "level=warn mod=file_sink path="));
	assert_non_null(strstr(text.ptr, owner));
	assert_non_null(strstr(text.ptr, "cannot lock: other users can open"));
	assert_non_null(strstr(text.ptr, "action=\"writing without a lock"));
	buf_fini(&text);
}

/* --- how often a flush pauses */

static unsigned pauses;

/* Replaces libc's function in this program. */
int nanosleep(const struct timespec *time, struct timespec *rest)
{
	pauses++;
	return clock_nanosleep(CLOCK_MONOTONIC, 0, time, rest);
}

/* Open a sink that has written one line and has a lock file. */
static void open_used(struct sink_dir *f)
{
	sink_dir_open(f, "    Path @\n");
	sink_dir_put(f, "0.log", "line");
	sink_dir_flush_all(f);
}

static void put_in_files(struct sink_dir *f, unsigned count)
{
	char name[16];
	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%u.log", i);
		sink_dir_put(f, name, "line");
	}
}

static void many_locked_files_share_the_pauses_of_one_flush(void **state)
{
	(void)state;
	struct sink_dir f;
	open_used(&f);
	int fd = hold_all(sink_dir_path(&f, ".sluiced/lock"));
	for (unsigned i = 1; i <= 3; i++) {
		put_in_files(&f, 10);
		pauses = 0;
		assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
		assert_int_equal(pauses, FLUSH_PAUSES);
		assert_int_equal(f.sink->stats.lines_queued, i * 10);
		sink_dir_wait_s(&f, 1);
	}
	close(fd);
	sink_dir_flush_all(&f);
	assert_int_equal(f.sink->stats.lines_queued, 0);
	sink_dir_fini(&f);
}

static void one_locked_file_leaves_pauses_for_the_others(void **state)
{
	(void)state;
	struct sink_dir f;
	open_used(&f);
	pid_t holder = lock_hold(f.dir, sink_dir_path(&f, "0.log"));
	put_in_files(&f, 10);
	pauses = 0;
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_in_range(pauses, 1, FLUSH_PAUSES / 2);
	assert_int_equal(f.sink->stats.lines_queued, 1);
	lock_drop(holder);
	sink_dir_wait_s(&f, 1);
	sink_dir_flush_all(&f);
	sink_dir_fini(&f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_last_process_removes_the_lock_file),
		T(a_lock_file_on_which_a_lock_is_held_stays),
		T(a_lock_file_of_somebody_else_stays),
		T(a_directory_with_other_files_stays),
		T(after_the_removal_other_writers_lock_a_new_file),
		T(a_lock_file_in_a_directory_that_others_can_write_is_replaced),
		T(a_lock_file_that_others_can_open_is_replaced),
		T(a_lock_file_that_others_can_open_later_is_replaced),
		T(a_lock_file_with_a_second_name_is_replaced),
		T(a_file_with_content_is_neither_used_nor_changed),
		T(the_lock_file_of_another_user_is_neither_used_nor_changed),
		T(a_directory_of_another_user_gets_no_lock_file),
		T(on_a_file_system_without_modes_nothing_is_made_again),
		T(a_lock_file_that_is_not_used_is_reported_with_its_owner),
		cmocka_unit_test(
			many_locked_files_share_the_pauses_of_one_flush),
		cmocka_unit_test(one_locked_file_leaves_pauses_for_the_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
