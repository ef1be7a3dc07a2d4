/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_holder.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file/file_lock.h"
#include "unit.h"

static void hold(const char *dir, ino_t inode, int ready)
{
	struct file_lock *lock = file_lock_new();
	bool is_held = file_lock_take(lock, span_of(dir), inode) == 0;
	if (write(ready, "x", is_held ? 1 : 0) != 1)
		_exit(1);
	for (;;)
		pause();
}

pid_t lock_hold(const char *dir, const char *path)
{
	int ends[2];
	struct stat st;
	char byte;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		hold(dir, st.st_ino, ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return child;
}

void lock_drop(pid_t child)
{
	int status;
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
}
