/* SPDX-License-Identifier: Apache-2.0 */
#include "file/held_files.h"

#include <string.h>

#include "file/output_file.h"
#include "file/spill.h"

/* A spill has a copy of the path. */
static size_t bytes_without_lines(const struct output_file *o)
{
	size_t paths = o->env->spills != NULL ? 2 : 1;
	return HELD_FILE_BYTES + paths * strlen(o->path) + o->file.head.cap;
}

void held_files_measure(struct output_file *o)
{
	struct held_files *h = &o->env->held;
	bool waits = output_file_waits(o);
	if (!waits && o->held_bytes == 0)
		return;
	size_t bytes =
		waits ? bytes_without_lines(o) + o->lines.len + o->answers.len
		      : 0;
	h->count += (size_t)waits - (o->held_bytes > 0);
	h->bytes += bytes - o->held_bytes;
	h->line_bytes += o->lines.len - o->held_line_bytes;
	o->held_bytes = bytes;
	o->held_line_bytes = o->lines.len;
}

bool held_files_has_room(const struct output_file *o)
{
	const struct held_files *h = &o->env->held;
	return o->held_bytes > 0 ||
	       (h->count < HELD_FILES_MAX &&
		h->bytes + bytes_without_lines(o) < HELD_BYTES_MAX);
}

bool held_files_can_spill(const struct output_file *o)
{
	const struct spill_dir *spills = o->env->spills;
	if (spills == NULL || o->lines.len == 0)
		return spills != NULL;
	if (o->spill != NULL)
		return spills->stats->spilled_bytes < spills->bytes_max;
	return !spill_dir_is_full(spills) && held_files_has_room(o);
}

void held_files_close(struct output_file *o)
{
	const struct file_env *env = o->env;
	bool is_over =
		env->open_max > 0 && env->stats->files_open > env->open_max;
	if (o->torn_bytes == 0 || is_over)
		append_file_close(&o->file);
}

size_t held_files_room_bytes(const struct output_file *o)
{
	if (!held_files_has_room(o))
		return 0;
	size_t used_bytes = o->env->held.bytes - o->held_bytes +
			    bytes_without_lines(o) + o->answers.len;
	return used_bytes < HELD_BYTES_MAX ? HELD_BYTES_MAX - used_bytes : 0;
}
