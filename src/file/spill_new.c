/* SPDX-License-Identifier: Apache-2.0 */
#include "file/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "file/file_gone.h"
#include "file/spill_file.h"
#include "file/spill_owners.h"

enum {
	DIR_MODE = 0700,
	FILE_MODE = 0600,
	ID_DIGITS = 8,
	FILE_BYTES = 4096, /* the least that a file takes on its file system */
};

/* --- creating a spill */

/* If two paths have one hash, the second one gets a random number.  So does a
 * second spill for a file whose first one could not be loaded yet.  A client
 * can choose paths that have one hash: if they got the next numbers, each spill
 * would look for as many names as there are spills. */
static int choose_path(struct spill *s)
{
	/* The NUL separates the two texts. */
	uint64_t number =
		hash_fnv1a(HASH_FNV1A_BEGIN, span_of(s->dir->sink_name));
	number = hash_fnv1a(number, SPAN("\0"));
	number = hash_fnv1a(number, span_of(s->output_path));
	struct buf path = {0};
	for (;;) {
		buf_clear(&path);
		buf_printf(&path, "%s/%016llx.spill", s->dir->path,
			   (unsigned long long)number);
		if (access(buf_text(&path), F_OK) < 0)
			break;
		CHECK(getrandom(&number, sizeof number, 0) == sizeof number);
	}
	s->path = path.ptr;
	return errno == ENOENT ? 0 : errno;
}

static void put_head(struct spill *s, struct buf *head)
{
	const struct spill_dir *dir = s->dir;
	bool has_id = dir->owner_of != NULL;
	size_t name_bytes = strlen(dir->sink_name);
	buf_printf(head, SPILL_MAGIC "1 %zu %zu %s",
		   name_bytes + (has_id ? 1 + ID_DIGITS : 0),
		   strlen(s->output_path), dir->sink_name);
	if (has_id) {
		buf_put_char(head, '\0');
		buf_printf(head, "%0*x", ID_DIGITS, dir->env.sink);
	}
	buf_printf(head, " %s\n", s->output_path);
	while (head->len % SPILL_ALIGN_BYTES != 0)
		buf_put_char(head, '\0');
	s->start_bytes = head->len + sizeof s->state;
	s->head_check = spill_check(buf_span(head));
	s->state.magic = SPILL_STATE_MAGIC;
	s->state.position_bytes = s->start_bytes;
	s->state.check = spill_state_check(s);
	buf_put(head, (const char *)&s->state, sizeof s->state);
}

static int write_head(struct spill *s, int fd)
{
	struct buf head = {0};
	put_head(s, &head);
	ssize_t n = write(fd, head.ptr, head.len);
	int error = n == (ssize_t)head.len ? 0 : n < 0 ? errno : ENOSPC;
	buf_fini(&head);
	return error;
}

/* The spill gets its name when its head is written, because a file with the
 * name but without a head would count as damaged. */
static int create(struct spill *s, int dir)
{
	struct buf name = {0};
	buf_printf(&name, "%s.new", s->path);
	const char *new_name = strrchr(buf_text(&name), '/') + 1;
	unlinkat(dir, new_name, 0);
	int fd = openat(dir, new_name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			FILE_MODE);
	int error = fd < 0 ? errno : write_head(s, fd);
	if (fd >= 0)
		close(fd);
	if (error == 0)
		error = spill_rename(name.ptr, s->path);
	if (error != 0)
		unlink(name.ptr);
	buf_fini(&name);
	return error;
}

int spill_make_dir(struct spill_dir *dir)
{
	int fd = spill_open_dir(dir);
	if (fd < 0 && errno == ENOENT &&
	    (mkdir(dir->path, DIR_MODE) == 0 || errno == EEXIST))
		fd = spill_open_dir(dir);
	return fd;
}

struct spill *spill_new(struct spill_dir *dir, const char *output_path)
{
	int fd = spill_make_dir(dir);
	if (fd < 0)
		return NULL;
	spill_lock_dir(dir, fd);
	struct spill *s = mem_new(1, sizeof *s);
	s->dir = dir;
	s->output_path = mem_text(output_path);
	int error = choose_path(s);
	append_file_init(&s->file, s->path, &dir->env);
	s->file.is_new = true;
	if (error == 0)
		error = create(s, fd);
	close(fd);
	if (error != 0) {
		spill_free(s);
		errno = error;
		return NULL;
	}
	s->size_bytes = s->limit_bytes = s->chunk_bytes = s->start_bytes;
	dir->files++;
	spill_set_loaded(s, true);
	return s;
}

/* --- freeing and removing a spill */

void spill_free(struct spill *s)
{
	if (s == NULL)
		return;
	if (s->is_loaded)
		spill_set_loaded(s, false);
	append_file_close(&s->file);
	buf_fini(&s->names);
	free(s->path);
	free(s->output_path);
	free(s);
}

bool spill_dir_is_full(const struct spill_dir *dir)
{
	return dir->stats->spilled_bytes + dir->files * FILE_BYTES >=
	       dir->bytes_max;
}

void spill_unload(struct spill *s)
{
	s->dir->stats->spilled_bytes -= s->size_bytes - s->start_bytes;
	s->dir->files--;
	buf_fini(&s->dir->piece);
	buf_fini(&s->dir->piece_chunks);
	spill_free(s);
}

bool spill_remove(struct spill *s)
{
	if (unlink(s->path) < 0 && !file_is_gone(s->path, errno, NULL))
		return false;
	spill_owners_forget(s->dir->owners, spill_name(s));
	s->is_loaded = false;
	spill_unload(s);
	return true;
}
