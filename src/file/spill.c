/* SPDX-License-Identifier: Apache-2.0 */
#include "file/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/append_tail.h"
#include "file/file_gone.h"
#include "file/spill_file.h"

enum {
	PIECE_BYTES = 1024 * 1024,
	TRIES = 10, /* with the back-off of a file: half a minute */
};

bool spill_save(struct spill *s)
{
	if (!s->is_unsaved)
		return true;
	int fd = spill_open(s, O_WRONLY);
	s->is_unsaved = fd < 0 || spill_save_state(s, fd) != 0;
	if (fd >= 0)
		close(fd);
	s->unsaved = s->is_unsaved ? s->unsaved + 1 : 0;
	return !s->is_unsaved || s->unsaved >= TRIES;
}

/* --- counting */

static void count_gone(struct spill *s, uint64_t lines, uint64_t messages)
{
	struct sink_stats *stats = s->dir->stats;
	s->lines -= lines;
	s->messages -= messages;
	stats->lines_spilled -= lines;
	stats->lines_queued -= lines;
	stats->messages_spilled -= messages;
	stats->messages_queued -= messages;
}

static void count_written(struct spill *s, const struct spill_chunk *c)
{
	count_gone(s, c->lines, c->messages);
	s->dir->stats->lines_written_total += c->lines;
	s->dir->stats->messages_written_total += c->messages;
}

/* The file was removed or truncated, or the disk cannot read it. */
static void count_lost(struct spill *s)
{
	struct sink_stats *stats = s->dir->stats;
	struct buf name = {0};
	bool has_head = spill_set_aside(s, &name) &&
			spill_kind_of(name.ptr) == SPILL_GOOD_HEAD;
	const char *advice = "; to append its good lines, run sluiced "
			     "replay on the file named by kept_in";
	log_line(LOG_ERROR, "spill",
		 "path=\"%s\" err=\"cannot be read or was removed\" "
		 "dropped=%llu "
		 "kept_in=\"%s\" action=\"dropping its lines%s\"",
		 s->path, (unsigned long long)s->lines, name.ptr,
		 has_head ? advice : "");
	buf_fini(&name);
	stats->lines_dropped_total[DROP_write_failed] += s->lines;
	stats->messages_dropped_total[DROP_write_failed] += s->messages;
	count_gone(s, s->lines, s->messages);
	s->state.position_bytes = s->chunk_bytes = s->size_bytes;
	s->state.torn_bytes = 0;
}

/* --- draining */

bool spill_can_drain(const struct spill *s)
{
	return s->state.position_bytes < s->limit_bytes;
}

/* Read a piece of whole lines from the position on, and the headers of their
 * chunks. */
static int read_piece(const struct spill *s, int fd)
{
	struct buf *piece = &s->dir->piece, *chunks = &s->dir->piece_chunks;
	uint64_t end = s->chunk_bytes, at = s->state.position_bytes;
	size_t whole_bytes = 0;
	buf_clear(piece);
	buf_clear(chunks);
	while (at < s->limit_bytes && whole_bytes == 0) {
		if (at >= end) {
			struct spill_chunk c;
			int error = spill_read_chunk(s, fd, end, &c);
			if (error != 0)
				return error;
			buf_put(chunks, (const char *)&c, sizeof c);
			if (at == end)
				at += sizeof c;
			end += sizeof c + c.bytes;
		}
		size_t bytes = PIECE_BYTES - piece->len % PIECE_BYTES;
		if (bytes > end - at)
			bytes = (size_t)(end - at);
		int error =
			spill_read_at(fd, buf_reserve(piece, bytes), bytes, at);
		if (error != 0)
			return error;
		piece->len += bytes;
		at += bytes;
		if (piece->len < PIECE_BYTES)
			continue;
		const char *last = memrchr(piece->ptr, '\n', piece->len);
		if (last != NULL)
			whole_bytes = (size_t)(last + 1 - piece->ptr);
	}
	if (whole_bytes > 0)
		piece->len = whole_bytes;
	return 0;
}

/* A piece contains at least one line, which may be long. */
static void free_large_piece(struct spill_dir *dir)
{
	if (dir->piece.cap > 2 * PIECE_BYTES)
		buf_fini(&dir->piece);
}

/* The first `bytes` of the piece are in the output file now. */
static void advance(struct spill *s, size_t bytes)
{
	struct spill_state *state = &s->state;
	const struct spill_chunk *c = (const void *)s->dir->piece_chunks.ptr;
	const char *piece = s->dir->piece.ptr;
	const char *last = bytes > 0 ? memrchr(piece, '\n', bytes) : NULL;
	state->torn_bytes = last == NULL ? state->torn_bytes + bytes
					 : (size_t)(piece + bytes - last - 1);
	for (; bytes > 0; c++) {
		if (state->position_bytes == s->chunk_bytes)
			state->position_bytes += sizeof *c;
		uint64_t end = s->chunk_bytes + sizeof *c + c->bytes;
		size_t step = end - state->position_bytes < bytes
				      ? (size_t)(end - state->position_bytes)
				      : bytes;
		state->position_bytes += step;
		bytes -= step;
		if (state->position_bytes < end)
			break;
		s->chunk_bytes = end;
		count_written(s, c);
	}
}

static void set_end(struct spill *s, const struct append_file *out,
		    size_t piece_bytes)
{
	s->state.device = out->device;
	s->state.inode = out->inode;
	s->state.end_bytes = out->size_bytes;
	s->state.piece_bytes = piece_bytes;
}

static void save_progress(struct spill *s, int fd,
			  const struct append_file *out, size_t bytes)
{
	advance(s, bytes);
	set_end(s, out, 0);
	spill_try_save(s, fd);
}

/* Save the size of the piece before it is written.  So the next process finds
 * the piece in the output file, no matter when this one is killed and when the
 * file can be read again.  Nothing is written until the state is saved, but
 * after TRIES failures writing continues without it. */
static int announce(struct spill *s, int fd, const struct append_file *out)
{
	set_end(s, out, s->dir->piece.len);
	int error = spill_save_state(s, fd);
	s->failed_saves = error != 0 ? s->failed_saves + 1 : 0;
	return s->failed_saves < TRIES ? error : 0;
}

/* A process that was killed after its write could not save the position.  After
 * an error this may be called again.  *out_error is an errno if the output file
 * cannot be read. */
static int recover(struct spill *s, int fd, struct append_file *out,
		   int *out_error)
{
	struct spill_state *state = &s->state;
	const struct append_note *n = append_file_noted(out, APPEND_SPILL);
	const struct append_note announced = {
		.offset_bytes = state->end_bytes,
		.skip_bytes = state->position_bytes,
		.length_bytes = (uint32_t)state->piece_bytes,
	};
	if (state->piece_bytes > 0 && state->device == out->device &&
	    state->inode == out->inode)
		n = &announced;
	uint64_t line_bytes = state->position_bytes - state->torn_bytes;
	if (n != NULL && n->skip_bytes == line_bytes) {
		state->position_bytes = line_bytes;
		state->torn_bytes = 0;
	}
	if (n != NULL && n->skip_bytes == state->position_bytes) {
		int error = read_piece(s, fd);
		if (error != 0)
			return error;
		size_t found;
		*out_error = append_file_found(out, n, buf_span(&s->dir->piece),
					       0, &found);
		s->dir->stats->recovered_bytes_total += found;
		if (found > 0)
			save_progress(s, fd, out, found);
	}
	s->is_recovered = *out_error == 0;
	return 0;
}

/* Complete the torn line from where it ends.  If that is impossible, write it
 * again as a whole. */
static int find_line(struct spill *s, struct append_file *out, int64_t now_ns)
{
	struct spill_state *state = &s->state;
	if (state->torn_bytes > 0 && state->device == out->device &&
	    state->inode == out->inode && state->end_bytes == out->size_bytes)
		return 0;
	state->position_bytes -= state->torn_bytes;
	state->torn_bytes = 0;
	return append_file_tail(out, now_ns);
}

void spill_recover(struct spill *s, struct append_file *out)
{
	int fd = s->is_recovered ? -1 : spill_open(s, O_RDWR);
	int out_error = 0;
	if (fd < 0)
		return;
	if (recover(s, fd, out, &out_error) == SPILL_CUT)
		count_lost(s);
	free_large_piece(s->dir);
	close(fd);
}

/* A failing disk may be able to read the bytes later. */
static int unreadable(struct spill *s, int error)
{
	if (error == SPILL_CUT || ++s->failed_reads == TRIES) {
		count_lost(s);
		return 0;
	}
	if (s->failed_reads == 1)
		log_line(LOG_ERROR, "spill",
			 "path=\"%s\" err=\"read: %s\" action=\"keeping the "
			 "spilled lines, retrying\"",
			 s->path, strerror(error));
	return error;
}

static int find_start(struct spill *s, int fd, struct append_file *out,
		      int *out_error)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return errno;
	if ((uint64_t)st.st_size < s->size_bytes)
		return SPILL_CUT;
	return s->is_recovered ? 0 : recover(s, fd, out, out_error);
}

static int drain(struct spill *s, int fd, struct append_file *out,
		 int64_t now_ns)
{
	size_t done;
	int out_error = 0;
	int error = find_start(s, fd, out, &out_error);
	if (error != 0)
		return unreadable(s, error);
	if (out_error != 0 && s->unread++ < TRIES)
		return out_error;
	s->is_recovered = true;
	if (!spill_can_drain(s)) /* the file had all lines already */
		return 0;
	error = find_line(s, out, now_ns);
	if (error != 0)
		return error;
	error = read_piece(s, fd);
	if (error != 0)
		return unreadable(s, error);
	s->failed_reads = 0;
	error = announce(s, fd, out);
	if (error != 0)
		return error;
	const struct append_bytes piece = {
		.kind = APPEND_SPILL,
		.skip = (int64_t)s->state.position_bytes,
		.bytes = buf_span(&s->dir->piece),
	};
	error = append_file_write(out, &piece, &done);
	save_progress(s, fd, out, done); /* also if nothing was written */
	return error;
}

int spill_drain(struct spill *s, struct append_file *out, int64_t now_ns)
{
	int fd = spill_open(s, O_RDWR);
	int error = fd < 0 ? errno : drain(s, fd, out, now_ns);
	free_large_piece(s->dir);
	if (fd >= 0)
		close(fd);
	else if (file_is_gone(s->path, error, NULL))
		return unreadable(s, SPILL_CUT);
	return error;
}

/* --- asking */

const char *spill_output_path(const struct spill *s)
{
	return s->output_path;
}

void spill_take_names(struct spill *s, struct buf *head)
{
	if (head->len == 0)
		buf_swap(head, &s->names);
	buf_fini(&s->names);
}

bool spill_is_empty(const struct spill *s)
{
	return s->state.position_bytes >= s->size_bytes;
}

bool spill_is_done(const struct spill *s)
{
	bool is_counted = s->drained_lines == 0 || !s->dir->is_unsettled;
	return spill_is_empty(s) && is_counted;
}

uint64_t spill_lines_left(const struct spill *s)
{
	return s->lines;
}

uint64_t spill_messages_left(const struct spill *s)
{
	return s->messages;
}

void spill_sync(struct spill *s)
{
	int fd = s->is_dirty ? spill_open(s, O_RDONLY) : -1;
	if (fd < 0)
		return;
	if (fdatasync(fd) < 0)
		log_line(LOG_ERROR, "spill",
			 "path=\"%s\" err=\"sync: %s\" action=\"continuing; a "
			 "power cut may cost spilled lines\"",
			 s->path, strerror(errno));
	close(fd);
	s->is_dirty = false;
}

void spill_committed(struct spill *s)
{
	s->limit_bytes = s->size_bytes;
	append_file_committed(&s->file);
}
