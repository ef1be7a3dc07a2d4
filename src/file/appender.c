/* SPDX-License-Identifier: Apache-2.0 */
#include "file/appender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "file/spill.h"

#define BACKOFF_MIN_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS (5 * NS_PER_S)

enum { KEEP_BYTES = 64 * 1024, OPEN_TRIES = 3 };

/* --- the lines in memory */

bool appender_waits(const struct appender *a)
{
	return a->lines.len > 0 || a->spill != NULL;
}

static size_t count_messages(const struct appender *a, size_t first,
			     size_t count)
{
	size_t messages = 0;
	for (size_t i = first; i < first + count; i++)
		messages += (size_t)a->answers.ptr[i];
	return messages;
}

static size_t count_lines(struct span bytes)
{
	size_t lines = 0;
	const char *end = bytes.ptr + bytes.len;
	for (const char *at = bytes.ptr;
	     at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL;
	     at++)
		lines++;
	return lines;
}

/* They are somewhere else now. */
static void cut_lines(struct appender *a, size_t lines, size_t bytes)
{
	buf_cut_front(&a->lines, bytes);
	buf_cut_front(&a->answers, lines);
	a->batch_at += (int64_t)bytes;
	if (a->lines.len == 0)
		a->batch_at = 0;
}

/* The first `bytes` are in the file: count the lines that end there. */
static void settle(struct appender *a, size_t bytes)
{
	struct sink_stats *stats = a->env->stats;
	size_t lines = a->answers.len, whole_bytes = a->lines.len;
	if (bytes < a->lines.len) {
		const char *end =
			bytes > 0 ? memrchr(a->lines.ptr, '\n', bytes) : NULL;
		whole_bytes =
			end == NULL ? 0 : (size_t)(end + 1 - a->lines.ptr);
		lines = count_lines(span_make(a->lines.ptr, whole_bytes));
	}
	size_t messages = count_messages(a, 0, lines);
	stats->lines_written_total += lines;
	stats->lines_queued -= lines;
	stats->messages_written_total += messages;
	stats->messages_queued -= messages;
	a->torn_bytes = bytes - whole_bytes;
	cut_lines(a, lines, whole_bytes);
}

/* --- writing */

static int write_part(struct appender *a, size_t end)
{
	size_t done, at = a->torn_bytes;
	int error = append_file_write(
		&a->file, APPEND_LINES, a->batch_at + (int64_t)at,
		span_make(a->lines.ptr + at, end - at), &done);
	settle(a, at + done);
	return error;
}

/* The path is another file now.  A torn line is completed in the one that has
 * its beginning, if that still has a name, takes it now and nobody went on
 * there; else it is written whole to the new one. */
static void leave_file(struct appender *a)
{
	struct stat st;
	if (a->torn_bytes > 0 && append_file_is_as_left(&a->file) &&
	    fstat(a->file.fd, &st) == 0 && st.st_nlink > 0) {
		const char *end = memchr(a->lines.ptr, '\n', a->lines.len);
		CHECK(end != NULL);
		int error = write_part(a, (size_t)(end + 1 - a->lines.ptr));
		if (error != 0)
			a->env->stats->errors_total++;
	}
	a->torn_bytes = 0;
	append_file_end(&a->file);
	append_file_close(&a->file);
}

/* Nothing is open when nothing is left to write. */
static int begin(struct appender *a)
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		int error = append_file_begin(&a->file);
		if (error != ESTALE || a->file.fd < 0)
			return error;
		leave_file(a);
		if (!appender_waits(a))
			return 0;
	}
	return EBUSY; /* somebody renames it all the time */
}

/* What a killed process had written of the first batch. */
static void recover_lines(struct appender *a)
{
	if (a->is_recovered)
		return;
	a->is_recovered = true;
	const struct append_note *n = append_file_noted(&a->file, APPEND_LINES);
	if (n == NULL)
		return;
	size_t found = append_file_found(&a->file, n, buf_span(&a->lines),
					 (size_t)n->skip_bytes);
	a->env->stats->recovered_bytes_total += found;
	settle(a, found);
}

static int write_lines(struct appender *a, int64_t now_ns)
{
	int error = begin(a);
	if (error == 0 && a->lines.len > 0)
		recover_lines(a);
	if (error == 0 && a->lines.len > 0) {
		if (!append_file_is_as_left(&a->file))
			a->torn_bytes = 0;
		if (a->torn_bytes == 0)
			error = append_file_tail(&a->file, now_ns);
		if (error == 0)
			error = write_part(a, a->lines.len);
	}
	append_file_end(&a->file);
	return error;
}

static int drain(struct appender *a, int64_t now_ns)
{
	int error = 0;
	while (error == 0 && spill_can_drain(a->spill)) {
		error = begin(a);
		if (error == 0)
			error = spill_drain(a->spill, &a->file, now_ns);
		append_file_end(&a->file);
	}
	return error;
}

/* Before the lines are set aside: the notes are there for the first batch
 * only.  What stands in the file can be read without its lock. */
static void recover_at_last(struct appender *a)
{
	if (a->is_recovered || a->env->notes == NULL)
		return;
	bool was_open = a->file.fd >= 0;
	if (append_file_peek(&a->file)) {
		if (a->spill != NULL)
			spill_recover(a->spill, &a->file);
		recover_lines(a);
		if (!was_open)
			append_file_close(&a->file);
	}
	a->is_recovered = true;
}

/* --- failing */

/* Whom does it concern? */
static enum append judge(int error, bool is_open)
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
		return is_open ? APPEND_BLOCKED : APPEND_SET_ASIDE;
	default:
		return APPEND_SET_ASIDE;
	}
}

static const char *text_of(int error)
{
	if (error == EBUSY)
		return "another process has it";
	if (error == EXDEV)
		return "a symbolic link leads out of Path";
	return strerror(error);
}

/* The disk takes nothing, but what is spilled holds nobody up. */
static bool can_spill(const struct appender *a)
{
	const struct appender_env *env = a->env;
	return env->has_others && env->spills != NULL &&
	       (a->lines.len == 0 ||
		env->stats->spilled_bytes < env->spills->bytes_max);
}

static void say_failing(struct appender *a, int error)
{
	char room[LOG_QUOTED_BYTES];
	log_rated(&a->env->failing_rate, error == EBUSY ? LOG_DEBUG : LOG_ERROR,
		  "file_sink", "path=%s err=\"%s\" waiting=%zu",
		  log_quoted(span_of(a->path), room), text_of(error),
		  a->answers.len);
}

/* Whoever has it has it for moments, again and again: asking less and less
 * often would mean to get it never. */
static void put_off_busy(struct appender *a, int64_t now_ns)
{
	a->retry_ns = now_ns + BACKOFF_MIN_NS;
	if (now_ns - a->failing_since_ns >= BACKOFF_MAX_NS) {
		char room[LOG_QUOTED_BYTES];
		log_rated(&a->env->busy_rate, LOG_WARN, "file_sink",
			  "path=%s err=\"another process has held it for a "
			  "long time\"",
			  log_quoted(span_of(a->path), room));
	}
}

static void put_off(struct appender *a, int error, int64_t now_ns)
{
	if (error == EBUSY) {
		put_off_busy(a, now_ns);
		return;
	}
	a->retry_ns = now_ns + a->backoff_ns;
	a->backoff_ns *= 2;
	if (a->backoff_ns > BACKOFF_MAX_NS)
		a->backoff_ns = BACKOFF_MAX_NS;
}

static enum append fail(struct appender *a, int error, int64_t now_ns)
{
	enum append verdict = judge(error, a->file.fd >= 0);
	a->is_disk = verdict == APPEND_BLOCKED;
	if (a->is_disk && can_spill(a))
		verdict = APPEND_SET_ASIDE;
	if (error != EBUSY)
		a->env->stats->errors_total++;
	if (a->failed_errno == 0) {
		a->backoff_ns = BACKOFF_MIN_NS;
		a->failing_since_ns = now_ns;
	}
	if (a->failed_errno == 0 ||
	    (a->failed_errno == EBUSY && error != EBUSY))
		say_failing(a, error);
	a->failed_errno = error;
	a->retry_ns = now_ns;
	if (verdict == APPEND_SET_ASIDE)
		put_off(a, error, now_ns);
	return verdict;
}

static void work_again(struct appender *a)
{
	if (a->failed_errno == 0)
		return;
	char room[LOG_QUOTED_BYTES];
	log_rated(&a->env->working_rate,
		  a->failed_errno == EBUSY ? LOG_DEBUG : LOG_INFO, "file_sink",
		  "path=%s msg=\"works again\"",
		  log_quoted(span_of(a->path), room));
	a->failed_errno = 0;
	a->is_disk = false;
}

/* --- setting aside */

/* The first `bytes` of the lines, whole ones. */
static int spill_part(struct appender *a, size_t bytes, bool is_old)
{
	struct span part = span_make(a->lines.ptr, bytes);
	size_t lines = count_lines(part);
	const struct spill_lines what = {
		.bytes = part,
		.lines = (uint32_t)lines,
		.messages = (uint32_t)count_messages(a, 0, lines),
		.is_old = is_old,
		.torn_bytes = a->torn_bytes,
	};
	int error = spill_add(a->spill, &what, &a->file);
	if (error != 0)
		return error;
	a->torn_bytes = 0;
	cut_lines(a, lines, bytes);
	return 0;
}

static int spill_all(struct appender *a)
{
	if (a->spill == NULL)
		a->spill = spill_new(a->env->spills, a->path);
	if (a->spill == NULL)
		return errno;
	size_t old_bytes = a->batch_at < 0 ? (size_t)-a->batch_at : 0;
	int error = old_bytes > 0 ? spill_part(a, old_bytes, true) : 0;
	if (error == 0 && a->lines.len > 0)
		error = spill_part(a, a->lines.len, false);
	return error;
}

/* What waits for the disk is never given up: without room in the spill, or in
 * memory, it blocks. */
static enum append set_aside(struct appender *a)
{
	if (a->is_disk && !can_spill(a))
		return APPEND_BLOCKED;
	/* For those that spill already, the sink takes no more. */
	bool is_full = !a->is_disk && a->spill == NULL &&
		       a->env->spills != NULL &&
		       spill_dir_is_full(a->env->spills);
	int error = 0;
	if (a->env->spills != NULL && a->lines.len > 0)
		error = is_full ? ENOSPC : spill_all(a);
	if (error != 0 && a->is_disk)
		return APPEND_BLOCKED;
	if (error != 0) {
		char room[LOG_QUOTED_BYTES];
		log_rated(&a->env->spill_rate, LOG_ERROR, "file_sink",
			  "path=%s err=\"its lines cannot be spilled, they "
			  "wait in memory: %s\"",
			  log_quoted(span_of(a->path), room), strerror(error));
	}
	if (a->torn_bytes == 0 && a->failed_errno != EBUSY)
		append_file_close(&a->file);
	return APPEND_SET_ASIDE;
}

/* --- the interface */

struct appender *appender_new(const char *path, struct appender_env *env)
{
	struct appender *a = mem_new(1, sizeof *a);
	a->env = env;
	a->path = mem_text(path);
	append_file_init(&a->file, a->path, env);
	return a;
}

void appender_free(struct appender *a)
{
	if (a == NULL)
		return;
	appender_give_up(a, 0);
	append_file_close(&a->file);
	spill_free(a->spill);
	buf_fini(&a->lines);
	buf_fini(&a->answers);
	buf_fini(&a->file.head);
	free(a->path);
	free(a);
}

void appender_took(struct appender *a, bool answers)
{
	buf_put_char(&a->answers, answers);
	appender_count(a, answers);
}

void appender_count(struct appender *a, bool answers)
{
	struct sink_stats *stats = a->env->stats;
	stats->lines_total++;
	stats->lines_queued++;
	stats->messages_total += answers;
	stats->messages_queued += answers;
}

enum append appender_flush(struct appender *a, int64_t now_ns)
{
	if (!appender_waits(a))
		return APPENDED;
	if (a->failed_errno != 0) {
		if (now_ns < a->retry_ns)
			return set_aside(a);
		a->env->stats->retries_total++;
	}
	int error = a->spill != NULL ? drain(a, now_ns) : 0;
	bool is_next = a->spill == NULL || spill_is_empty(a->spill);
	if (error == 0 && is_next && a->lines.len > 0)
		error = write_lines(a, now_ns);
	if (error == 0) {
		work_again(a);
		return a->lines.len > 0 ? set_aside(a) : APPENDED;
	}
	if (fail(a, error, now_ns) == APPEND_BLOCKED)
		return APPEND_BLOCKED;
	recover_at_last(a);
	return set_aside(a);
}

void appender_settled(struct appender *a)
{
	a->batch_at = -(int64_t)a->lines.len;
	append_file_settled(&a->file);
	if (a->lines.len == 0 && a->lines.cap > KEEP_BYTES) {
		buf_fini(&a->lines);
		buf_fini(&a->answers);
	}
	if (a->spill == NULL)
		return;
	spill_settled(a->spill);
	if (spill_is_done(a->spill)) {
		spill_remove(a->spill);
		a->spill = NULL;
	}
}

bool appender_is_held(const struct appender *a)
{
	return a->failed_errno != 0 ||
	       (a->spill != NULL && !spill_is_empty(a->spill));
}

bool appender_may_refuse(const struct appender *a)
{
	bool is_unknown = a->env->has_others && a->failed_errno == 0;
	return appender_is_held(a) && !a->is_disk && !is_unknown;
}

void appender_give_up(struct appender *a, size_t keep_bytes)
{
	if (keep_bytes >= a->lines.len)
		return;
	struct sink_stats *stats = a->env->stats;
	const char *end =
		keep_bytes > 0 ? memrchr(a->lines.ptr, '\n', keep_bytes) : NULL;
	size_t kept_bytes = end == NULL ? 0 : (size_t)(end + 1 - a->lines.ptr);
	size_t lines = count_lines(span_make(a->lines.ptr + kept_bytes,
					     a->lines.len - kept_bytes));
	size_t messages = count_messages(a, a->answers.len - lines, lines);
	stats->lines_queued -= lines;
	stats->lines_dropped_total[DROP_write_failed] += lines;
	stats->messages_queued -= messages;
	stats->messages_dropped_total[DROP_write_failed] += messages;
	a->lines.len = kept_bytes;
	a->answers.len -= lines;
	if (kept_bytes == 0) {
		a->torn_bytes = 0;
		a->batch_at = 0;
	}
}

void appender_sync(struct appender *a)
{
	append_file_sync(&a->file);
	if (a->spill != NULL)
		spill_sync(a->spill);
}

void appender_reopen(struct appender *a)
{
	if (a->torn_bytes == 0)
		append_file_close(&a->file);
	a->retry_ns = 0;
	a->backoff_ns = BACKOFF_MIN_NS;
}
