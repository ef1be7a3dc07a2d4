/* SPDX-License-Identifier: Apache-2.0 */
/* These tests check when the lock file is removed; test_file_recovery.c tests
 * how writers use it. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/file_lock.h"
#include "files.h"
#include "lock_holder.h"

enum { INODE = 7 };

struct place {
	char dir[TEMP_DIR_BYTES];
	char hidden[96];
	char lock[112];
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	*state = p;
	if (!temp_dir_make(p->dir, "/tmp", "test_file_lock"))
		return -1;
	snprintf(p->hidden, sizeof p->hidden, "%s/.sluiced", p->dir);
	snprintf(p->lock, sizeof p->lock, "%s/lock", p->hidden);
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	int rc = temp_dir_remove(p->dir);
	free(p);
	return rc;
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

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_last_process_removes_the_lock_file),
		T(a_lock_file_on_which_a_lock_is_held_stays),
		T(a_lock_file_of_somebody_else_stays),
		T(a_directory_with_other_files_stays),
		T(after_the_removal_other_writers_lock_a_new_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
