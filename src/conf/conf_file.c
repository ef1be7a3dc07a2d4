/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/conf_tree.h"

enum { FILE_BYTES_MAX = 64 << 20 };

static bool slurp(int fd, const char *path, struct buf *text, struct err *e)
{
	enum { BLOCK_BYTES = 65536 };
	for (;;) {
		char *place = buf_reserve(text, BLOCK_BYTES);
		ssize_t n = read(fd, place, BLOCK_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, "%s: %s", path, strerror(errno));
		if (n == 0)
			return true;
		text->len += (size_t)n;
		if (text->len > FILE_BYTES_MAX)
			return err_set(
				e,
				"%s: larger than %d MiB, the limit for a "
				"configuration file",
				path, FILE_BYTES_MAX >> 20);
	}
}

static bool note_file(struct conf *conf, const struct stat *st,
		      const char *path, struct err *e)
{
	for (const struct conf_file *f = conf->files; f != NULL; f = f->next)
		if (f->device == st->st_dev && f->inode == st->st_ino)
			return err_set(e,
				       "%s was read already: a file is "
				       "read only once",
				       path);
	struct conf_file *f = arena_take(conf->arena, sizeof *f);
	*f = (struct conf_file){conf->files, st->st_dev, st->st_ino};
	conf->files = f;
	return true;
}

/* Reading a directory fails; a pipe or a device might never end. */
static bool check_kind(const struct stat *st, const char *path, struct err *e)
{
	return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) ||
	       err_set(e,
		       "%s: not a regular file; a configuration is read from "
		       "regular files only",
		       path);
}

bool conf_check_file(const char *path, struct err *e)
{
	struct stat st;
	return stat(path, &st) < 0 || check_kind(&st, path, e);
}

static bool read_file(struct conf *conf, const char *path, struct buf *text,
		      struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_set(e, "%s: %s", path, strerror(errno));
	bool ok = (fstat(fd, &st) == 0 ||
		   err_set(e, "%s: %s", path, strerror(errno))) &&
		  check_kind(&st, path, e) &&
		  (conf == NULL || note_file(conf, &st, path, e)) &&
		  slurp(fd, path, text, e);
	close(fd);
	return ok;
}

bool conf_file_slurp(const char *path, struct buf *text, struct err *e)
{
	return read_file(NULL, path, text, e);
}

bool conf_file_read(struct conf *conf, const char *path, struct buf *text,
		    struct err *e)
{
	return read_file(conf, path, text, e);
}

int conf_file_find_in(const char *dir, const char *pattern, glob_t *found)
{
	if (pattern[0] == '/')
		return glob(pattern, 0, NULL, found);
	struct buf full = {0};
	for (const char *c = dir; *c != '\0'; c++) {
		if (strchr("*?[\\", *c) != NULL)
			buf_put_char(&full, '\\');
		buf_put_char(&full, *c);
	}
	buf_printf(&full, "/%s", pattern);
	int rc = glob(buf_text(&full), 0, NULL, found);
	buf_fini(&full);
	return rc;
}

int conf_file_find(const char *dir, const char *pattern, glob_t *found)
{
	int rc = glob(pattern, 0, NULL, found);
	return rc == GLOB_NOMATCH ? conf_file_find_in(dir, pattern, found) : rc;
}

char *conf_find_file(const char *dir, const char *path)
{
	if (path[0] == '/' || access(path, F_OK) == 0)
		return mem_text(path);
	struct buf full = {0};
	buf_printf(&full, "%s/%s", dir, path);
	bool there = access(buf_text(&full), F_OK) == 0;
	char *found = mem_text(there ? buf_text(&full) : path);
	buf_fini(&full);
	return found;
}
