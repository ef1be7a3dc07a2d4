/* SPDX-License-Identifier: Apache-2.0 */
#include "file/flush_files.h"

#include <stdint.h>

#include "base/clock.h"
#include "file/batch.h"
#include "file/file_cache.h"
#include "file/file_retry.h"
#include "file/held_files.h"
#include "file/output_file.h"
#include "file/spill.h"

enum {
	RETRIES_MAX = 256,
	HEAD_KEEP_BYTES = 1024, /* of a resting file */
};

/* If more files than RETRIES_MAX are held, not every flush looks for those that
 * are due.  A failed retry takes 20 us of CPU time, so this limits the retries
 * to a tenth of a CPU. */
#define RETRY_INTERVAL_NS (50 * NS_PER_MS)

/* Keep lines that could not be spilled, as far as there is room in memory and
 * the spill is not full.  Otherwise a sender that chooses paths that cannot be
 * written could make any number of lines wait. */
static void hold_lines(struct flush_files *w, struct output_file *o)
{
	size_t room_bytes = held_files_room_bytes(o);
	if (w->env->spills != NULL && spill_dir_is_full(w->env->spills))
		room_bytes = 0;
	size_t lines = o->answers.len;
	output_file_drop(o, room_bytes);
	w->full_lines += lines - o->answers.len;
}

/* The column names are rendered again before the next line. */
static void rest(struct flush_files *w, struct cached_file *f, int64_t now_ns)
{
	struct buf *head = &f->output_file->file.head;
	held_files_measure(f->output_file);
	if (head->cap > HEAD_KEEP_BYTES)
		buf_fini(head);
	/* A commit does not visit resting files. */
	append_file_committed(&f->output_file->file);
	file_cache_rest(w->files, f, now_ns);
}

/* A file that blocks stays in the batch list: every flush must retry it. */
static void flush_file(struct flush_files *w, struct cached_file *f,
		       int64_t now_ns, enum sink_flush *answer)
{
	struct output_file *o = f->output_file;
	batch_hand_over(w->batch, &f->chain, o);
	sink_works_on(w->sink, o->path);
	enum append_result verdict = output_file_flush(o, now_ns);
	sink_works_on(w->sink, NULL);
	sink_answered(w->sink);
	if (verdict == APPEND_HELD)
		hold_lines(w, o);
	batch_take_back(w->batch, o);
	if (verdict == APPEND_BLOCKED) {
		*answer = SINK_BLOCKED;
		file_cache_wait(w->files, f);
	} else if (output_file_waits(o)) {
		held_files_measure(o);
		f->was_flushed = true;
		file_cache_hold(w->files, f);
	} else {
		rest(w, f, now_ns);
	}
}

static bool is_time_up(const struct flush_files *w)
{
	return w->is_time_up != NULL && atomic_load(w->is_time_up);
}

static bool flush_batch(struct flush_files *w, int64_t now_ns,
			enum sink_flush *answer)
{
	struct cached_file *f = file_cache_next(w->files, FILES_BATCH, NULL);
	while (f != NULL) {
		if (is_time_up(w))
			return false;
		struct cached_file *next =
			file_cache_next(w->files, FILES_BATCH, f);
		flush_file(w, f, now_ns, answer);
		f = next;
	}
	return true;
}

/* Retry the held files that are due, up to the `last` one.  Each of them moves
 * to the end of the list. */
static bool retry_held(struct flush_files *w, const struct cached_file *last,
		       int64_t now_ns, enum sink_flush *answer)
{
	size_t retries = w->retries_all ? SIZE_MAX : RETRIES_MAX;
	if (w->env->held.count > retries && now_ns < w->retry_ns)
		return true;
	w->retry_ns = now_ns + RETRY_INTERVAL_NS;
	struct cached_file *f = NULL;
	struct cached_file *next = file_cache_next(w->files, FILES_HELD, NULL);
	while (f != last && retries > 0) {
		f = next;
		next = file_cache_next(w->files, FILES_HELD, f);
		if (!output_file_waits(f->output_file)) {
			rest(w, f, now_ns);
			continue;
		}
		if (!file_retry_is_due(f->output_file, now_ns))
			continue;
		if (is_time_up(w))
			return false;
		retries--;
		flush_file(w, f, now_ns, answer);
	}
	w->retries_all = false;
	return true;
}

bool flush_files(struct flush_files *w, int64_t now_ns, enum sink_flush *answer)
{
	const struct cached_file *last = file_cache_last_held(w->files);
	return flush_batch(w, now_ns, answer) &&
	       retry_held(w, last, now_ns, answer);
}

/* The held files that were flushed since the last commit are at the end of
 * their list. */
void flush_files_committed(struct flush_files *w)
{
	struct cached_file *f = NULL;
	while ((f = file_cache_next(w->files, FILES_BATCH, f)) != NULL)
		output_file_committed(f->output_file);
	f = file_cache_last_held(w->files);
	while (f != NULL && f->was_flushed) {
		f->was_flushed = false;
		output_file_committed(f->output_file);
		held_files_measure(f->output_file);
		f = file_cache_held_before(w->files, f);
	}
}

void flush_files_drop(struct flush_files *w)
{
	struct cached_file *f = NULL;
	while ((f = file_cache_waiting(w->files, f)) != NULL) {
		batch_hand_over(w->batch, &f->chain, f->output_file);
		output_file_drop(f->output_file, 0);
		held_files_measure(f->output_file);
	}
}
