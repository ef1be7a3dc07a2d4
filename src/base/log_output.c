/* SPDX-License-Identifier: Apache-2.0 */
/* log_output - see the header.  The happy path is log_output_write: one
 * write() to a descriptor that never waits.  For a regular file this descriptor
 * is a pipe to the thread run_writer.  The pipe is in packet mode, so that the
 * thread reads line by line.
 * Failures: a full pipe and a failing write drop the line.  If the disk hangs,
 * the thread waits and the pipe fills up. */
#include "base/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREAD_PIPE_BYTES = 256 * 4096, FLUSH_MS_MAX = 1000 };

struct log_sink {
	int fd;
	bool is_socket;
	bool is_thread; /* fd is the pipe to the thread */
	dev_t dev;	/* of the file that the thread writes */
	ino_t ino;
};

static struct log_sink to_stderr = {.fd = STDERR_FILENO};
static struct log_sink to_file = {.fd = -1};
static pid_t thread_pid; /* the process that has the thread */
static _Atomic uint64_t dropped_total, dropped_since;
static _Atomic uint64_t handed_lines, finished_lines;

static void count_drop(void)
{
	atomic_fetch_add(&dropped_total, 1);
	atomic_fetch_add(&dropped_since, 1);
}

/* --- the thread that writes a regular file */

struct log_writer {
	int pipe;
	int file;
};

static bool write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Ends when the last descriptor of the pipe's other end is closed. */
static void *run_writer(void *arg)
{
	struct log_writer w = *(struct log_writer *)arg;
	char line[LOG_OUTPUT_LINE_BYTES_MAX];
	bool is_torn = false; /* a failed write left a part of a line */
	ssize_t n;
	free(arg);
	pthread_setname_np(pthread_self(), "sluiced-log");
	while ((n = read(w.pipe, line, sizeof line)) > 0) {
		if (is_torn)
			is_torn = !write_all(w.file, "\n", 1);
		if (is_torn || !write_all(w.file, line, (size_t)n)) {
			is_torn = true;
			count_drop();
		}
		atomic_fetch_add(&finished_lines, 1);
	}
	close(w.file);
	close(w.pipe);
	return NULL;
}

static int start_thread(struct log_writer *w)
{
	pthread_t thread;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&thread, NULL, run_writer, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		pthread_detach(thread);
	return error;
}

static void flush_at_exit(void)
{
	log_output_flush();
}

/* Takes ownership of `file`, also on failure.  Returns 0 or an errno. */
static int start_writer(int file, struct log_sink *o)
{
	int fds[2];
	struct log_writer *w = malloc(sizeof *w);
	if (w == NULL || pipe2(fds, O_DIRECT | O_CLOEXEC) < 0) {
		int error = w == NULL ? ENOMEM : errno;
		free(w);
		close(file);
		return error;
	}
	/* Fails if the user has many pipes; then fewer lines fit. */
	(void)fcntl(fds[1], F_SETPIPE_SZ, THREAD_PIPE_BYTES);
	fcntl(fds[1], F_SETFL, O_DIRECT | O_NONBLOCK);
	*w = (struct log_writer){.pipe = fds[0], .file = file};
	if (thread_pid != getpid()) {
		thread_pid = getpid();
		atomic_store(&handed_lines, 0);
		atomic_store(&finished_lines, 0);
		atexit(flush_at_exit);
	}
	int error = start_thread(w);
	if (error != 0) {
		close(fds[0]);
		close(fds[1]);
		close(file);
		free(w);
		return error;
	}
	*o = (struct log_sink){.fd = fds[1], .is_thread = true};
	return 0;
}

/* --- opening */

static void open_stderr(void)
{
	struct stat st;
	if (to_stderr.fd != STDERR_FILENO || to_stderr.is_socket ||
	    fstat(STDERR_FILENO, &st) < 0)
		return;
	to_stderr.is_socket = S_ISSOCK(st.st_mode);
	if (S_ISSOCK(st.st_mode) || S_ISREG(st.st_mode))
		return;
	int fd = open("/proc/self/fd/2",
		      O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		to_stderr.fd = fd;
}

static int open_file(const char *path, struct log_sink *o)
{
	int fd = open(path,
		      O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY |
			      O_CLOEXEC,
		      0644);
	struct stat st;
	if (fd < 0)
		return errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		*o = (struct log_sink){.fd = fd};
		return 0;
	}
	if (to_file.is_thread && thread_pid == getpid() &&
	    st.st_dev == to_file.dev && st.st_ino == to_file.ino) {
		close(fd);
		*o = to_file;
		return 0;
	}
	int error = start_writer(fd, o);
	o->dev = st.st_dev;
	o->ino = st.st_ino;
	return error;
}

bool log_output_open(const char *path, struct err *e)
{
	struct log_sink next = {.fd = -1};
	open_stderr();
	if (path != NULL) {
		int error = open_file(path, &next);
		if (error != 0)
			return err_sys(e, error, "open %s", path);
	}
	if (to_file.fd >= 0 && to_file.fd != next.fd)
		close(to_file.fd);
	to_file = next;
	return true;
}

/* --- writing */

/* For standard error itself, which may be a blocking descriptor.  poll() tells
 * whether there is room for a line, but another process may use that room
 * before the write. */
static bool has_room(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

static bool put(const struct log_sink *o, const char *line, size_t len)
{
	if (o->is_socket)
		return send(o->fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
	/* Standard error could not be reopened, for example because it belongs
	 * to another user. */
	if (o->fd == STDERR_FILENO && !has_room(o->fd))
		return false;
	return write(o->fd, line, len) >= 0;
}

bool log_output_write(const char *line, size_t len)
{
	const struct log_sink *o = to_file.fd >= 0 ? &to_file : &to_stderr;
	if (!put(o, line, len)) {
		count_drop();
		return false;
	}
	if (o->is_thread)
		atomic_fetch_add(&handed_lines, 1);
	return true;
}

void log_output_write_stderr(const char *line, size_t len)
{
	if (has_room(STDERR_FILENO))
		(void)!write(STDERR_FILENO, line, len);
}

bool log_output_flush(void)
{
	if (thread_pid != getpid())
		return true;
	uint64_t handed = atomic_load(&handed_lines);
	for (int ms = 0; atomic_load(&finished_lines) < handed; ms++) {
		if (ms == FLUSH_MS_MAX)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

uint64_t log_output_dropped_total(void)
{
	return atomic_load(&dropped_total);
}

uint64_t log_output_take_dropped(void)
{
	return atomic_exchange(&dropped_since, 0);
}

void log_output_return_dropped(uint64_t lines)
{
	/* log_output_write counted the failed report as a dropped line.
	 * Subtract it again. */
	atomic_fetch_add(&dropped_since, lines - 1);
	atomic_fetch_sub(&dropped_total, 1);
}
