/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"

#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log_output.h"
#include "unit.h"

bool temp_dir_make(char dir[TEMP_DIR_BYTES], const char *parent,
		   const char *name)
{
	snprintf(dir, TEMP_DIR_BYTES, "%s/%s.XXXXXX", parent, name);
	return mkdtemp(dir) != NULL;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int temp_dir_remove(const char *dir)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void file_write(const char *path, struct span bytes)
{
	FILE *file = fopen(path, "w");
	if (file == NULL)
		fail_msg("cannot create %s", path);
	if (bytes.len > 0)
		assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file),
				 bytes.len);
	assert_int_equal(fclose(file), 0);
}

void file_write_text(const char *path, const char *text)
{
	file_write(path, span_of(text));
}

bool file_read(const char *path, struct buf *out)
{
	char piece[4096];
	size_t n;
	FILE *file = fopen(path, "r");
	buf_clear(out);
	if (file == NULL)
		return false;
	while ((n = fread(piece, 1, sizeof piece, file)) > 0)
		buf_put(out, piece, n);
	fclose(file);
	return true;
}

bool file_exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

mode_t file_mode(const char *path)
{
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

bool file_give_away(const char *path)
{
	return geteuid() == 0 && lchown(path, OTHER_USER, OTHER_USER) == 0;
}

void file_copy(const char *from, const char *to)
{
	struct buf bytes = {0};
	assert_true(file_read(from, &bytes));
	file_write(to, buf_span(&bytes));
	buf_fini(&bytes);
}

size_t count_fds(void)
{
	size_t count = 0;
	DIR *d = opendir("/proc/self/fd");
	assert_non_null(d);
	while (readdir(d) != NULL)
		count++;
	closedir(d);
	return count;
}

void wait_readable(int fd)
{
	enum { PATIENCE_MS = 240 * 1000 };
	struct pollfd p = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

void wait_for_log(void)
{
	while (!log_output_flush())
		continue;
}
