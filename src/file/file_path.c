/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"

enum { /* as Fluent Bit's; the umask applies */
       DIRECTORY_MODE = 0755,
       FILE_MODE = 0666,
};

static const char *check_name(struct span name, bool trusted)
{
	if (name.len == 0)
		return "it is empty";
	if (memchr(name.ptr, '\0', name.len) != NULL)
		return "it contains a NUL";
	const char *end = name.ptr + name.len;
	for (const char *at = name.ptr; at < end;) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		struct span part = span_make(
			at, (size_t)((slash != NULL ? slash : end) - at));
		if (part.len > NAME_MAX)
			return "a component is too long";
		if (!trusted && span_equals(part, SPAN("..")))
			return "it contains '..'";
		at += part.len + 1;
	}
	return end[-1] == '/' ? "it ends with '/'" : NULL;
}

const char *file_path_make(struct span root, struct span name, bool trusted,
			   char out[static PATH_MAX])
{
	const char *wrong = check_name(name, trusted);
	if (wrong != NULL)
		return wrong;
	if (root.len + name.len > PATH_MAX - 1)
		return "it is too long";
	if (root.len > 0)
		memcpy(out, root.ptr, root.len);
	memcpy(out + root.len, name.ptr, name.len);
	out[root.len + name.len] = '\0';
	return NULL;
}

static bool is_harmless(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '-';
}

static void put_sanitized(struct buf *out, struct span part)
{
	if (out->len > 0)
		buf_put_char(out, '/');
	if (span_equals(part, SPAN(".")) || span_equals(part, SPAN(".."))) {
		buf_put_char(out, '_');
		return;
	}
	for (size_t i = 0; i < part.len; i++)
		buf_put_char(out, is_harmless(part.ptr[i]) ? part.ptr[i] : '_');
}

void file_path_sanitize(struct span tag, struct buf *out)
{
	buf_clear(out);
	for (size_t at = 0; at < tag.len;) {
		size_t end = at;
		while (end < tag.len && tag.ptr[end] != '/' &&
		       tag.ptr[end] != '\\')
			end++;
		if (end > at)
			put_sanitized(out, span_make(tag.ptr + at, end - at));
		at = end + 1;
	}
	if (out->len == 0)
		buf_put_char(out, '_');
}

void file_path_parent(char *path)
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

size_t file_path_root(char *const *roots, struct span path)
{
	size_t longest = 0;
	for (; roots != NULL && *roots != NULL; roots++) {
		size_t len = strlen(*roots);
		if (len > longest && path.len > len &&
		    memcmp(path.ptr, *roots, len) == 0)
			longest = len;
	}
	return longest;
}

static int open_below(const char *path, size_t root_bytes, int flags)
{
	char root[PATH_MAX];
	if (root_bytes >= sizeof root) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(root, path, root_bytes);
	root[root_bytes] = '\0';
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	const struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) != 0 ? FILE_MODE : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir, path + root_bytes, &how,
			      sizeof how);
	int error = errno;
	close(dir);
	errno = error;
	return fd;
}

int file_path_open(const char *path, size_t root_bytes, int flags)
{
	if (root_bytes > 0) {
		int fd = open_below(path, root_bytes, flags);
		/* The seccomp filter of an old container runtime returns EPERM
		 * for system calls that it does not know. */
		if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
			return fd;
	}
	return open(path, flags | O_CLOEXEC, FILE_MODE);
}

/* mkdirat() does not follow the last component, so only the path to it has to
 * be confined. */
static int make_below(char *path, size_t root_bytes)
{
	char *name = strrchr(path, '/') + 1;
	char first = *name;
	if ((size_t)(name - path) <= root_bytes)
		return mkdir(path, DIRECTORY_MODE) < 0 ? errno : 0;
	*name = '\0';
	int dir = file_path_open(path, root_bytes, O_PATH | O_DIRECTORY);
	*name = first;
	if (dir < 0)
		return errno;
	int error = mkdirat(dir, name, DIRECTORY_MODE) < 0 ? errno : 0;
	close(dir);
	return error;
}

static int make_one(char *path, size_t root_bytes)
{
	if (root_bytes > 0 && strlen(path) > root_bytes)
		return make_below(path, root_bytes);
	return mkdir(path, DIRECTORY_MODE) < 0 ? errno : 0;
}

int file_path_make_parents(const char *path, size_t root_bytes)
{
	char copy[PATH_MAX];
	size_t len = strlen(path);
	if (len >= sizeof copy)
		return ENAMETOOLONG;
	memcpy(copy, path, len + 1);
	int error = 0;
	for (char *at = copy + 1; (at = strchr(at, '/')) != NULL; at++) {
		if (at[-1] == '/') /* two slashes in a row */
			continue;
		*at = '\0';
		/* After an error, try the directories below, too: for a
		 * directory that exists, some file systems return another
		 * error than EEXIST. */
		int its_error = make_one(copy, root_bytes);
		if (its_error == 0 || its_error == EEXIST)
			error = 0;
		else if (error == 0)
			error = its_error;
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
	for (file_path_parent(dir); stat(dir, &st) < 0; file_path_parent(dir))
		if (errno != ENOENT || !may_make)
			return errno;
	return S_ISDIR(st.st_mode) ? can_write(dir, W_OK | X_OK) : ENOTDIR;
}
