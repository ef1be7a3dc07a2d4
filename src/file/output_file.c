/* SPDX-License-Identifier: Apache-2.0 */
#include "file/output_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "file/append_tail.h"
#include "file/file_block.h"
#include "file/file_error.h"
#include "file/file_lock.h"
#include "file/file_retry.h"
#include "file/held_files.h"
#include "file/renamed_file.h"
#include "file/skip_hash.h"
#include "file/spill.h"

enum {
	KEEP_BYTES = 64 * 1024,
	OPEN_TRIES = 3,
	/* With the pipeline's back-off: half a minute. */
	UNREAD_MAX = 10,
	UNSPILLED_MAX = 10,
};

/* --- the lines in memory */

bool output_file_waits(const struct output_file *o)
{
	return o->lines.len > 0 || o->spill != NULL;
}

static size_t count_messages(const struct output_file *o, size_t first,
			     size_t count)
{
	size_t messages = 0;
	for (size_t i = first; i < first + count; i++)
		messages += (size_t)o->answers.ptr[i];
	return messages;
}

/* The lines are written, or spilled. */
static void cut_lines(struct output_file *o, size_t lines, size_t bytes)
{
	if (bytes < o->lines.len)
		o->batch_hash = skip_hash_add(o->batch_hash, o->batch_at,
					      o->lines.ptr, bytes);
	buf_cut_front(&o->lines, bytes);
	buf_cut_front(&o->answers, lines);
	o->batch_at += (int64_t)bytes;
	if (o->lines.len == 0)
		o->batch_at = 0;
}

/* The first `bytes` are in the file: count the lines that end there. */
static void count_written(struct output_file *o, size_t bytes)
{
	struct sink_stats *stats = o->env->stats;
	size_t lines = o->answers.len, whole_bytes = o->lines.len;
	if (bytes < o->lines.len) {
		const char *end =
			bytes > 0 ? memrchr(o->lines.ptr, '\n', bytes) : NULL;
		whole_bytes =
			end == NULL ? 0 : (size_t)(end + 1 - o->lines.ptr);
		lines = span_count(span_make(o->lines.ptr, whole_bytes), '\n');
	}
	size_t messages = count_messages(o, 0, lines);
	stats->lines_written_total += lines;
	stats->lines_queued -= lines;
	stats->messages_written_total += messages;
	stats->messages_queued -= messages;
	o->torn_bytes = bytes - whole_bytes;
	cut_lines(o, lines, whole_bytes);
}

/* --- writing */

static int write_part(struct output_file *o, size_t end)
{
	size_t done, at = o->torn_bytes;
	if (o->batch_at + (int64_t)at > 0)
		o->file.skip_hash = skip_hash_end(skip_hash_add(
			o->batch_hash, o->batch_at, o->lines.ptr, at));
	const struct append_bytes part = {
		.kind = APPEND_LINES,
		.skip = o->batch_at + (int64_t)at,
		.bytes = span_make(o->lines.ptr + at, end - at),
	};
	int error = append_file_write(&o->file, &part, &done);
	count_written(o, at + done);
	return error;
}

/* Complete a torn line, unless another process appended to the file: then the
 * whole line is written later. */
static int complete_line(struct output_file *o)
{
	if (!append_file_is_as_left(&o->file))
		o->torn_bytes = 0;
	if (o->torn_bytes == 0)
		return 0;
	const char *end = memchr(o->lines.ptr, '\n', o->lines.len);
	CHECK(end != NULL);
	return write_part(o, (size_t)(end + 1 - o->lines.ptr));
}

/* The path names another file now.  A torn line is completed in the file that
 * has its beginning, if that file still has a name and can be written now.
 * Otherwise the whole line is written to the new file. */
static void leave_file(struct output_file *o)
{
	struct stat st;
	if (fstat(o->file.fd, &st) == 0 && st.st_nlink > 0 &&
	    complete_line(o) != 0)
		o->env->stats->errors_total++;
	o->torn_bytes = 0;
	append_file_end(&o->file);
	append_file_close(&o->file);
}

/* The lines are not those that the previous process began to write. */
static void write_all_again(struct output_file *o)
{
	char room[LOG_QUOTED_BYTES];
	log_rated(
		&o->env->changed_rate, LOG_WARN, "file_sink",
		"path=%s err=\"the same messages make other lines than before "
		"the restart\" action=\"writing all lines of the batch; some "
		"may be in the file already\"",
		log_quoted(span_of(o->path), room));
}

/* In the first batch, skip the lines that a killed process had written.
 * Returns 0 or, if the file cannot be read for the moment, an errno. */
static int recover_lines(struct output_file *o)
{
	if (o->is_recovered)
		return 0;
	const struct append_note *n = append_file_noted(&o->file, APPEND_LINES);
	size_t found = 0;
	int error = 0;
	if (n != NULL && !skip_hash_is_of(n, buf_span(&o->lines)))
		write_all_again(o);
	else if (n != NULL)
		error = append_file_found(&o->file, n, buf_span(&o->lines),
					  (size_t)n->skip_bytes, &found);
	if (error != 0 && o->unread < UNREAD_MAX)
		return error;
	o->is_recovered = true;
	if (found == 0)
		return 0;
	o->env->stats->recovered_bytes_total += found;
	count_written(o, found);
	return 0;
}

/* Open the file that the path named when the previous process wrote lines of
 * the first batch to it. */
static int find_renamed(struct output_file *o)
{
	bool may_be_noted = !o->is_recovered && o->lines.len > 0;
	return may_be_noted && o->file.fd < 0 ? renamed_file_open(&o->file) : 0;
}

/* After success the file is closed if nothing is left to write. */
static int begin(struct output_file *o)
{
	int error = find_renamed(o);
	if (error != 0 && o->unread < UNREAD_MAX)
		return error;
	for (int i = 0; i < OPEN_TRIES; i++) {
		error = append_file_begin(&o->file);
		if (error != ESTALE || o->file.fd < 0)
			return error;
		bool is_noted = o->lines.len > 0 &&
				append_file_noted(&o->file, APPEND_LINES);
		error = is_noted ? recover_lines(o) : 0;
		if (error != 0)
			return error;
		leave_file(o);
		if (!output_file_waits(o))
			return 0;
	}
	return EBUSY; /* another process renames it continuously */
}

static int write_lines(struct output_file *o, int64_t now_ns)
{
	int error = begin(o);
	if (error == 0 && o->lines.len > 0)
		error = recover_lines(o);
	if (error == 0 && o->lines.len > 0) {
		if (!append_file_is_as_left(&o->file))
			o->torn_bytes = 0;
		if (o->torn_bytes == 0)
			error = append_file_tail(&o->file, now_ns);
		if (error == 0)
			error = write_part(o, o->lines.len);
	}
	append_file_end(&o->file);
	return error;
}

/* A line in memory may be torn: it was written when the spill was not loaded
 * yet. */
static int drain(struct output_file *o, int64_t now_ns)
{
	int error = 0;
	while (error == 0 && spill_can_drain(o->spill)) {
		error = begin(o);
		if (error == 0 && o->lines.len > 0)
			error = recover_lines(o);
		if (error == 0)
			error = complete_line(o);
		if (error == 0)
			error = spill_drain(o->spill, &o->file, now_ns);
		append_file_end(&o->file);
	}
	return error;
}

/* Called before lines are spilled, because the notes exist during the first
 * batch only.  Reading the file needs no lock.  False: the file has a note and
 * cannot be read for the moment, so the batch must wait.  After UNREAD_MAX
 * attempts, its lines may be written twice. */
static bool recover_before_spilling(struct output_file *o)
{
	if (o->is_recovered || o->env->notes == NULL)
		return true;
	bool was_open = o->file.fd >= 0 && o->file.can_read;
	bool can_tell = find_renamed(o) == 0;
	if (can_tell && append_file_peek(&o->file)) {
		if (o->spill != NULL)
			spill_recover(o->spill, &o->file);
		can_tell = recover_lines(o) == 0;
		if (!was_open)
			append_file_close(&o->file);
	} else {
		can_tell = can_tell && !append_file_has_note(&o->file);
	}
	if (!can_tell && o->unread++ < UNREAD_MAX)
		return false;
	o->is_recovered = true;
	return true;
}

/* --- failing */

static enum append_result fail(struct output_file *o, int error, int64_t now_ns)
{
	enum append_result verdict = file_error_classify(&o->file, error);
	o->is_disk = verdict == APPEND_BLOCKED;
	if (o->is_disk && file_block_can_spill(o))
		verdict = APPEND_HELD;
	if (error != EBUSY)
		o->env->stats->errors_total++;
	file_retry_failed(o, error, verdict == APPEND_HELD, now_ns);
	o->is_busy = error == EBUSY && o->env->spills != NULL &&
		     now_ns - o->busy_since_ns < BUSY_WAIT_S * NS_PER_S &&
		     file_block_has_time(o->env);
	return verdict;
}

/* --- setting aside */

/* Spill the first `bytes`, which are whole lines. */
static int spill_part(struct output_file *o, size_t bytes, bool is_old)
{
	struct span part = span_make(o->lines.ptr, bytes);
	size_t lines = span_count(part, '\n');
	const struct spill_lines what = {
		.bytes = part,
		.lines = (uint32_t)lines,
		.messages = (uint32_t)count_messages(o, 0, lines),
		.is_old = is_old,
		.torn_bytes = o->torn_bytes,
	};
	int error = spill_add(o->spill, &what, &o->file);
	if (error != 0)
		return error;
	o->torn_bytes = 0;
	cut_lines(o, lines, bytes);
	return 0;
}

static int spill_all(struct output_file *o)
{
	if (o->spill == NULL)
		o->spill = spill_new(o->env->spills, o->path);
	if (o->spill == NULL)
		return errno;
	/* The spill can only complete its own first line. */
	if (o->torn_bytes > 0 && !spill_is_empty(o->spill))
		return EBUSY;
	size_t old_bytes = o->batch_at < 0 ? (size_t)-o->batch_at : 0;
	int error = old_bytes > 0 ? spill_part(o, old_bytes, true) : 0;
	if (error == 0 && o->lines.len > 0)
		error = spill_part(o, o->lines.len, false);
	if (error == 0) {
		o->unspilled = 0;
		o->env->spills->is_broken = false;
	}
	return error;
}

/* The journal keeps lines that cannot be spilled for the moment.  If that
 * lasts, the other files must continue, and the lines stay in memory.  Returns
 * whether the journal still keeps them. */
static bool wait_for_spill(struct output_file *o)
{
	struct spill_dir *spills = o->env->spills;
	if (!spills->is_broken && o->unspilled++ >= UNSPILLED_MAX)
		spills->is_broken = true;
	return !spills->is_broken;
}

/* Lines that wait for the disk are never dropped, nor are, for a limited time,
 * those that wait for another process: without room in the spill, the result is
 * APPEND_BLOCKED. */
static enum append_result hold_lines(struct output_file *o)
{
	if (file_block_must(o) || !recover_before_spilling(o))
		return APPEND_BLOCKED;
	/* If the file has a spill already, the sink limits its lines. */
	bool is_full = !o->is_disk && o->spill == NULL &&
		       o->env->spills != NULL && !held_files_can_spill(o);
	int error = 0;
	if (o->env->spills != NULL && o->lines.len > 0)
		error = is_full ? ENOSPC : spill_all(o);
	if (error != 0 && (o->is_disk || (!is_full && wait_for_spill(o))))
		return APPEND_BLOCKED;
	if (error != 0 && !is_full) {
		char room[LOG_QUOTED_BYTES];
		log_rated(&o->env->spill_rate, LOG_ERROR, "file_sink",
			  "path=%s err=\"cannot spill lines: %s\" "
			  "action=\"keeping them in memory; a reload waits for "
			  "them, and a kill or the end of a stop loses them\"",
			  log_quoted(span_of(o->path), room), strerror(error));
	}
	return APPEND_HELD;
}

/* --- the interface */

struct output_file *output_file_new(const char *path, struct file_env *env)
{
	struct output_file *o = mem_new(1, sizeof *o);
	o->env = env;
	o->path = mem_text(path);
	append_file_init(&o->file, o->path, env);
	return o;
}

void output_file_free(struct output_file *o)
{
	if (o == NULL)
		return;
	output_file_drop(o, 0);
	append_file_close(&o->file);
	spill_free(o->spill);
	o->spill = NULL;
	held_files_measure(o);
	buf_fini(&o->lines);
	buf_fini(&o->answers);
	buf_fini(&o->file.head);
	free(o->path);
	free(o);
}

void output_file_added(struct output_file *o, bool answers)
{
	buf_put_char(&o->answers, answers);
	output_file_count(o, answers);
}

void output_file_count(struct output_file *o, bool answers)
{
	struct sink_stats *stats = o->env->stats;
	stats->lines_total++;
	stats->lines_queued++;
	stats->messages_total += answers;
	stats->messages_queued += answers;
}

static enum append_result flush(struct output_file *o, int64_t now_ns)
{
	if (!output_file_waits(o))
		return APPENDED;
	if (o->failed_errno != 0) {
		if (now_ns < o->retry_ns)
			return hold_lines(o);
		o->env->stats->retries_total++;
	}
	o->file.is_urgent = o->env->spills != NULL && !held_files_can_spill(o);
	int error = o->spill != NULL ? drain(o, now_ns) : 0;
	bool is_next = o->spill == NULL || spill_is_empty(o->spill);
	if (error == 0 && is_next && o->lines.len > 0)
		error = write_lines(o, now_ns);
	if (error == 0) {
		file_retry_worked(o);
		return o->lines.len > 0 ? hold_lines(o) : APPENDED;
	}
	return fail(o, error, now_ns) == APPEND_BLOCKED ? APPEND_BLOCKED
							: hold_lines(o);
}

void output_files_begin_flush(struct file_env *env, int64_t now_ns)
{
	file_lock_begin_flush(env->lock);
	file_block_begin_flush(env, now_ns);
	env->listing.now_ns = now_ns;
}

enum append_result output_file_flush(struct output_file *o, int64_t now_ns)
{
	enum append_result result = flush(o, now_ns);
	if (output_file_waits(o)) /* or has a spill that is written now */
		held_files_close(o);
	bool is_saved = o->spill == NULL || spill_save(o->spill);
	return is_saved ? result : APPEND_BLOCKED;
}

void output_file_committed(struct output_file *o)
{
	o->batch_at = -(int64_t)o->lines.len;
	append_file_committed(&o->file);
	if (o->lines.len == 0 && o->lines.cap > KEEP_BYTES) {
		buf_fini(&o->lines);
		buf_fini(&o->answers);
	}
	if (o->spill == NULL)
		return;
	spill_committed(o->spill);
	if (!spill_is_done(o->spill) || !spill_remove(o->spill))
		return;
	o->spill = NULL;
	if (o->lines.len == 0)
		buf_fini(&o->file.head); /* the names may be the spill's */
	if (o->has_second_spill)
		o->env->spills->must_list = true;
	o->has_second_spill = false;
}

bool output_file_is_held(const struct output_file *o)
{
	return o->failed_errno != 0 ||
	       (o->spill != NULL && !spill_is_empty(o->spill));
}

bool output_file_may_refuse(const struct output_file *o)
{
	bool is_unknown = o->env->has_others && o->failed_errno == 0;
	return output_file_is_held(o) && !o->is_disk && !o->is_busy &&
	       !is_unknown;
}

void output_file_drop(struct output_file *o, size_t keep_bytes)
{
	if (keep_bytes >= o->lines.len)
		return;
	struct sink_stats *stats = o->env->stats;
	const char *end =
		keep_bytes > 0 ? memrchr(o->lines.ptr, '\n', keep_bytes) : NULL;
	size_t kept_bytes = end == NULL ? 0 : (size_t)(end + 1 - o->lines.ptr);
	struct span rest =
		span_make(o->lines.ptr + kept_bytes, o->lines.len - kept_bytes);
	size_t lines = span_count(rest, '\n');
	size_t messages = count_messages(o, o->answers.len - lines, lines);
	stats->lines_queued -= lines;
	stats->lines_dropped_total[DROP_write_failed] += lines;
	stats->messages_queued -= messages;
	stats->messages_dropped_total[DROP_write_failed] += messages;
	o->lines.len = kept_bytes;
	o->answers.len -= lines;
	if (kept_bytes == 0) {
		o->torn_bytes = 0;
		o->batch_at = 0;
	}
}

void output_file_sync(struct output_file *o)
{
	append_file_sync(&o->file);
	if (o->spill != NULL)
		spill_sync(o->spill);
}

void output_file_reopen(struct output_file *o)
{
	if (o->torn_bytes == 0)
		append_file_close(&o->file);
	file_retry_at_once(o);
}
