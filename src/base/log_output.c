/* SPDX-License-Identifier: Apache-2.0 */
/* log_output - see the header.  The happy path is log_output_write: one
 * write() to a descriptor that never waits.  For a regular file this descriptor
 * is a pipe to the thread run_writer.  The pipe is in packet mode, so that the
 * thread reads line by line.
 * log_output_open_or_stderr and log_output_retry let the thread run_opening
 * open the file.  run_opening may replace the output while other threads log,
 * but only while standard error is used, because then no other thread uses
 * to_file.
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
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	THREAD_PIPE_BYTES = 256 * 4096,
	FLUSH_MS_MAX = 1000,
	OPEN_MS_MAX = 1000,
};

struct log_sink {
	int fd;
	bool is_socket;
	bool is_thread; /* fd is the pipe to the thread */
	dev_t dev;	/* of the file that the thread writes */
	ino_t ino;
};

static struct log_sink to_stderr = {.fd = STDERR_FILENO};
static struct log_sink to_file = {.fd = -1};
static _Atomic(const struct log_sink *) output = &to_stderr;
static _Atomic pid_t thread_pid; /* the process that has the thread */
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

static int start_thread(void *(*run)(void *), void *arg)
{
	pthread_t thread;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&thread, NULL, run, arg);
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
	int error = start_thread(run_writer, w);
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

/* Open the file.  Returns 0 or an errno.  This may hang. */
static int open_path(const char *path, int *fd, struct stat *st)
{
	*fd = open(path,
		   O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY |
			   O_CLOEXEC,
		   0644);
	if (*fd < 0)
		return errno;
	if (fstat(*fd, st) < 0)
		st->st_mode = 0; /* it counts as no regular file */
	return 0;
}

/* Closes the file that is in use, unless it is the next one. */
static void use(const struct log_sink *next)
{
	int old_fd = to_file.fd;
	if (next->fd < 0)
		atomic_store(&output, &to_stderr);
	to_file = *next;
	if (next->fd >= 0)
		atomic_store(&output, &to_file);
	if (old_fd >= 0 && old_fd != next->fd)
		close(old_fd);
}

/* Takes ownership of fd, also on failure.  Returns 0 or an errno. */
static int use_file(int fd, const struct stat *st)
{
	struct log_sink next = {.fd = fd};
	if (S_ISREG(st->st_mode)) {
		if (to_file.is_thread && thread_pid == getpid() &&
		    st->st_dev == to_file.dev && st->st_ino == to_file.ino) {
			close(fd);
			return 0;
		}
		int error = start_writer(fd, &next);
		if (error != 0)
			return error;
		next.dev = st->st_dev;
		next.ino = st->st_ino;
	}
	use(&next);
	return 0;
}

static const struct log_sink no_file = {.fd = -1};

/* --- opening in a thread */

/* This lock is held while the output is replaced, and protects the variables
 * below. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t lock_pid;	  /* the process of which the lock is */
static char *wanted_path; /* standard error is used instead; NULL: it is not */
static uint64_t last_id;  /* of the last call that chooses the output */
static bool is_opening;	  /* for that call */
static bool is_awaited;	  /* by that call */
static _Atomic uint64_t opened_id; /* the last awaited one that is done */
static int opened_error;

struct opening {
	uint64_t id;
	log_output_opened_fn opened;
	char *path;
};

/* At fork() a thread of the parent may have held the lock. */
static void take_lock(void)
{
	if (lock_pid != getpid()) {
		lock_pid = getpid();
		lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
		is_opening = is_awaited = false;
	}
	pthread_mutex_lock(&lock);
}

/* The lock is held.  A thread that is still opening a file has no effect any
 * more. */
static void begin_choice(const char *path)
{
	free(wanted_path);
	wanted_path = path != NULL ? strdup(path) : NULL;
	last_id++;
	is_opening = is_awaited = false;
}

static void free_opening(struct opening *o)
{
	free(o->path);
	free(o);
}

/* The lock is held.  Returns 0 or an errno. */
static int end_opening(int error, int fd, const struct stat *st)
{
	is_opening = false;
	if (error == 0)
		error = use_file(fd, st);
	if (error != 0)
		return error;
	free(wanted_path);
	wanted_path = NULL;
	return 0;
}

static void *run_opening(void *arg)
{
	struct opening *o = arg;
	struct stat st;
	int fd;
	int error = open_path(o->path, &fd, &st);
	pthread_mutex_lock(&lock);
	if (o->id != last_id) {
		if (error == 0)
			close(fd);
	} else {
		error = end_opening(error, fd, &st);
		opened_error = error;
		if (is_awaited)
			atomic_store(&opened_id, o->id);
		else
			o->opened(o->path, error);
	}
	pthread_mutex_unlock(&lock);
	free_opening(o);
	return NULL;
}

/* The lock is held.  Returns 0 or an errno. */
static int start_opening(log_output_opened_fn opened)
{
	struct opening *o = malloc(sizeof *o);
	char *path = wanted_path != NULL ? strdup(wanted_path) : NULL;
	if (o == NULL || path == NULL) {
		free(o);
		free(path);
		return ENOMEM;
	}
	*o = (struct opening){.id = last_id, .opened = opened, .path = path};
	is_opening = true;
	int error = start_thread(run_opening, o);
	if (error != 0) {
		is_opening = false;
		free_opening(o);
	}
	return error;
}

/* Returns 0 or an errno; ETIME if the thread is still opening the file. */
static int await_opening(uint64_t id)
{
	for (int ms = 0; ms < OPEN_MS_MAX && atomic_load(&opened_id) != id;
	     ms++)
		poll(NULL, 0, 1);
	pthread_mutex_lock(&lock);
	int error = is_opening ? ETIME : opened_error;
	is_awaited = false;
	if (error != 0)
		use(&no_file);
	pthread_mutex_unlock(&lock);
	return error;
}

bool log_output_open_or_stderr(const char *path, log_output_opened_fn opened,
			       struct err *e)
{
	if (path == NULL)
		return log_output_open(NULL, e);
	open_stderr();
	take_lock();
	begin_choice(path);
	uint64_t id = last_id;
	int error = start_opening(opened);
	is_awaited = error == 0;
	if (error != 0)
		use(&no_file);
	pthread_mutex_unlock(&lock);
	if (error == 0)
		error = await_opening(id);
	if (error == ETIME)
		return err_set(e, "open %s: the disk does not answer", path);
	return error == 0 || err_sys(e, error, "open %s", path);
}

void log_output_retry(log_output_opened_fn opened)
{
	take_lock();
	int error = 0;
	if (wanted_path != NULL && !is_opening)
		error = start_opening(opened);
	if (error != 0)
		opened(wanted_path, error);
	pthread_mutex_unlock(&lock);
}

/* --- opening in the caller's thread */

bool log_output_open(const char *path, struct err *e)
{
	struct stat st;
	int fd = -1;
	open_stderr();
	int error = path != NULL ? open_path(path, &fd, &st) : 0;
	if (error == 0) {
		take_lock();
		begin_choice(NULL);
		if (path == NULL)
			use(&no_file);
		else
			error = use_file(fd, &st);
		pthread_mutex_unlock(&lock);
	}
	return error == 0 || err_sys(e, error, "open %s", path);
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
	const struct log_sink *o = atomic_load(&output);
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
