/* SPDX-License-Identifier: Apache-2.0 */
#include "file/spill_move.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/spill.h"
#include "file/spill_file.h"

/* --- counting */

struct counting {
	struct spill_dir dir;
	struct spill_rest *rest;
};

static int count_lines(struct spill *s, int fd, uint64_t *lines)
{
	char bytes[SPILL_HEAD_BYTES_MAX];
	struct spill_head head;
	struct spill_chunk c;
	struct stat st;
	int error = spill_read_begin(s, fd, bytes, &head);
	if (error == 0 && fstat(fd, &st) != 0)
		error = errno;
	if (error != 0)
		return error;
	s->size_bytes = (uint64_t)st.st_size;
	for (uint64_t at = s->start_bytes; at < s->size_bytes;) {
		error = spill_read_chunk(s, fd, at, &c);
		if (error != 0)
			break;
		at += sizeof c + c.bytes;
		if (at > s->state.position_bytes)
			*lines += c.lines;
	}
	return error;
}

static int count(void *data, int dir, const char *name)
{
	struct counting *counting = data;
	struct buf path = {0};
	(void)dir;
	if (!spill_has_name(name))
		return 0;
	buf_printf(&path, "%s/%s", counting->dir.path, name);
	struct spill s = {.dir = &counting->dir, .path = path.ptr};
	(void)buf_text(&path);
	int fd = spill_open(&s, O_RDONLY);
	if (fd >= 0 || errno != ENOENT)
		counting->rest->files++;
	if (fd < 0 ? errno != ENOENT
		   : count_lines(&s, fd, &counting->rest->lines) != 0)
		counting->rest->unread++;
	if (fd >= 0)
		close(fd);
	buf_fini(&path);
	return 0;
}

bool spill_rest_of(const char *dir, struct spill_rest *rest)
{
	struct counting counting = {.dir = {.path = dir}, .rest = rest};
	*rest = (struct spill_rest){0};
	int error = spill_list(&counting.dir, count, &counting);
	if (error != 0 && error != ENOENT && error != ENOTDIR)
		rest->unread++;
	return rest->lines > 0 || rest->unread > 0;
}

/* --- moving */

int spill_move_check(const char *from, const char *to)
{
	struct spill_dir from_dir = {.path = from}, to_dir = {.path = to};
	struct stat from_st, to_st;
	int error = 0;
	int from_fd = spill_open_dir(&from_dir);
	if (from_fd < 0)
		return errno;
	int to_fd = spill_make_dir(&to_dir);
	if (to_fd < 0 || fstat(from_fd, &from_st) != 0 ||
	    fstat(to_fd, &to_st) != 0)
		error = errno;
	else if (from_st.st_dev != to_st.st_dev)
		error = EXDEV;
	else if (from_st.st_ino == to_st.st_ino)
		error = EEXIST;
	close(from_fd);
	if (to_fd >= 0)
		close(to_fd);
	return error;
}

struct moving {
	struct spill_dir from;
	const char *to;
};

/* If there is a spill of that name, use a random one as spill_new() does. */
static int move(void *data, int dir, const char *name)
{
	const struct moving *m = data;
	struct buf from = {0}, to = {0};
	uint64_t number;
	int error;
	(void)dir;
	if (!spill_has_name(name))
		return 0;
	buf_printf(&from, "%s/%s", m->from.path, name);
	buf_printf(&to, "%s/%s", m->to, name);
	while (access(buf_text(&to), F_OK) == 0 ||
	       (error = spill_rename(buf_text(&from), to.ptr)) == EEXIST) {
		CHECK(getrandom(&number, sizeof number, 0) == sizeof number);
		buf_clear(&to);
		buf_printf(&to, "%s/%016llx.spill", m->to,
			   (unsigned long long)number);
	}
	buf_fini(&from);
	buf_fini(&to);
	return error;
}

int spill_move(const char *from, const char *to)
{
	struct moving m = {.from = {.path = from}, .to = to};
	int error = spill_list(&m.from, move, &m);
	if (error == 0)
		(void)rmdir(from);
	return error;
}
