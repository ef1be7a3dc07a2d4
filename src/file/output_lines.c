/* SPDX-License-Identifier: Apache-2.0 */
#include "file/output_lines.h"

#include <errno.h>
#include <string.h>

#include "base/span.h"
#include "file/output_file.h"
#include "file/skip_hash.h"
#include "file/spill.h"

size_t output_lines_messages(const struct output_file *o, size_t first,
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

void output_lines_written(struct output_file *o, size_t bytes)
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
	size_t messages = output_lines_messages(o, 0, lines);
	stats->lines_written_total += lines;
	stats->lines_queued -= lines;
	stats->messages_written_total += messages;
	stats->messages_queued -= messages;
	o->torn_bytes = bytes - whole_bytes;
	cut_lines(o, lines, whole_bytes);
}

/* Spill the first `bytes`, which are whole lines. */
static int spill_part(struct output_file *o, size_t bytes, bool is_old)
{
	struct span part = span_make(o->lines.ptr, bytes);
	size_t lines = span_count(part, '\n');
	const struct spill_lines what = {
		.bytes = part,
		.lines = (uint32_t)lines,
		.messages = (uint32_t)output_lines_messages(o, 0, lines),
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

int output_lines_spill(struct output_file *o)
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
