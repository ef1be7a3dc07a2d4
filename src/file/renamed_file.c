/* SPDX-License-Identifier: Apache-2.0 */
#include "file/renamed_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/append_file.h"
#include "file/file_gone.h"
#include "file/file_path.h"
#include "file/own_note.h"

/* The last note about lines for the path.  NULL if there is none, or one about
 * the file that the path names. */
static const struct append_note *find_note(const struct append_file *f)
{
	const struct append_note *n = NULL, *last = NULL;
	struct stat st;
	if (own_note_next(f->env, NULL) == NULL)
		return NULL;
	bool is_there = stat(f->path, &st) == 0;
	while ((n = own_note_next(f->env, n)) != NULL) {
		if (n->kind != APPEND_LINES || n->path_hash != f->path_hash)
			continue;
		if (is_there && n->device == st.st_dev && n->inode == st.st_ino)
			return NULL;
		last = own_note_better(f->env, last, n);
	}
	return last;
}

/* Without permission to write, the lines that are in the file can still be
 * counted. */
static int open_existing(const struct append_file *f)
{
	const int flags = O_APPEND | O_NONBLOCK | O_NOFOLLOW;
	size_t root_bytes = append_file_root_bytes(f);
	int fd = file_path_open(f->path, root_bytes, flags | O_RDWR);
	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
		fd = file_path_open(f->path, root_bytes, flags | O_RDONLY);
	return fd;
}

/* Open the directory's entry if it is the file of the note.  Two paths may have
 * the same hash, so a note may be about another path's file.  Such a file was
 * not renamed: its path has the note's hash.  Returns 0 or an errno. */
static int try_entry(struct append_file *f, const struct append_note *n,
		     const char *name)
{
	const char *slash = strrchr(f->path, '/');
	int dir_len = slash != NULL ? (int)(slash + 1 - f->path) : 0;
	char path[PATH_MAX];
	struct append_file other;
	struct stat st;
	if (snprintf(path, sizeof path, "%.*s%s", dir_len, f->path, name) >=
	    (int)sizeof path)
		return 0;
	append_file_init(&other, path, f->env);
	if (other.path_hash == n->path_hash)
		return 0;
	int fd = open_existing(&other);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? 0 : errno;
	if (fstat(fd, &st) == 0 && st.st_dev == n->device &&
	    st.st_ino == n->inode && S_ISREG(st.st_mode))
		return append_file_give(f, fd);
	close(fd);
	return 0;
}

static int search(struct append_file *f, const struct append_note *n)
{
	char parent[PATH_MAX];
	const struct dirent *entry;
	if (strlen(f->path) >= sizeof parent)
		return 0;
	memcpy(parent, f->path, strlen(f->path) + 1);
	file_path_parent(parent);
	DIR *dir = opendir(parent);
	int error = dir == NULL ? errno : 0;
	if (dir == NULL)
		return file_is_gone(f->path, error, NULL) ? 0 : error;
	while (error == 0 && f->fd < 0) {
		errno = 0;
		entry = readdir(dir);
		error = errno;
		if (entry == NULL)
			break;
		if (entry->d_ino == n->inode)
			error = try_entry(f, n, entry->d_name);
	}
	closedir(dir);
	return error;
}

int renamed_file_open(struct append_file *f)
{
	const struct append_note *n = find_note(f);
	return n != NULL ? search(f, n) : 0;
}
