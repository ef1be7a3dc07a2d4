/* SPDX-License-Identifier: Apache-2.0 */
#include "file/spill_replay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "file/append_file.h"
#include "file/append_tail.h"
#include "file/file_gone.h"
#include "file/file_lock.h"
#include "file/renamed_file.h"
#include "file/spill_file.h"
#include "journal/journal.h"

enum { LOCK_WAIT_S = 15, LOCK_PAUSE_MS = 50 };

struct replay {
	int fd;	       /* of the spill */
	bool can_save; /* the position, in the spill's state */
	struct span bytes;
	struct spill spill; /* of its fields, only those of the state */
	struct append_file file;
	struct spill_replayed *result;
};

/* --- reading */

/* Read the chunk and its lines at that place.  False if it is damaged. */
static bool chunk_at(struct span bytes, size_t at, struct spill_chunk *c,
		     struct span *lines)
{
	if (bytes.len - at < sizeof *c)
		return false;
	memcpy(c, bytes.ptr + at, sizeof *c);
	if (c->magic != SPILL_CHUNK_MAGIC || c->bytes == 0 ||
	    c->bytes > bytes.len - at - sizeof *c)
		return false;
	*lines = span_make(bytes.ptr + at + sizeof *c, c->bytes);
	return c->check == spill_chunk_check(c, spill_check(*lines)) &&
	       lines->ptr[lines->len - 1] == '\n';
}

/* The next place after `at` where a chunk may begin, or the end. */
static size_t next_chunk(struct span bytes, size_t at)
{
	const uint32_t magic = SPILL_CHUNK_MAGIC;
	const char *found = memmem(bytes.ptr + at + 1, bytes.len - at - 1,
				   &magic, sizeof magic);
	return found == NULL ? bytes.len : (size_t)(found - bytes.ptr);
}

/* Read the state.  If it is damaged, no line is known to be in the file. */
static void read_state(struct replay *r, size_t head_bytes)
{
	struct spill *s = &r->spill;
	struct span head = span_make(r->bytes.ptr, head_bytes);
	s->head_check = spill_check(head);
	s->start_bytes = head_bytes + sizeof s->state;
	memcpy(&s->state, r->bytes.ptr + head_bytes, sizeof s->state);
	if (s->state.magic != SPILL_STATE_MAGIC ||
	    s->state.check != spill_state_check(s))
		s->state = (struct spill_state){
			.magic = SPILL_STATE_MAGIC,
			.position_bytes = s->start_bytes,
		};
}

static void save_state(struct replay *r)
{
	if (!r->can_save || spill_save_state(&r->spill, r->fd) != 0)
		r->result->is_unsaved = true;
}

/* `done` bytes from the position on are in the file now. */
static void advance(struct replay *r, size_t done)
{
	struct spill_state *state = &r->spill.state;
	struct span written =
		span_make(r->bytes.ptr + state->position_bytes, done);
	const char *last = done > 0 ? memrchr(written.ptr, '\n', done) : NULL;
	state->torn_bytes = last == NULL
				    ? state->torn_bytes + done
				    : (size_t)(written.ptr + done - last - 1);
	state->position_bytes += done;
	state->device = r->file.device;
	state->inode = r->file.inode;
	state->end_bytes = r->file.size_bytes;
}

/* --- what a killed process has appended */

/* The only note is that of the announced piece. */
static const struct append_note *next_note(void *data,
					   const struct append_note *note)
{
	return note == NULL ? data : NULL;
}

/* Open the file of the note for reading, also if it was renamed.  It stays
 * closed if it does not exist any more, or cannot be read.  Returns 0 or an
 * errno. */
static int open_noted(struct replay *r, struct append_note *n)
{
	struct append_file *f = &r->file;
	struct append_notes notes = {.data = n, .next = next_note};
	f->env->notes = &notes;
	int error = renamed_file_open(f);
	f->env->notes = NULL;
	if (error != 0 || f->fd >= 0)
		return error;
	errno = 0;
	if (!append_file_peek(f)) {
		error = errno;
		r->result->is_unread = error == EACCES;
		return error == EACCES || file_is_gone(f->path, error, NULL)
			       ? 0
			       : error;
	}
	if (f->device != n->device || f->inode != n->inode)
		append_file_close(f);
	return 0;
}

/* Compare the piece with the file.  A piece of sluiced may extend over several
 * chunks. */
static int find_piece(struct replay *r, struct append_note *n)
{
	struct spill_state *state = &r->spill.state;
	size_t at = r->spill.start_bytes;
	while (state->piece_bytes > 0 && at < r->bytes.len) {
		struct spill_chunk c;
		struct span lines;
		if (!chunk_at(r->bytes, at, &c, &lines)) {
			at = next_chunk(r->bytes, at);
			continue;
		}
		size_t start = at + sizeof c, found;
		at = start + c.bytes;
		if (state->position_bytes >= at)
			continue;
		size_t from = state->position_bytes > start
				      ? state->position_bytes
				      : start;
		size_t part = at - from < state->piece_bytes
				      ? at - from
				      : (size_t)state->piece_bytes;
		lines = span_make(r->bytes.ptr + from, part);
		n->length_bytes = (uint32_t)part;
		int error = append_file_found(&r->file, n, lines, 0, &found);
		if (error != 0)
			return error;
		if (found == 0)
			break;
		state->position_bytes = from;
		advance(r, found);
		r->result->found_lines +=
			span_count(span_make(lines.ptr, found), '\n');
		if (found < part)
			break;
		n->offset_bytes += found;
		state->piece_bytes -= part;
	}
	return 0;
}

/* A process announced a piece and did not save what became of it, because it
 * was killed. */
static int recover(struct replay *r)
{
	struct spill_state *state = &r->spill.state;
	struct append_note n = {
		.device = state->device,
		.inode = state->inode,
		.offset_bytes = state->end_bytes,
		.kind = APPEND_LINES,
		.path_hash = r->file.path_hash,
	};
	if (state->piece_bytes == 0)
		return 0;
	int error = open_noted(r, &n);
	if (error == 0 && r->file.fd >= 0)
		error = find_piece(r, &n);
	append_file_close(&r->file);
	if (error != 0)
		return error;
	state->piece_bytes = 0;
	save_state(r);
	return 0;
}

/* --- appending */

/* EBUSY: another writer holds the lock, or has a torn line to complete.
 * ESTALE: the path names another file now. */
static bool is_worth_waiting(int error)
{
	return error == EBUSY || error == ESTALE;
}

/* Begin, and find out from where the lines are missing: a torn line is
 * completed if it is still the end of the file.  Otherwise it comes again as a
 * whole, after a newline. */
static int begin(struct replay *r)
{
	struct append_file *f = &r->file;
	struct spill_state *state = &r->spill.state;
	int error = append_file_begin(f);
	if (error == ESTALE && f->fd >= 0) {
		append_file_end(f);
		append_file_close(f);
	}
	if (error != 0)
		return error;
	if (state->torn_bytes > 0 && state->device == f->device &&
	    state->inode == f->inode && state->end_bytes == f->size_bytes)
		return 0;
	state->position_bytes -= state->torn_bytes;
	state->torn_bytes = 0;
	return append_file_tail(f, clock_mono_ns());
}

static int begin_in_time(struct replay *r)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * NS_PER_MS};
	int64_t end_ns = clock_mono_ns() + LOCK_WAIT_S * NS_PER_S;
	int error;
	while (is_worth_waiting(error = begin(r)) && clock_mono_ns() < end_ns) {
		append_file_end(&r->file);
		nanosleep(&pause, NULL);
	}
	return error;
}

/* Save how long the piece is before it is written.  If this process is killed,
 * the next one compares it with the file. */
static void announce(struct replay *r, size_t piece_bytes)
{
	struct spill_state *state = &r->spill.state;
	state->device = r->file.device;
	state->inode = r->file.inode;
	state->end_bytes = r->file.size_bytes;
	state->piece_bytes = piece_bytes;
	save_state(r);
}

static void save_progress(struct replay *r, struct span piece, size_t done)
{
	advance(r, done);
	r->spill.state.piece_bytes = 0;
	r->result->lines += span_count(span_make(piece.ptr, done), '\n');
	save_state(r);
}

/* Append the lines from `start` to `end` that are not in the file. */
static int append_lines(struct replay *r, size_t start, size_t end)
{
	struct spill_state *state = &r->spill.state;
	if (state->position_bytes < start) {
		state->position_bytes = start;
		state->torn_bytes = 0;
	}
	int error = begin_in_time(r);
	if (error == 0) {
		size_t done, at = state->position_bytes;
		const struct append_bytes piece = {
			.kind = APPEND_LINES,
			.bytes = span_make(r->bytes.ptr + at, end - at),
		};
		announce(r, piece.bytes.len);
		error = append_file_write(&r->file, &piece, &done);
		save_progress(r, piece.bytes, done);
	}
	append_file_end(&r->file);
	return error;
}

/* Append the lines of each good chunk that are not yet in the file. */
static bool append_chunks(struct replay *r, struct err *e)
{
	struct span bytes = r->bytes;
	size_t at = r->spill.start_bytes;
	while (at < bytes.len) {
		struct spill_chunk c;
		struct span lines;
		if (!chunk_at(bytes, at, &c, &lines)) {
			size_t next = next_chunk(bytes, at);
			r->result->damaged_bytes += next - at;
			at = next;
			continue;
		}
		size_t start = at + sizeof c;
		at = start + c.bytes;
		if (c.lines == 0) {
			buf_clear(&r->file.head);
			buf_put_span(&r->file.head, lines);
			continue;
		}
		if (r->spill.state.position_bytes >= at)
			continue;
		int error = append_lines(r, start, at);
		if (error != 0)
			return err_sys(e, error, "append to %s",
				       r->result->output_path);
	}
	return true;
}

static bool append_all(struct replay *r, spill_roots_fn roots_of, void *data,
		       struct err *e)
{
	struct spill_head head;
	if (!spill_read_head(r->bytes, &head) ||
	    r->bytes.len < head.bytes + sizeof(struct spill_state))
		return err_set(e, "its head is damaged or of another "
				  "version, so the output file of its lines is "
				  "unknown");
	struct span path = head.spilled.path;
	char *output_path = mem_copy(path.ptr, path.len);
	r->result->output_path = output_path;
	read_state(r, head.bytes);
	struct sink_stats stats = {0};
	struct file_env env = {.lock = file_lock_new(),
			       .stats = &stats,
			       .mkdir = true,
			       .fsync = SINK_FSYNC_BATCH};
	if (roots_of != NULL) {
		struct spill_roots roots = roots_of(data, path);
		env.root = span_make(output_path, roots.root_bytes);
		env.lock_root = span_make(output_path, roots.lock_bytes);
	}
	append_file_init(&r->file, output_path, &env);
	int error = recover(r);
	bool ok = error == 0
			  ? append_chunks(r, e)
			  : err_sys(e, error, "compare with %s", output_path);
	append_file_close(&r->file);
	buf_fini(&r->file.head);
	file_lock_free(env.lock);
	return ok;
}

static void pass_by(void *data, const struct journal_entry *entry,
		    const struct journal_input *input)
{
	(void)data, (void)entry, (void)input;
}

/* Remove ".spill" from the end of the path.  False if it ends differently. */
static bool cut_spill(char *path)
{
	struct span whole = span_of(path), end = SPAN(".spill");
	if (!span_ends_with(whole, end))
		return false;
	path[whole.len - end.len] = '\0';
	return true;
}

/* Whether a running sluiced uses the spills in the directory (spill_lock_dir).
 */
static bool is_locked(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
	bool is_held = !is_free && errno == EWOULDBLOCK;
	close(fd);
	return is_held;
}

/* Whether it is a spill JOURNAL.spill/NAME.spill, and the directory or the
 * journal is in use.  A spill that was set aside has another name. */
static bool is_in_use(const char *path)
{
	char journal[PATH_MAX];
	struct journal_summary summary = {0};
	struct err e = {0};
	if (realpath(path, journal) == NULL || !cut_spill(journal))
		return false;
	*strrchr(journal, '/') = '\0';
	if (is_locked(journal))
		return true;
	if (!cut_spill(journal))
		return false;
	bool is_good = journal_inspect(journal, &summary, pass_by, NULL, &e);
	(void)is_good; /* a damaged journal may be in use, too */
	return summary.is_owned;
}

/* Nobody may change the spill during a replay: other replays and the worker
 * look whether it is locked.  A worker that had loaded the spill before has
 * locked the journal, or has moved the spill. */
static bool lock_spill(const struct replay *r, const char *path, struct err *e)
{
	struct stat ours, named;
	if (flock(r->fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? err_set(e,
					 "%s: another sluiced replay or a "
					 "running sluiced reads it",
					 path)
			       : err_sys(e, errno, "lock %s", path);
	if (fstat(r->fd, &ours) < 0 || stat(path, &named) < 0)
		return err_sys(e, errno, "read %s", path);
	if (is_in_use(path) || ours.st_dev != named.st_dev ||
	    ours.st_ino != named.st_ino)
		return err_set(e,
			       "%s is in use by a running sluiced, which "
			       "appends the lines itself",
			       path);
	return true;
}

static bool open_spill(struct replay *r, const char *path, struct err *e)
{
	r->fd = open(path, O_RDWR | O_CLOEXEC);
	r->can_save = r->fd >= 0;
	if (r->fd < 0)
		r->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		return err_sys(e, errno, "open %s", path);
	if (lock_spill(r, path, e))
		return true;
	close(r->fd);
	return false;
}

/* Map the file; an empty file is no bytes. */
static bool map_file(struct replay *r, const char *path, struct err *e)
{
	struct stat st;
	if (fstat(r->fd, &st) < 0)
		return err_sys(e, errno, "read %s", path);
	r->bytes = span_make("", 0);
	if (st.st_size == 0)
		return true;
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
			 r->fd, 0);
	if (map == MAP_FAILED)
		return err_sys(e, errno, "read %s", path);
	r->bytes = span_make(map, (size_t)st.st_size);
	return true;
}

bool spill_replay(const char *path, spill_roots_fn roots, void *data,
		  struct spill_replayed *result, struct err *e)
{
	struct replay r = {.result = result};
	*result = (struct spill_replayed){0};
	if (!open_spill(&r, path, e))
		return false;
	bool ok = map_file(&r, path, e);
	if (ok) {
		ok = append_all(&r, roots, data, e) || err_in(e, "%s", path);
		if (r.bytes.len > 0)
			munmap((void *)(uintptr_t)r.bytes.ptr, r.bytes.len);
	}
	close(r.fd);
	return ok;
}
