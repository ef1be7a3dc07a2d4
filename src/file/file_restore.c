/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_restore.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "file/file_cache.h"
#include "file/file_gone.h"
#include "file/file_path.h"
#include "file/spill.h"
#include "file/spill_file.h"
#include "output/sink.h"

enum { WAITS_MAX = 10 }; /* with the pipeline's back-off: half a minute */

/* --- the spills */

/* The cache names a file by its path below the root, without a leading '/'.  A
 * path outside the root is named by the whole path, which begins with '/', so
 * the two kinds of names never collide.  The path of an older version's spill
 * may have doubled slashes. */
static struct cached_file *file_of(struct file_restore *r, const char *spilled)
{
	char path[PATH_MAX];
	size_t len = strlen(spilled), skip = r->root.len;
	if (len <= skip || !span_equals(span_make(spilled, skip), r->root))
		skip = 0;
	CHECK(len < sizeof path);
	memcpy(path, spilled, skip);
	len = file_path_clean(span_make(spilled + skip, len - skip),
			      path + skip);
	path[skip + len] = '\0';
	struct span name = span_make(path + skip, len);
	struct cached_file *f = file_cache_find(r->files, name);
	if (f == NULL)
		f = file_cache_add(r->files, path, name.len);
	file_cache_wait(r->files, f);
	return f;
}

/* Take a spill out of use.  The listing that begins again finds it. */
static void unload(struct file_restore *r, struct spill *spill)
{
	uint64_t lines = 0, messages = 0;
	spill_drained_before(spill, &lines, &messages);
	r->drained_lines -= lines;
	r->drained_messages -= messages;
	r->must_begin_again = true;
	spill_unload(spill);
}

/* If there are two spills for one file, the second one is loaded when the first
 * one is removed: then the directory is listed again.  The one that can
 * complete a torn line in the file is the first.  No spill is used while a torn
 * line in memory has to be completed first. */
static void adopt(struct file_restore *r, struct spill *spill)
{
	struct output_file *o =
		file_of(r, spill_output_path(spill))->output_file;
	bool is_first = o->spill == NULL || spill_precedes(spill, o->spill);
	if (o->torn_bytes > 0 || !is_first) {
		o->has_second_spill = true;
		if (o->spill == NULL)
			r->spills->must_list = true;
		r->second_lines += spill_lines_left(spill);
		r->second_messages += spill_messages_left(spill);
		spill_drained_before(spill, &r->second_drained_lines,
				     &r->second_drained_messages);
		spill_unload(spill);
		return;
	}
	if (o->spill != NULL)
		unload(r, o->spill);
	spill_drained_before(spill, &r->drained_lines, &r->drained_messages);
	spill_take_names(spill, &o->file.head);
	o->spill = spill;
}

/* Returns EAGAIN if the listing must begin again. */
static int load_named(void *data, int dir, const char *name)
{
	struct file_restore *r = data;
	if (span_ends_with(span_of(name), SPAN(".spill.new")))
		unlinkat(dir, name, 0);
	if (!spill_may_load(r->spills, name))
		return 0;
	struct spill *spill = spill_load(r->spills, dir, name);
	if (spill != NULL)
		adopt(r, spill);
	return r->must_begin_again ? EAGAIN : 0;
}

static void begin_listing(struct file_restore *r)
{
	r->spills->is_partial = r->spills->is_noted = false;
	r->spills->must_list = false;
	r->second_lines = r->second_messages = 0;
	r->second_drained_lines = r->second_drained_messages = 0;
	r->must_begin_again = false;
}

/* Returns 0, or an errno if the directory cannot be listed completely. */
static int load_listed(struct file_restore *r)
{
	int error;
	do {
		begin_listing(r);
		error = spill_list(r->spills, load_named, r);
	} while (r->must_begin_again);
	return error;
}

static void load_spills(struct file_restore *r)
{
	r->spills->is_unsettled = true;
	if (r->spills->path == NULL)
		return;
	int error = load_listed(r);
	if (error == 0 || file_is_gone(r->spills->path, error, NULL))
		return;
	r->spills->is_partial = true;
	r->spills->is_noted = spill_dir_may_be_noted(r->spills);
	log_rated(&r->spills->load_rate, LOG_ERROR, "spill",
		  "path=\"%s\" err=\"%s\" action=\"retrying every second\"",
		  r->spills->path, strerror(error));
}

/* --- the counters */

struct balance { /* the counters of one accounting equation */
	uint64_t *total, *written, *dropped, *queued, *spilled;
};

/* The lines in memory are lost, except those that were spilled later.  Returns
 * the number of lost lines. */
static uint64_t drop_memory(const struct balance *b, uint64_t left)
{
	if (left > *b->spilled)
		*b->spilled = left;
	if (*b->spilled > *b->queued)
		*b->spilled = *b->queued;
	uint64_t lost = *b->queued - *b->spilled;
	*b->dropped += lost;
	*b->queued = *b->spilled;
	return lost;
}

/* The spills hold `left` lines.  If that is more than were counted, count
 * them. */
static void add_found(const struct balance *b, uint64_t left, uint64_t *found)
{
	if (left <= *b->spilled)
		return;
	*found += left - *b->spilled;
	*b->total += left - *b->spilled;
	*b->queued += left - *b->spilled;
	*b->spilled = left;
}

/* If the spills hold fewer lines than were counted, other outputs have found
 * `moved` of them.  If no spill was damaged, the spills say how many of the
 * others were written (`drained`); the rest is lost.  If a spill was damaged,
 * all missing lines count as lost.  Returns the number of lost lines. */
static uint64_t settle_missing(const struct balance *b, uint64_t left,
			       uint64_t drained, uint64_t *moved,
			       const struct spill_dir *spills)
{
	uint64_t spilled = *b->spilled, lost = 0;
	if (left < spilled) {
		uint64_t gone = spilled - left;
		uint64_t elsewhere = gone < *moved ? gone : *moved;
		*moved -= elsewhere;
		*b->total -= elsewhere;
		gone -= elsewhere;
		lost = gone;
		if (!spills->is_damaged)
			lost = gone > drained ? gone - drained : 0;
		*b->dropped += lost;
		*b->written += gone - lost;
	}
	*b->queued = *b->queued - spilled + left;
	*b->spilled = left;
	return lost;
}

static struct balance line_counts(struct sink_stats *s)
{
	return (struct balance){&s->lines_total, &s->lines_written_total,
				&s->lines_dropped_total[DROP_write_failed],
				&s->lines_queued, &s->lines_spilled};
}

static struct balance message_counts(struct sink_stats *s)
{
	return (struct balance){&s->messages_total, &s->messages_written_total,
				&s->messages_dropped_total[DROP_write_failed],
				&s->messages_queued, &s->messages_spilled};
}

/* What the spills hold. */
static struct sink_moved count_left(struct file_restore *r)
{
	struct sink_moved left = {r->second_lines, r->second_messages};
	struct cached_file *f = NULL;
	while ((f = file_cache_waiting(r->files, f)) != NULL) {
		if (f->output_file->spill == NULL)
			continue;
		left.lines += spill_lines_left(f->output_file->spill);
		left.messages += spill_messages_left(f->output_file->spill);
	}
	return left;
}

static void log_lost(const struct file_restore *r, uint64_t lost)
{
	if (lost > 0)
		log_line(LOG_ERROR, "file_sink",
			 "output=%s lost=%llu err=\"an earlier worker ended "
			 "while these lines waited in its memory\" "
			 "action=\"counting them as dropped; some may be in "
			 "their file\"",
			 r->spills->sink_name, (unsigned long long)lost);
}

static void add_all_found(struct file_restore *r, bool is_first)
{
	const struct balance lines = line_counts(r->spills->stats);
	const struct balance messages = message_counts(r->spills->stats);
	struct sink_moved left = count_left(r);
	if (is_first) {
		log_lost(r, drop_memory(&lines, left.lines));
		drop_memory(&messages, left.messages);
	}
	add_found(&lines, left.lines, &r->found.lines);
	add_found(&messages, left.messages, &r->found.messages);
	if (left.lines > 0 && is_first)
		log_line(LOG_INFO, "file_sink",
			 "output=%s msg=\"found lines that an earlier process "
			 "spilled\" lines=%llu",
			 r->spills->sink_name, (unsigned long long)left.lines);
}

bool file_restore_found(struct file_restore *r, struct sink_moved *found)
{
	found->lines += r->found.lines;
	found->messages += r->found.messages;
	r->found = (struct sink_moved){0};
	return !r->spills->is_partial;
}

void file_restore_settle(struct file_restore *r, struct sink_moved *moved)
{
	if (r->spills->is_partial || !r->spills->is_unsettled)
		return;
	r->spills->is_unsettled = false;
	const struct balance lines = line_counts(r->spills->stats);
	const struct balance messages = message_counts(r->spills->stats);
	struct sink_moved left = count_left(r);
	uint64_t lost = settle_missing(
		&lines, left.lines, r->drained_lines + r->second_drained_lines,
		&moved->lines, r->spills);
	settle_missing(&messages, left.messages,
		       r->drained_messages + r->second_drained_messages,
		       &moved->messages, r->spills);
	if (lost > 0)
		log_line(LOG_ERROR, "file_sink",
			 "output=%s err=\"spilled lines are missing or "
			 "damaged\" dropped=%llu action=\"counting them as "
			 "dropped; look for .damaged and .foreign files\"",
			 r->spills->sink_name, (unsigned long long)lost);
}

void file_restore(struct file_restore *r, const struct sink_stats *before)
{
	struct sink_stats *s = r->spills->stats;
	if (r->is_done)
		return;
	r->is_done = true;
	if (before != NULL)
		*s = *before;
	s->files_open = 0;
	s->spilled_bytes = 0;
	load_spills(r);
	add_all_found(r, true);
}

bool file_restore_rest(struct file_restore *r, int64_t now_ns)
{
	bool must_wait = r->spills->is_noted && r->waits < WAITS_MAX;
	if (!(r->spills->is_partial || r->spills->must_list) ||
	    (!must_wait && now_ns < r->retry_ns))
		return true;
	r->retry_ns = now_ns + NS_PER_S;
	load_spills(r);
	add_all_found(r, false);
	return !(r->spills->is_noted && r->waits++ < WAITS_MAX);
}
