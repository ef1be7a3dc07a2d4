/* SPDX-License-Identifier: Apache-2.0 */
#include "output/file_path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRECTORY_MODE = 0755 }; /* as Fluent Bit's Mkdir; the umask applies */

static const char *check_name(struct span name, bool trusted)
{
	if (name.len == 0)
		return "empty";
	if (memchr(name.ptr, '\0', name.len) != NULL)
		return "a NUL in it";
	const char *end = name.ptr + name.len;
	for (const char *at = name.ptr; at < end;) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		struct span part = span_make(
			at, (size_t)((slash != NULL ? slash : end) - at));
		if (part.len > NAME_MAX)
			return "a component is too long";
		if (!trusted && span_equals(part, SPAN("..")))
			return "a '..' in it";
		at += part.len + 1;
	}
	return end[-1] == '/' ? "it ends in '/'" : NULL;
}

const char *file_path_make(struct span root, struct span name, bool trusted,
			   char out[static PATH_MAX])
{
	const char *wrong = check_name(name, trusted);
	if (wrong != NULL)
		return wrong;
	if (root.len + name.len > PATH_MAX - 1)
		return "too long";
	if (root.len > 0)
		memcpy(out, root.ptr, root.len);
	memcpy(out + root.len, name.ptr, name.len);
	out[root.len + name.len] = '\0';
	return NULL;
}

/* "/a/b" "/a" "a/b" "a" become "/a" "/" "a" "." */
static void to_parent(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash == NULL)
		memcpy(path, ".", 2);
	else if (slash == path)
		path[1] = '\0';
	else
		*slash = '\0';
}

static int can_write(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) < 0 ? errno : 0;
}

int file_path_make_parents(const char *path)
{
	char copy[PATH_MAX];
	size_t len = strlen(path);
	if (len >= sizeof copy)
		return ENAMETOOLONG;
	memcpy(copy, path, len + 1);
	int error = 0;
	for (char *at = copy + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		/* All are tried: some file systems answer otherwise than with
		 * EEXIST for one that is there. */
		if (mkdir(copy, DIRECTORY_MODE) == 0 || errno == EEXIST)
			error = 0;
		else if (error == 0)
			error = errno;
		*at = '/';
	}
	return error;
}

int file_path_try(const char *path, bool may_make)
{
	char dir[PATH_MAX];
	struct stat st;
	size_t len = strlen(path);
	if (len >= sizeof dir)
		return ENAMETOOLONG;
	memcpy(dir, path, len + 1);
	if (path[len - 1] != '/' && stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? EISDIR : can_write(path, W_OK);
	for (to_parent(dir); stat(dir, &st) < 0; to_parent(dir))
		if (errno != ENOENT || !may_make)
			return errno;
	return S_ISDIR(st.st_mode) ? can_write(dir, W_OK | X_OK) : ENOTDIR;
}
