/* SPDX-License-Identifier: Apache-2.0 */
#include "file/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/own_file.h"
#include "file/file_gone.h"
#include "file/own_note.h"
#include "file/spill_file.h"
#include "file/spill_owners.h"

enum { FILE_MODE = 0600 };

/* Is it this sink's?  Note whose it is, so that the others need not ask. */
static bool find_owner(const struct spill *s,
		       const struct sink_spilled *spilled)
{
	const struct spill_dir *dir = s->dir;
	uint32_t id = spill_dir_id(dir), owner = id;
	if (dir->owner_of != NULL)
		owner = dir->owner_of(dir->router, spilled);
	else if (!span_equals(spilled->name, span_of(dir->sink_name)))
		return false;
	spill_owners_put(dir->owners, spill_name(s), owner, false);
	return owner == id;
}

static int read_head(struct spill *s, int fd, bool *is_ours)
{
	char bytes[SPILL_HEAD_BYTES_MAX];
	struct spill_head head;
	int error = spill_read_begin(s, fd, bytes, &head);
	if (head.bytes == 0)
		return error;
	*is_ours = find_owner(s, &head.spilled);
	s->output_path = mem_copy(head.spilled.path.ptr, head.spilled.path.len);
	return error;
}

bool spill_dir_may_be_noted(const struct spill_dir *dir)
{
	const struct append_notes *notes = dir->env.notes;
	return notes != NULL && notes->may_find(notes->data);
}

/* The last note counts: a file that was deleted in the same batch may have had
 * the inode before.  The note may be of any output, since another one may take
 * over the spill now. */
static const struct append_note *find_note(const struct spill_dir *dir,
					   const struct stat *st)
{
	const struct append_notes *notes = dir->env.notes;
	const struct append_note *n = NULL, *last = NULL;
	if (notes == NULL)
		return NULL;
	while ((n = notes->next(notes->data, n)) != NULL)
		if (n->device == st->st_dev && n->inode == st->st_ino)
			last = n;
	own_note_claim(&dir->env, last);
	if (last != NULL)
		return last;
	n = (const void *)dir->notes.ptr;
	for (size_t i = 0; i < dir->notes.len / sizeof *n; i++)
		if (n[i].device == st->st_dev && n[i].inode == st->st_ino)
			return &n[i];
	return NULL;
}

/* The first commit deletes the notes, so keep the one for this spill.  If its
 * inode cannot be found out, any note may be the one. */
static void keep_note(struct spill_dir *dir, const char *path)
{
	struct stat st;
	bool is_known = stat(path, &st) == 0;
	const struct append_note *n = is_known ? find_note(dir, &st) : NULL;
	dir->is_noted = dir->is_noted || n != NULL ||
			(!is_known && spill_dir_may_be_noted(dir));
	const char *kept = dir->notes.ptr;
	bool is_kept = n != NULL && dir->notes.len > 0 &&
		       (const char *)n >= kept &&
		       (const char *)n < kept + dir->notes.len;
	if (n != NULL && !is_kept)
		buf_put(&dir->notes, (const char *)n, sizeof *n);
}

/* The chunks of a batch that was not committed come again.  If they cannot be
 * cut off now, they are cut off before the next chunk is added. */
static int cut_uncommitted(struct spill *s, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return errno;
	s->size_bytes = (uint64_t)st.st_size;
	const struct append_note *n = find_note(s->dir, &st);
	if (n == NULL || n->offset_bytes < s->start_bytes ||
	    n->offset_bytes >= s->size_bytes)
		return 0;
	s->size_bytes = n->offset_bytes;
	if (ftruncate(fd, (off_t)s->size_bytes) < 0)
		log_line(LOG_ERROR, "spill",
			 "path=\"%s\" err=\"truncate: %s\" action=\"cutting "
			 "off the uncommitted lines later, before the next "
			 "chunk is added\"",
			 s->path, strerror(errno));
	return 0;
}

/* A chunk without a line has the column names. */
static int read_names(struct spill *s, int fd, uint64_t at,
		      const struct spill_chunk *c)
{
	buf_clear(&s->names);
	int error = spill_read_at(fd, buf_reserve(&s->names, c->bytes),
				  c->bytes, at + sizeof *c);
	if (error == 0)
		s->names.len = c->bytes;
	if (s->state.position_bytes <= at)
		s->state.position_bytes = at + sizeof *c + c->bytes;
	return error;
}

/* Find the chunk with the position, and count the lines to drain.  SPILL_CUT if
 * the good chunks end before the file does. */
static int walk(struct spill *s, int fd, uint64_t *good_bytes)
{
	uint64_t at = s->start_bytes;
	struct spill_chunk c;
	int error = 0;
	s->chunk_bytes = UINT64_MAX;
	while (at < s->size_bytes) {
		error = spill_read_chunk(s, fd, at, &c);
		if (error == 0)
			error = spill_check_chunk(&c, fd, at);
		if (error == 0 && c.lines == 0)
			error = read_names(s, fd, at, &c);
		if (error != 0)
			break;
		uint64_t end = at + sizeof c + c.bytes;
		if (end > s->state.position_bytes) {
			s->lines += c.lines;
			s->messages += c.messages;
			if (s->chunk_bytes == UINT64_MAX)
				s->chunk_bytes = at;
		} else {
			s->drained_lines += c.lines;
			s->drained_messages += c.messages;
		}
		at = end;
	}
	if (s->chunk_bytes == UINT64_MAX) { /* all of it is drained */
		s->chunk_bytes = s->state.position_bytes = at;
		s->state.torn_bytes = 0;
	}
	*good_bytes = at;
	return error;
}

static int copy_from(int fd, uint64_t at, int to)
{
	char piece[16 * 1024];
	ssize_t n;
	while ((n = pread(fd, piece, sizeof piece, (off_t)at)) > 0) {
		ssize_t written = write(to, piece, (size_t)n);
		if (written != n)
			return written < 0 ? errno : ENOSPC;
		at += (uint64_t)n;
	}
	return n < 0 ? errno : 0;
}

/* Write a head and a state as in the spill, so that `sluiced replay` can read
 * the damaged end like any spill.  The position counts from the end of the good
 * chunks on. */
static int write_damaged_head(const struct spill *s, int fd, int to,
			      uint64_t position_bytes, uint64_t good_bytes)
{
	char head[SPILL_HEAD_BYTES_MAX];
	struct spill damaged = *s;
	size_t head_bytes = s->start_bytes - sizeof damaged.state;
	int error = spill_read_at(fd, head, head_bytes, 0);
	if (error != 0)
		return error < 0 ? EIO : error;
	damaged.state = (struct spill_state){
		.magic = SPILL_STATE_MAGIC,
		.position_bytes = s->start_bytes,
	};
	if (position_bytes > good_bytes)
		damaged.state.position_bytes += position_bytes - good_bytes;
	damaged.state.check = spill_state_check(&damaged);
	if (write(to, head, head_bytes) != (ssize_t)head_bytes ||
	    write(to, &damaged.state, sizeof damaged.state) !=
		    (ssize_t)sizeof damaged.state)
		return ENOSPC;
	return 0;
}

/* Move the bytes after the good chunks to a file NAME.damaged.  If they cannot
 * be cut off now, they are cut off before the next chunk is added.  If they
 * cannot be copied now, they stay where they are. */
static int cut_damaged(struct spill *s, int fd, uint64_t position_bytes,
		       uint64_t good_bytes)
{
	struct buf name = {0};
	spill_name_damaged(s, &name);
	int to = open(name.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		      FILE_MODE);
	int error = to < 0 ? errno
			   : write_damaged_head(s, fd, to, position_bytes,
						good_bytes);
	if (error == 0)
		error = copy_from(fd, good_bytes, to);
	if (to >= 0)
		close(to);
	if (to >= 0 && error != 0)
		unlink(name.ptr);
	if (error == 0) {
		log_line(LOG_ERROR, "spill",
			 "path=\"%s\" err=\"damaged after byte %llu\" "
			 "bytes=%llu kept_in=\"%s\" action=\"dropping the "
			 "damaged end; to append its good lines, run sluiced "
			 "replay on the file named by kept_in\"",
			 s->path, (unsigned long long)good_bytes,
			 (unsigned long long)(s->size_bytes - good_bytes),
			 name.ptr);
		s->dir->is_damaged = true;
		s->size_bytes = good_bytes;
		(void)!ftruncate(fd, (off_t)good_bytes);
	}
	buf_fini(&name);
	return error;
}

static void rename_damaged(struct spill *s)
{
	static const char *const why[] = {
		[SPILL_FOREIGN] = "not a spill of sluiced",
		[SPILL_BAD_HEAD] = "its head is damaged or of another version",
		[SPILL_GOOD_HEAD] = "its state is damaged",
	};
	struct buf name = {0};
	enum spill_kind kind = spill_kind_of(s->path);
	bool is_moved = spill_set_aside(s, &name);
	const char *advice = "; to append its good lines, run sluiced replay "
			     "on the file named by kept_in";
	log_line(LOG_ERROR, "spill",
		 "path=\"%s\" err=\"%s\" kept_in=\"%s\" action=\"not using "
		 "it%s\"",
		 s->path, why[kind], is_moved ? name.ptr : s->path,
		 kind == SPILL_GOOD_HEAD ? advice : "");
	buf_fini(&name);
	s->dir->is_damaged = true;
}

/* EWOULDBLOCK if a replay appends the spill's lines now (spill_replay.c).  The
 * lock ends when the descriptor is closed. */
static int lock(int fd)
{
	bool is_locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
	return is_locked || errno != EWOULDBLOCK ? 0 : errno;
}

static int load(struct spill *s, int fd, bool *is_ours)
{
	uint64_t good_bytes;
	int error = lock(fd);
	if (error == 0)
		error = read_head(s, fd, is_ours);
	if (error == SPILL_CUT)
		rename_damaged(s);
	if (error == 0 && *is_ours)
		error = cut_uncommitted(s, fd);
	if (error == 0 && *is_ours) {
		uint64_t position_bytes =
			s->state.position_bytes - s->state.torn_bytes;
		error = walk(s, fd, &good_bytes);
		if (error == SPILL_CUT)
			error = cut_damaged(s, fd, position_bytes, good_bytes);
	}
	return error;
}

bool spill_may_load(const struct spill_dir *dir, const char *name)
{
	return spill_has_name(name) &&
	       spill_owners_may_load(dir->owners, name, spill_dir_id(dir));
}

struct spill *spill_load(struct spill_dir *dir, int dir_fd, const char *name)
{
	struct spill *s = mem_new(1, sizeof *s);
	struct buf path = {0};
	buf_printf(&path, "%s/%s", dir->path, name);
	buf_text(&path);
	spill_lock_dir(dir, dir_fd);
	s->dir = dir;
	s->path = path.ptr;
	append_file_init(&s->file, s->path, &dir->env);
	int fd = own_file_open(dir_fd, s->path, O_RDWR, &dir->load_rate);
	bool is_ours = true;
	int error = fd < 0 ? errno : load(s, fd, &is_ours);
	if (fd >= 0)
		close(fd);
	bool is_gone = fd < 0 && file_is_gone(s->path, error, NULL);
	if (error > 0 && !is_gone) {
		log_rated(&dir->load_rate, LOG_ERROR, "spill",
			  "path=\"%s\" err=\"%s\" action=\"keeping the spilled "
			  "lines, retrying every second\"",
			  s->path,
			  error == EWOULDBLOCK
				  ? "sluiced replay is using this spill"
				  : strerror(error));
		dir->is_partial = true;
		keep_note(dir, s->path);
	}
	if (error != 0)
		spill_owners_forget(dir->owners, name);
	if (error != 0 || !is_ours) {
		spill_free(s);
		return NULL;
	}
	spill_set_loaded(s, true);
	s->limit_bytes = s->size_bytes;
	dir->stats->spilled_bytes += s->size_bytes - s->start_bytes;
	dir->files++;
	return s;
}

void spill_drained_before(const struct spill *s, uint64_t *lines,
			  uint64_t *messages)
{
	*lines += s->drained_lines;
	*messages += s->drained_messages;
}

/* The line at the end of the file may be torn. */
static bool is_unfinished(const struct spill *s)
{
	return s->state.torn_bytes > 0 || s->state.piece_bytes > 0;
}

bool spill_precedes(const struct spill *s, const struct spill *other)
{
	bool is_free =
		other->limit_bytes == other->size_bytes && !other->is_unsaved;
	bool is_last = !is_unfinished(other) ||
		       s->state.end_bytes > other->state.end_bytes;
	return is_free && is_unfinished(s) && is_last;
}
