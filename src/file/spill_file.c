/* SPDX-License-Identifier: Apache-2.0 */
#include "file/spill_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/own_file.h"
#include "file/spill.h"
#include "file/spill_owners.h"

enum { PIECE_BYTES = 16 * 1024 };

/* One of the two sizes, followed by a blank. */
static bool read_size(struct span *rest, size_t *size)
{
	size_t at = 0;
	*size = 0;
	for (; at < rest->len && rest->ptr[at] >= '0' && rest->ptr[at] <= '9';
	     at++)
		if ((*size = *size * 10 + (size_t)(rest->ptr[at] - '0')) >=
		    PATH_MAX)
			return false;
	if (at == 0 || at == rest->len || rest->ptr[at] != ' ')
		return false;
	*rest = span_make(rest->ptr + at + 1, rest->len - at - 1);
	return true;
}

/* "file.0\0" "89abcdef", or just a name */
static void read_output(struct span text, struct sink_spilled *spilled)
{
	const char *nul = memchr(text.ptr, '\0', text.len);
	spilled->name = text;
	spilled->id = 0;
	if (nul == NULL)
		return;
	spilled->name.len = (size_t)(nul - text.ptr);
	/* A blank follows the text. */
	spilled->id = (uint32_t)strtoul(nul + 1, NULL, 16);
}

/* "sluiced spill 1 15 8 file.0\0" "89abcdef /a/b.log\n" */
bool spill_read_head(struct span bytes, struct spill_head *head)
{
	const struct span magic = SPAN(SPILL_MAGIC "1 ");
	size_t name_bytes, path_bytes;
	if (bytes.len < magic.len ||
	    !span_equals(span_make(bytes.ptr, magic.len), magic))
		return false;
	struct span rest =
		span_make(bytes.ptr + magic.len, bytes.len - magic.len);
	if (!read_size(&rest, &name_bytes) || !read_size(&rest, &path_bytes) ||
	    rest.len < name_bytes + 1 + path_bytes + 1)
		return false;
	const char *path = rest.ptr + name_bytes + 1;
	if (path[-1] != ' ' || path[path_bytes] != '\n')
		return false;
	read_output(span_make(rest.ptr, name_bytes), &head->spilled);
	head->spilled.path = span_make(path, path_bytes);
	size_t len = (size_t)(path + path_bytes + 1 - bytes.ptr);
	head->bytes = (len + SPILL_ALIGN_BYTES - 1) / SPILL_ALIGN_BYTES *
		      SPILL_ALIGN_BYTES;
	return head->bytes <= bytes.len;
}

enum spill_kind spill_kind_of(const char *path)
{
	const struct span magic = SPAN(SPILL_MAGIC);
	char bytes[SPILL_HEAD_BYTES_MAX];
	struct spill_head head;
	struct spill_state state;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, bytes, sizeof bytes, 0);
	enum spill_kind kind = SPILL_GOOD_HEAD;
	if (n >= 0 &&
	    ((size_t)n < magic.len || memcmp(bytes, magic.ptr, magic.len) != 0))
		kind = SPILL_FOREIGN;
	else if (n >= 0 &&
		 (!spill_read_head(span_make(bytes, (size_t)n), &head) ||
		  spill_read_at(fd, &state, sizeof state, head.bytes) ==
			  SPILL_CUT))
		kind = SPILL_BAD_HEAD;
	if (fd >= 0)
		close(fd);
	return kind;
}

int spill_read_chunk(const struct spill *s, int fd, uint64_t at,
		     struct spill_chunk *c)
{
	if (s->size_bytes - at < sizeof *c)
		return SPILL_CUT;
	int error = spill_read_at(fd, c, sizeof *c, at);
	if (error != 0)
		return error;
	bool is_good = c->magic == SPILL_CHUNK_MAGIC && c->bytes > 0 &&
		       c->bytes <= s->size_bytes - at - sizeof *c;
	return is_good ? 0 : SPILL_CUT;
}

uint64_t spill_check(struct span bytes)
{
	return XXH3_64bits(bytes.ptr, bytes.len);
}

uint64_t spill_state_check(const struct spill *s)
{
	return XXH3_64bits_withSeed(
		&s->state, offsetof(struct spill_state, check), s->head_check);
}

uint64_t spill_chunk_check(const struct spill_chunk *c, uint64_t lines_check)
{
	return XXH3_64bits_withSeed(c, offsetof(struct spill_chunk, check),
				    lines_check);
}

int spill_check_chunk(const struct spill_chunk *c, int fd, uint64_t at)
{
	XXH3_state_t state;
	char piece[PIECE_BYTES];
	uint64_t end = at + sizeof *c + c->bytes;
	XXH3_64bits_reset(&state);
	for (at += sizeof *c; at < end;) {
		size_t bytes = end - at < sizeof piece ? (size_t)(end - at)
						       : sizeof piece;
		int error = spill_read_at(fd, piece, bytes, at);
		if (error != 0)
			return error;
		XXH3_64bits_update(&state, piece, bytes);
		at += bytes;
	}
	uint64_t check = spill_chunk_check(c, XXH3_64bits_digest(&state));
	return c->check == check ? 0 : SPILL_CUT;
}

static int read_state(struct spill *s, int fd, struct span head)
{
	int error = spill_read_at(fd, &s->state, sizeof s->state, head.len);
	if (error != 0)
		return error;
	s->start_bytes = head.len + sizeof s->state;
	s->head_check = spill_check(head);
	bool is_good = s->state.magic == SPILL_STATE_MAGIC &&
		       s->state.check == spill_state_check(s);
	return is_good ? 0 : SPILL_CUT;
}

int spill_read_begin(struct spill *s, int fd, char bytes[SPILL_HEAD_BYTES_MAX],
		     struct spill_head *head)
{
	*head = (struct spill_head){0};
	ssize_t n = pread(fd, bytes, SPILL_HEAD_BYTES_MAX, 0);
	if (n < 0)
		return errno;
	if (!spill_read_head(span_make(bytes, (size_t)n), head)) {
		head->bytes = 0;
		return SPILL_CUT;
	}
	return read_state(s, fd, span_make(bytes, head->bytes));
}

int spill_open_dir(struct spill_dir *dir)
{
	return own_file_open(AT_FDCWD, dir->path, O_RDONLY | O_DIRECTORY,
			     &dir->load_rate);
}

static bool is_same(int a, int b)
{
	struct stat x, y;
	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

void spill_lock_dir(struct spill_dir *dir, int fd)
{
	if (dir->locked_fd != 0 && is_same(dir->locked_fd, fd))
		return;
	if (dir->locked_fd != 0)
		close(dir->locked_fd);
	dir->locked_fd = 0;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 1);
	if (own < 0)
		return;
	/* Fails while a replay looks; then the next spill locks it. */
	if (flock(own, LOCK_SH | LOCK_NB) == 0)
		dir->locked_fd = own;
	else
		close(own);
}

void spill_dir_free(struct spill_dir *dir)
{
	buf_fini(&dir->piece);
	buf_fini(&dir->piece_chunks);
	buf_fini(&dir->notes);
	if (dir->locked_fd != 0)
		close(dir->locked_fd);
}

int spill_list(struct spill_dir *d,
	       int (*each)(void *data, int dir, const char *name), void *data)
{
	const struct dirent *entry;
	int fd = spill_open_dir(d);
	if (fd < 0)
		return errno;
	DIR *dir = fdopendir(fd);
	if (dir == NULL) {
		int error = errno;
		close(fd);
		return error;
	}
	int error = 0;
	while (error == 0 && (errno = 0, (entry = readdir(dir)) != NULL))
		error = each(data, fd, entry->d_name);
	if (error == 0)
		error = errno;
	closedir(dir);
	return error;
}

bool spill_has_name(const char *name)
{
	return span_ends_with(span_of(name), SPAN(".spill"));
}

uint32_t spill_dir_id(const struct spill_dir *dir)
{
	return dir->owner_of != NULL ? dir->env.sink : 0;
}

const char *spill_name(const struct spill *s)
{
	return strrchr(s->path, '/') + 1;
}

void spill_set_loaded(struct spill *s, bool is_loaded)
{
	spill_owners_put(s->dir->owners, spill_name(s), spill_dir_id(s->dir),
			 is_loaded);
	s->is_loaded = is_loaded;
}

int spill_open(const struct spill *s, int flags)
{
	int dir = spill_open_dir(s->dir);
	if (dir < 0)
		return -1;
	int fd = own_file_open(dir, s->path, flags, &s->dir->load_rate);
	int error = errno;
	close(dir);
	errno = error;
	return fd;
}

int spill_rename(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	/* Some file systems, such as NFS, do not know the flag. */
	if (errno != EINVAL && errno != ENOSYS && errno != EPERM)
		return errno;
	return rename(from, to) < 0 ? errno : 0;
}

void spill_name_damaged(const struct spill *s, struct buf *name)
{
	int stem = (int)(strlen(s->path) - strlen(".spill"));
	buf_printf(name, "%.*s.damaged", stem, s->path);
	for (unsigned i = 2; access(buf_text(name), F_OK) == 0; i++) {
		buf_clear(name);
		buf_printf(name, "%.*s.%u.damaged", stem, s->path, i);
	}
}

bool spill_set_aside(const struct spill *s, struct buf *name)
{
	spill_name_damaged(s, name);
	bool is_moved = spill_rename(s->path, name->ptr) == 0;
	if (!is_moved)
		name->ptr[0] = '\0';
	return is_moved;
}

int spill_save_state(struct spill *s, int fd)
{
	s->state.check = spill_state_check(s);
	return pwrite(fd, &s->state, sizeof s->state,
		      (off_t)(s->start_bytes - sizeof s->state)) < 0
		       ? errno
		       : 0;
}

void spill_try_save(struct spill *s, int fd)
{
	int error = spill_save_state(s, fd);
	s->is_unsaved = error != 0;
	if (error != 0)
		log_line(LOG_ERROR, "spill",
			 "path=\"%s\" err=\"cannot save which spilled lines "
			 "are in their file: %s\" action=\"retrying before "
			 "the commit\"",
			 s->path, strerror(error));
}
