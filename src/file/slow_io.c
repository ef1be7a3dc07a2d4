/* SPDX-License-Identifier: Apache-2.0 */
#include "file/slow_io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { STACK_BYTES = 64 * 1024 };

struct slow_io {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool has_ended;
	bool is_left; /* nobody waits for it */
	bool is_read;
	bool syncs;
	int fd;
	off_t offset;
	char byte;
	struct slow_io_result result;
	size_t len;
	char bytes[];
};

static void destroy(struct slow_io *io)
{
	pthread_cond_destroy(&io->ended);
	pthread_mutex_destroy(&io->lock);
	free(io);
}

static struct slow_io_result do_it(struct slow_io *io)
{
	struct slow_io_result r = {0};
	do
		r.bytes = io->is_read ? pread(io->fd, &io->byte, 1, io->offset)
				      : write(io->fd, io->bytes, io->len);
	while (r.bytes < 0 && errno == EINTR);
	r.error = r.bytes < 0 ? errno : 0;
	if (io->syncs && r.bytes > 0)
		(void)!fdatasync(io->fd);
	r.end_bytes = lseek(io->fd, 0, SEEK_CUR);
	return r;
}

static void *run(void *data)
{
	struct slow_io *io = data;
	struct slow_io_result result = do_it(io);
	close(io->fd);
	pthread_mutex_lock(&io->lock);
	io->result = result;
	io->has_ended = true;
	bool is_left = io->is_left;
	pthread_cond_signal(&io->ended);
	pthread_mutex_unlock(&io->lock);
	if (is_left)
		destroy(io);
	return NULL;
}

/* Returns 0 or an errno. */
static int start_thread(struct slow_io *io)
{
	pthread_t thread;
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&thread, &attr, run, io);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error;
}

/* A duplicate shares its offset with the original, and the kernel locks the
 * offset during a write.  Only O_APPEND and pread() are used here, and no other
 * thread writes to a file whose write has not ended. */
static struct slow_io *start(int fd, const struct slow_io *what,
			     struct span bytes)
{
	struct slow_io *io = malloc(sizeof *io + bytes.len);
	if (io == NULL)
		return NULL;
	*io = *what;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&io->ended, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&io->lock, NULL);
	io->len = bytes.len;
	if (bytes.len > 0)
		memcpy(io->bytes, bytes.ptr, bytes.len);
	io->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (io->fd >= 0 && start_thread(io) == 0)
		return io;
	if (io->fd >= 0)
		close(io->fd);
	destroy(io);
	return NULL;
}

struct slow_io *slow_io_write(int fd, struct span bytes, bool syncs)
{
	const struct slow_io what = {.syncs = syncs};
	return start(fd, &what, bytes);
}

struct slow_io *slow_io_read_byte(int fd, off_t offset)
{
	const struct slow_io what = {.is_read = true, .offset = offset};
	return start(fd, &what, SPAN(""));
}

bool slow_io_wait(struct slow_io *io, int64_t wait_ns)
{
	struct timespec until;
	int error = 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t end_ns = until.tv_nsec + (wait_ns > 0 ? wait_ns : 0);
	until.tv_sec += end_ns / NS_PER_S;
	until.tv_nsec = end_ns % NS_PER_S;
	pthread_mutex_lock(&io->lock);
	while (!io->has_ended && error == 0)
		error = wait_ns < 0 ? pthread_cond_wait(&io->ended, &io->lock)
				    : pthread_cond_timedwait(&io->ended,
							     &io->lock, &until);
	bool has_ended = io->has_ended;
	pthread_mutex_unlock(&io->lock);
	return has_ended;
}

const struct slow_io_result *slow_io_result(const struct slow_io *io)
{
	return &io->result;
}

char slow_io_last(const struct slow_io *io)
{
	return io->is_read ? io->byte : io->bytes[io->result.bytes - 1];
}

void slow_io_free(struct slow_io *io)
{
	if (io == NULL)
		return;
	pthread_mutex_lock(&io->lock);
	bool has_ended = io->has_ended;
	io->is_left = true;
	pthread_mutex_unlock(&io->lock);
	if (has_ended)
		destroy(io);
}
