/* SPDX-License-Identifier: Apache-2.0 */
/* Logging never waits, neither for a pipe or a socket that nobody reads nor for
 * a file that cannot be written.  Dropped lines are counted and their number
 * is logged before the next line.  Each test logs in its own child, whose
 * standard error it can replace. */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_output.h"
#include "files.h"

enum { DROPPED_LINES = 10 };

/* While this is set, open() hangs, as on a disk that does not answer. */
static _Atomic(const char *) hanging_path;

/* Replaces that of the C library. */
int open(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	const char *hanging;
	while ((hanging = atomic_load(&hanging_path)) != NULL &&
	       strcmp(path, hanging) == 0)
		poll(NULL, 0, 1);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static size_t fill(int fd)
{
	char block[4096];
	ssize_t n;
	size_t total = 0;
	memset(block, '.', sizeof block);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	while ((n = write(fd, block, sizeof block)) > 0)
		total += (size_t)n;
	while (write(fd, block, 1) == 1)
		total++;
	/* sluiced must not depend on the flags that it inherits. */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return total;
}

static void read_exactly(int fd, size_t len)
{
	char block[4096];
	while (len > 0) {
		ssize_t n = read(fd, block,
				 len < sizeof block ? len : sizeof block);
		if (n <= 0)
			_exit(2);
		len -= (size_t)n;
	}
}

/* In the child: log into the full descriptor, make room, log again. */
static void log_into(int reader, int writer)
{
	struct err e;
	dup2(writer, STDERR_FILENO);
	size_t filled = fill(writer);
	if (!log_open(NULL, LOG_INFO, &e))
		_exit(3);
	for (int i = 0; i < DROPPED_LINES; i++)
		log_line(LOG_WARN, "m", "lost=%d", i);
	if (log_output_dropped_total() != DROPPED_LINES)
		_exit(4);
	read_exactly(reader, filled);
	log_line(LOG_WARN, "m", "again=yes");
	_exit(log_output_dropped_total() == DROPPED_LINES ? 0 : 5);
}

static void assert_log_of(const int fds[2], void (*child)(int, int))
{
	char text[4096] = {0};
	pid_t pid = fork();
	if (pid == 0)
		child(fds[0], fds[1]);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fds[1]);
	assert_true(read(fds[0], text, sizeof text - 1) > 0);
	close(fds[0]);
	const char *report = strstr(text, "mod=log ");
	const char *again = strstr(text, "mod=m again=yes\n");
	assert_non_null(report);
	assert_non_null(strstr(report, " dropped=10 "));
	assert_true(again > report);
	assert_null(strstr(text, "lost="));
}

static void a_full_pipe_delays_nobody_and_the_loss_is_reported(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	assert_log_of(fds, log_into);
}

static void a_full_socket_delays_nobody_and_the_loss_is_reported(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_log_of(fds, log_into);
}

static char file_path[] = "/tmp/test_log_output.XXXXXX";

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes == 0 ? limit.rlim_max : bytes;
	setrlimit(RLIMIT_FSIZE, &limit);
}

/* The first line is torn by the limit, as by a full disk. */
static void log_into_a_limited_file(void)
{
	struct err e;
	signal(SIGXFSZ, SIG_IGN);
	limit_file_size(20);
	if (!log_open(file_path, LOG_INFO, &e))
		_exit(3);
	log_line(LOG_WARN, "m", "lost=1");
	log_line(LOG_WARN, "m", "lost=2");
	while (log_output_dropped_total() < 2)
		log_output_flush();
	limit_file_size(0);
	log_line(LOG_WARN, "m", "again=yes");
	/* Opening the file again keeps the lines that were handed over. */
	log_line(LOG_WARN, "m", "last=yes");
	if (!log_open(file_path, LOG_INFO, &e))
		_exit(4);
	wait_for_log();
	_exit(0);
}

static void a_file_that_cannot_be_written_tears_one_line_and_is_reported(
	void **state)
{
	(void)state;
	char text[4096] = {0};
	int fd = mkstemp(file_path), status;
	pid_t pid = fork();
	if (pid == 0)
		log_into_a_limited_file();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(read(fd, text, sizeof text - 1) > 20);
	close(fd);
	unlink(file_path);
	assert_int_equal(text[20], '\n');
	const char *report = strstr(text, "mod=log ");
	assert_non_null(report);
	assert_non_null(strstr(report, " dropped=2 "));
	assert_non_null(strstr(report, "mod=m again=yes\n"));
	assert_non_null(strstr(report, "mod=m last=yes\n"));
	assert_null(strstr(text, "lost="));
}

/* A path in a directory that does not exist yet. */
static char dir[] = "/tmp/test_log_output_dir.XXXXXX";
static char late_path[sizeof dir + 16];

/* Wait until the file contains the text. */
static void await_text(const char *text)
{
	char content[4096];
	do {
		memset(content, 0, sizeof content);
		int fd = open(late_path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			(void)!read(fd, content, sizeof content - 1);
			close(fd);
		}
		poll(NULL, 0, 1);
	} while (strstr(content, text) == NULL);
}

static void log_into_a_file_that_hangs(void)
{
	atomic_store(&hanging_path, late_path);
	log_open_or_stderr(late_path, LOG_INFO, "m");
	log_line(LOG_WARN, "m", "early=1");
	log_reopen(); /* the thread is still at work */
	atomic_store(&hanging_path, NULL);
	await_text("state=opened");
	log_line(LOG_WARN, "m", "late=1");
	await_text("late=1");
	_exit(0);
}

static void log_into_a_missing_directory(void)
{
	if (rmdir(dir) < 0)
		_exit(2);
	log_open_or_stderr(late_path, LOG_INFO, "m");
	log_line(LOG_WARN, "m", "early=1");
	if (mkdir(dir, 0700) < 0)
		_exit(3);
	log_reopen();
	await_text("state=opened");
	log_line(LOG_WARN, "m", "late=1");
	await_text("late=1");
	_exit(0);
}

/* The child's first lines are in standard error, with this text. */
static void assert_opened_later(void (*child)(void), const char *why)
{
	char text[4096] = {0};
	int fds[2], status;
	assert_int_equal(pipe(fds), 0);
	assert_non_null(mkdtemp(dir));
	snprintf(late_path, sizeof late_path, "%s/log", dir);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		child();
	}
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(read(fds[0], text, sizeof text - 1) > 0);
	close(fds[0]);
	assert_int_equal(temp_dir_remove(dir), 0);
	memcpy(strrchr(dir, '.') + 1, "XXXXXX", 6);
	assert_non_null(strstr(text, "level=warn mod=m err=\"Log_File: open "));
	assert_non_null(strstr(text, why));
	assert_non_null(strstr(text, "early=1\n"));
	assert_null(strstr(text, "late=1\n"));
}

static void a_file_whose_open_hangs_is_used_when_it_returns(void **state)
{
	(void)state;
	assert_opened_later(log_into_a_file_that_hangs,
			    "the disk does not answer");
}

static void a_file_that_could_not_be_opened_is_tried_again(void **state)
{
	(void)state;
	assert_opened_later(log_into_a_missing_directory,
			    "No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_full_pipe_delays_nobody_and_the_loss_is_reported),
		cmocka_unit_test(
			a_full_socket_delays_nobody_and_the_loss_is_reported),
		cmocka_unit_test(
			a_file_that_cannot_be_written_tears_one_line_and_is_reported),
		cmocka_unit_test(
			a_file_whose_open_hangs_is_used_when_it_returns),
		cmocka_unit_test(
			a_file_that_could_not_be_opened_is_tried_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
