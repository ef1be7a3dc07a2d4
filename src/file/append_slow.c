/* SPDX-License-Identifier: Apache-2.0 */
#include "file/append_slow.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own_file.h"
#include "file/append_file.h"
#include "file/slow_io.h"

enum {
	LINES_BYTES = 1024 * 1024, /* as the pieces of a spill */
	WAIT_MIN_MS = 20,
};

#define FLUSH_WAIT_NS (SLOW_WRITE_S * NS_PER_S)

void append_slow_begin_flush(struct file_env *env)
{
	env->slow.unused_ns = FLUSH_WAIT_NS;
}

void append_slow_opened(struct append_file *f, const struct stat *st)
{
	f->slow.is_others = S_ISREG(st->st_mode) && !own_file_has_owner(st);
}

bool append_slow_syncs(const struct append_file *f)
{
	return f->slow.is_others && f->env->spills != NULL;
}

static bool is_needed(const struct append_file *f, int64_t now_ns)
{
	const struct slow_files *all = &f->env->slow;
	return f->env->spills != NULL && f->is_regular &&
	       (f->slow.is_others ||
		(now_ns < all->until_ns && all->left < SLOW_FILES_MAX));
}

static bool is_too_many(const struct append_file *f)
{
	return f->slow.is_others && f->env->slow.left >= SLOW_OTHERS_MAX;
}

static void took(struct append_file *f, int64_t began_ns, int64_t ended_ns)
{
	if (ended_ns - began_ns >= SLOW_WRITE_S * NS_PER_S)
		f->env->slow.until_ns = ended_ns + SLOW_KEPT_S * NS_PER_S;
}

static ssize_t write_here(struct append_file *f, struct span bytes,
			  int64_t began_ns)
{
	ssize_t n = write(f->fd, bytes.ptr, bytes.len);
	int error = errno;
	if (f->env->spills != NULL)
		took(f, began_ns, clock_mono_ns());
	errno = error;
	return n;
}

/* Has it ended in time?  The first that hangs may use up the time of the flush.
 * If the disk hangs, the probe waits for it. */
static bool wait_for(struct append_file *f, struct slow_io *io)
{
	struct slow_files *all = &f->env->slow;
	int64_t began_ns = clock_mono_ns();
	int64_t wait_ns = all->unused_ns > WAIT_MIN_MS * NS_PER_MS
				  ? all->unused_ns
				  : WAIT_MIN_MS * NS_PER_MS;
	bool has_ended = slow_io_wait(io, wait_ns);
	int64_t now_ns = clock_mono_ns();
	all->unused_ns -= now_ns - began_ns;
	if (has_ended)
		return true;
	all->until_ns = now_ns + SLOW_KEPT_S * NS_PER_S;
	(void)!append_file_probe(f, EBUSY);
	return slow_io_wait(io, 0);
}

/* Returns whether it has ended.  If not, it is left, and errno is set. */
static bool finish(struct append_file *f, struct slow_io *io,
		   size_t lines_bytes)
{
	if (wait_for(f, io))
		return true;
	f->slow.io = io;
	f->slow.is_lines = lines_bytes > 0;
	f->slow.io_bytes = lines_bytes;
	f->env->slow.left++;
	errno = lines_bytes > 0 ? EINPROGRESS : EBUSY;
	return false;
}

static ssize_t result_of(struct slow_io *io)
{
	const struct slow_io_result *r = slow_io_result(io);
	ssize_t bytes = r->bytes;
	int error = r->error;
	slow_io_free(io);
	errno = error;
	return bytes;
}

/* Lines count; other bytes do not. */
static ssize_t append(struct append_file *f, struct span bytes, bool is_lines)
{
	int64_t now_ns = f->env->spills != NULL ? clock_mono_ns() : 0;
	if (!is_needed(f, now_ns))
		return write_here(f, bytes, now_ns);
	if (is_too_many(f)) {
		errno = EBUSY;
		return -1;
	}
	struct slow_io *io =
		slow_io_write(f->fd, bytes, f->env->fsync != SINK_FSYNC_NEVER);
	if (io == NULL)
		return write_here(f, bytes, now_ns);
	return finish(f, io, is_lines ? bytes.len : 0) ? result_of(io) : -1;
}

/* A spill is drained in pieces, too: so what a killed process has left can be
 * found in the file (spill.c). */
ssize_t append_slow_lines(struct append_file *f, struct span lines)
{
	if (lines.len > LINES_BYTES && is_needed(f, clock_mono_ns())) {
		const char *end = memrchr(lines.ptr, '\n', LINES_BYTES);
		if (end == NULL)
			end = memchr(lines.ptr + LINES_BYTES, '\n',
				     lines.len - LINES_BYTES);
		if (end != NULL)
			lines.len = (size_t)(end + 1 - lines.ptr);
	}
	return append(f, lines, true);
}

ssize_t append_slow_bytes(struct append_file *f, struct span bytes)
{
	return append(f, bytes, false);
}

ssize_t append_slow_read(struct append_file *f, char *byte, off_t offset)
{
	if (!is_needed(f, clock_mono_ns()))
		return pread(f->fd, byte, 1, offset);
	if (is_too_many(f)) {
		errno = EBUSY;
		return -1;
	}
	struct slow_io *io = slow_io_read_byte(f->fd, offset);
	if (io == NULL)
		return pread(f->fd, byte, 1, offset);
	if (!finish(f, io, 0))
		return -1;
	*byte = slow_io_last(io);
	return result_of(io);
}

bool append_slow_is_left(const struct append_file *f)
{
	return f->slow.io != NULL || f->slow.left_bytes > 0;
}

static void account(struct append_file *f)
{
	const struct slow_io_result *r = slow_io_result(f->slow.io);
	struct sink_stats *stats = f->env->stats;
	if (f->slow.is_lines && r->bytes > 0) {
		f->slow.left_bytes = (size_t)r->bytes;
		f->end_bytes = (uint64_t)r->end_bytes;
		f->is_torn = slow_io_last(f->slow.io) != '\n';
		stats->writes_total++;
		stats->bytes_written_total += (uint64_t)r->bytes;
	}
	append_slow_forget(f);
}

int append_slow_end(struct append_file *f)
{
	if (f->slow.io != NULL && !slow_io_wait(f->slow.io, 0))
		return EBUSY;
	if (f->slow.io != NULL)
		account(f);
	return 0;
}

void append_slow_wait(struct append_file *f)
{
	(void)!slow_io_wait(f->slow.io, -1);
	account(f);
}

void append_slow_forget(struct append_file *f)
{
	if (f->slow.io == NULL)
		return;
	f->env->slow.left--;
	slow_io_free(f->slow.io);
	f->slow.io = NULL;
}
