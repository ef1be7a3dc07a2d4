/* SPDX-License-Identifier: Apache-2.0 */
/* Lines are added to a spill:
 *  1. if the spill is new, and an empty file begins with column names, the
 *     first chunk has these names;
 *  2. if the spill is empty, the position moves to the end;
 *  3. a chunk gets the lines.
 * If a step fails, the spill has the same lines as before. */
#include "file/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "file/spill_file.h"

/* After the last chunk there may be bytes that could not be cut off before. */
static int cut_rest(struct spill *s)
{
	struct append_file *f = &s->file;
	if (f->size_bytes < s->size_bytes)
		return ESTALE;
	if (f->size_bytes > s->size_bytes &&
	    ftruncate(f->fd, (off_t)s->size_bytes) < 0)
		return errno;
	f->size_bytes = s->size_bytes;
	return 0;
}

static int write_chunk(struct spill *s, const struct spill_lines *lines)
{
	struct append_file *f = &s->file;
	struct spill_chunk c = {
		.magic = SPILL_CHUNK_MAGIC,
		.bytes = (uint32_t)lines->bytes.len,
		.lines = lines->lines,
		.messages = lines->messages,
	};
	c.check = spill_chunk_check(&c, spill_check(lines->bytes));
	size_t bytes = sizeof c + lines->bytes.len, done = 0;
	const struct append_bytes chunk = {
		.kind = APPEND_LINES,
		.skip = lines->is_old ? -(int64_t)bytes : 0,
		.header = span_make((const char *)&c, sizeof c),
		.bytes = lines->bytes,
	};
	int error = append_file_give(f, spill_open(s, O_RDWR | O_APPEND));
	if (error == 0)
		error = append_file_begin(f);
	if (error == 0)
		error = cut_rest(s);
	if (error == 0)
		error = append_file_write(f, &chunk, &done);
	if (error != 0 && done > 0 &&
	    ftruncate(f->fd, (off_t)s->size_bytes) < 0)
		log_line(LOG_ERROR, "spill",
			 "path=\"%s\" err=\"truncate: %s\" action=\"cutting "
			 "off the torn chunk later, before the next chunk is "
			 "added\"",
			 s->path, strerror(errno));
	append_file_end(f);
	append_file_close(f);
	return error;
}

/* Save the place of the next chunk, and of the torn line in it, if any.  This
 * happens before the chunk is written: a process that is killed in between
 * leaves a position after the end, which means that no lines are left. */
static int start_over(struct spill *s, const struct append_file *out,
		      size_t torn_bytes)
{
	int fd = spill_open(s, O_WRONLY);
	if (fd < 0)
		return errno;
	s->state.position_bytes = s->chunk_bytes = s->size_bytes;
	s->state.torn_bytes = torn_bytes;
	s->state.device = out->device;
	s->state.inode = out->inode;
	s->state.end_bytes = out->end_bytes;
	s->state.piece_bytes = 0;
	if (torn_bytes > 0)
		s->state.position_bytes +=
			sizeof(struct spill_chunk) + torn_bytes;
	spill_try_save(s, fd);
	close(fd);
	return 0;
}

static int add_chunk(struct spill *s, const struct spill_lines *lines)
{
	int error = write_chunk(s, lines);
	if (error != 0)
		return error;
	uint64_t bytes = sizeof(struct spill_chunk) + lines->bytes.len;
	s->size_bytes += bytes;
	s->lines += lines->lines;
	s->messages += lines->messages;
	s->is_dirty = true;
	s->dir->stats->spilled_bytes += bytes;
	s->dir->stats->lines_spilled += lines->lines;
	s->dir->stats->messages_spilled += lines->messages;
	return 0;
}

/* A repeated batch keeps this chunk: no note says that it belongs to the
 * batch. */
static int add_names(struct spill *s, struct span names)
{
	const struct spill_lines chunk = {.bytes = names, .is_old = true};
	int error = add_chunk(s, &chunk);
	if (error == 0)
		s->state.position_bytes = s->chunk_bytes = s->size_bytes;
	return error;
}

int spill_add(struct spill *s, const struct spill_lines *lines,
	      const struct append_file *out)
{
	bool is_new = s->size_bytes == s->start_bytes;
	int error = 0;
	if (lines->bytes.len > UINT32_MAX || out->head.len > UINT32_MAX)
		return EFBIG;
	if (is_new && out->head.len > 0)
		error = add_names(s, buf_span(&out->head));
	if (error == 0 && spill_is_empty(s))
		error = start_over(s, out, lines->torn_bytes);
	return error != 0 ? error : add_chunk(s, lines);
}
