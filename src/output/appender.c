/* SPDX-License-Identifier: Apache-2.0 */
#include "output/appender.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "output/file_path.h"

#define BACKOFF_MIN_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS (5 * NS_PER_S)

enum {
	FILE_MODE = 0666, /* as Fluent Bit; the umask applies */
	KEEP_BYTES = 64 * 1024,
};

static void close_file(struct appender *a)
{
	if (a->fd < 0)
		return;
	close(a->fd);
	a->fd = -1;
	a->env->stats->files_open--;
}

/* 0 or an errno.  O_NONBLOCK does nothing to a file; without it, a FIFO that
 * nobody reads would hold the thread for ever. */
static int open_file(struct appender *a)
{
	const int flags =
		O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK;
	int fd = open(a->path, flags, FILE_MODE);
	if (fd < 0 && errno == ENOENT && a->env->mkdir) {
		int error = file_path_make_parents(a->path);
		if (error != 0)
			return error;
		fd = open(a->path, flags, FILE_MODE);
	}
	if (fd < 0)
		return errno;
	struct stat st;
	if (fstat(fd, &st) < 0) {
		int error = errno;
		close(fd);
		return error;
	}
	a->fd = fd;
	a->device = st.st_dev;
	a->inode = st.st_ino;
	a->env->stats->files_open++;
	return 0;
}

/* Only a sure "no" counts: a directory that may no longer be searched is no
 * reason to leave a file that can be written. */
static bool is_where_it_was(const struct appender *a)
{
	struct stat st;
	if (stat(a->path, &st) < 0)
		return errno != ENOENT && errno != ENOTDIR;
	return st.st_dev == a->device && st.st_ino == a->inode;
}

/* Write from torn_bytes up to `end`.  0 or an errno; *at is how far it came. */
static int write_lines(struct appender *a, size_t end, size_t *at)
{
	struct sink_stats *stats = a->env->stats;
	while (*at < end) {
		ssize_t n = write(a->fd, a->lines.ptr + *at, end - *at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		*at += (size_t)n;
		stats->writes_total++;
		stats->bytes_written_total += (uint64_t)n;
	}
	return 0;
}

static size_t count_messages(const struct appender *a, size_t first,
			     size_t count)
{
	size_t messages = 0;
	for (size_t i = first; i < first + count; i++)
		messages += (size_t)a->answers.ptr[i];
	return messages;
}

static void cut_front(struct buf *b, size_t bytes)
{
	b->len -= bytes;
	if (b->len > 0)
		memmove(b->ptr, b->ptr + bytes, b->len);
}

/* A burst's buffer goes back when a quarter of it would have done. */
static void shrink(struct buf *b, size_t used_bytes)
{
	if (b->len == 0 && b->cap > KEEP_BYTES && used_bytes < b->cap / 4)
		buf_fini(b);
}

/* The first `bytes` are on the disk: count the lines that end there. */
static void settle(struct appender *a, size_t bytes)
{
	struct sink_stats *stats = a->env->stats;
	size_t lines = a->answers.len, whole_bytes = a->lines.len;
	if (bytes < a->lines.len) {
		lines = whole_bytes = 0;
		const char *end;
		while ((end = memchr(a->lines.ptr + whole_bytes, '\n',
				     bytes - whole_bytes)) != NULL) {
			whole_bytes = (size_t)(end + 1 - a->lines.ptr);
			lines++;
		}
	}
	size_t messages = count_messages(a, 0, lines);
	stats->lines_written_total += lines;
	stats->lines_queued -= lines;
	stats->messages_written_total += messages;
	stats->messages_queued -= messages;
	a->torn_bytes = bytes - whole_bytes;
	cut_front(&a->lines, whole_bytes);
	cut_front(&a->answers, lines);
	shrink(&a->lines, whole_bytes);
	shrink(&a->answers, lines);
}

/* The path is another file now.  A torn line is completed in the one that has
 * its beginning, if that still has a name and takes it now; else it is
 * written whole to the new one. */
static void leave_file(struct appender *a)
{
	struct stat st;
	if (a->torn_bytes > 0 && fstat(a->fd, &st) == 0 && st.st_nlink > 0) {
		const char *end = memchr(a->lines.ptr, '\n', a->lines.len);
		size_t at = a->torn_bytes;
		write_lines(a, (size_t)(end + 1 - a->lines.ptr), &at);
		settle(a, at);
	}
	a->torn_bytes = 0;
	close_file(a);
}

/* Whom does it concern?  was_open: before this flush. */
static enum append judge(int error, bool was_open)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
	case EIO:
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE:
		return APPEND_BLOCKED;
	case EROFS:
		return was_open ? APPEND_BLOCKED : APPEND_SET_ASIDE;
	default:
		return APPEND_SET_ASIDE;
	}
}

static enum append fail(struct appender *a, int error, bool was_open,
			int64_t now_ns)
{
	enum append verdict = judge(error, was_open);
	a->env->stats->errors_total++;
	if (a->torn_bytes == 0 && (verdict == APPEND_SET_ASIDE || !was_open))
		close_file(a);
	if (a->failed_errno == 0) {
		char room[SAY_QUOTED_BYTES];
		a->backoff_ns = BACKOFF_MIN_NS;
		say_rated(&a->env->failing_rate, SAY_ERROR, "file_sink",
			  "path=%s err=\"%s\" waiting=%zu",
			  say_quoted(span_of(a->path), room), strerror(error),
			  a->answers.len);
	}
	a->failed_errno = error;
	a->retry_ns = now_ns;
	if (verdict == APPEND_SET_ASIDE) {
		a->retry_ns += a->backoff_ns;
		a->backoff_ns = a->backoff_ns * 2 < BACKOFF_MAX_NS
					? a->backoff_ns * 2
					: BACKOFF_MAX_NS;
	}
	return verdict;
}

static void recover(struct appender *a, size_t lines)
{
	if (a->failed_errno == 0)
		return;
	char room[SAY_QUOTED_BYTES];
	a->failed_errno = 0;
	say_rated(&a->env->working_rate, SAY_INFO, "file_sink",
		  "path=%s msg=\"works again\" written=%zu",
		  say_quoted(span_of(a->path), room), lines);
}

struct appender *appender_new(const char *path, struct appender_env *env)
{
	struct appender *a = mem_new(1, sizeof *a);
	a->env = env;
	a->path = mem_text(path);
	a->fd = -1;
	return a;
}

void appender_free(struct appender *a)
{
	if (a == NULL)
		return;
	appender_give_up(a, 0);
	close_file(a);
	buf_fini(&a->lines);
	buf_fini(&a->answers);
	free(a->path);
	free(a);
}

void appender_took(struct appender *a, bool answers)
{
	struct sink_stats *stats = a->env->stats;
	buf_put_char(&a->answers, answers);
	stats->lines_total++;
	stats->lines_queued++;
	stats->messages_total += answers;
	stats->messages_queued += answers;
}

enum append appender_flush(struct appender *a, int64_t now_ns)
{
	if (a->lines.len == 0)
		return APPENDED;
	if (a->failed_errno != 0) {
		if (now_ns < a->retry_ns)
			return APPEND_SET_ASIDE;
		a->env->stats->retries_total++;
	}
	size_t lines = a->answers.len;
	if (a->fd >= 0 && !is_where_it_was(a))
		leave_file(a);
	bool was_open = a->fd >= 0;
	int error = was_open || a->lines.len == 0 ? 0 : open_file(a);
	if (error == 0) {
		size_t at = a->torn_bytes;
		error = write_lines(a, a->lines.len, &at);
		settle(a, at);
	}
	if (error != 0)
		return fail(a, error, was_open, now_ns);
	recover(a, lines);
	return APPENDED;
}

void appender_give_up(struct appender *a, size_t keep_bytes)
{
	if (keep_bytes >= a->lines.len)
		return;
	struct sink_stats *stats = a->env->stats;
	const char *end =
		keep_bytes > 0 ? memrchr(a->lines.ptr, '\n', keep_bytes) : NULL;
	size_t kept_bytes = end == NULL ? 0 : (size_t)(end + 1 - a->lines.ptr);
	size_t lines = 0;
	for (const char *at = a->lines.ptr + kept_bytes;
	     (at = memchr(at, '\n',
			  (size_t)(a->lines.ptr + a->lines.len - at)));
	     at++)
		lines++;
	size_t messages = count_messages(a, a->answers.len - lines, lines);
	stats->lines_queued -= lines;
	stats->lines_dropped_total[DROP_write_failed] += lines;
	stats->messages_queued -= messages;
	stats->messages_dropped_total[DROP_write_failed] += messages;
	a->lines.len = kept_bytes;
	a->answers.len -= lines;
	if (kept_bytes == 0)
		a->torn_bytes = 0;
}

void appender_reopen(struct appender *a)
{
	if (a->torn_bytes == 0)
		close_file(a);
	a->retry_ns = 0;
	a->backoff_ns = BACKOFF_MIN_NS;
}
