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
#include "file/file_lock.h"

enum { /* as Fluent Bit's; the umask applies */
       DIRECTORY_MODE = 0755,
       FILE_MODE = 0666,
};

/* Takes the first component off the path.  It may be empty. */
static struct span take_component(struct span *path)
{
	const char *slash = memchr(path->ptr, '/', path->len);
	size_t len = slash != NULL ? (size_t)(slash - path->ptr) : path->len;
	size_t taken = len < path->len ? len + 1 : len;
	struct span part = span_make(path->ptr, len);
	*path = span_make(path->ptr + taken, path->len - taken);
	return part;
}

static bool is_nothing(struct span part)
{
	return part.len == 0 || span_equals(part, SPAN("."));
}

static const char *check_component(struct span part, bool trusted)
{
	if (part.len > NAME_MAX)
		return "a component is too long";
	if (!trusted && span_equals(part, SPAN("..")))
		return "it contains '..'";
	if (span_equals(part, SPAN(FILE_LOCK_DIR)))
		return "it contains '" FILE_LOCK_DIR "', where the locks are";
	return NULL;
}

static const char *check_name(struct span name, bool trusted)
{
	if (name.len == 0)
		return "it is empty";
	if (memchr(name.ptr, '\0', name.len) != NULL)
		return "it contains a NUL";
	const char *wrong = NULL;
	struct span last = SPAN("");
	size_t count = 0;
	for (struct span rest = name; wrong == NULL && rest.len > 0;) {
		last = take_component(&rest);
		wrong = check_component(last, trusted);
		count += !is_nothing(last);
	}
	if (wrong != NULL)
		return wrong;
	if (name.ptr[name.len - 1] == '/')
		return "it ends with '/'";
	if (is_nothing(last) || span_equals(last, SPAN("..")))
		return "its last component is '.' or '..'";
	if (!trusted && count > FILE_PATH_COMPONENTS_MAX)
		return "it has too many components";
	return NULL;
}

bool file_path_is_private(struct span path)
{
	while (path.len > 0)
		if (span_equals(take_component(&path), SPAN(FILE_LOCK_DIR)))
			return true;
	return false;
}

size_t file_path_clean(struct span path, char *out)
{
	size_t len = 0;
	bool is_first = true;
	if (path.len > 0 && path.ptr[0] == '/')
		out[len++] = '/';
	while (path.len > 0) {
		struct span part = take_component(&path);
		if (is_nothing(part))
			continue;
		if (!is_first)
			out[len++] = '/';
		is_first = false;
		memmove(out + len, part.ptr, part.len);
		len += part.len;
	}
	return len;
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
	size_t len = file_path_clean(name, out + root.len);
	out[root.len + len] = '\0';
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

enum sink_writes file_path_writes(struct span root, const char *fixed,
				  struct span path)
{
	if (path.len < root.len ||
	    !span_equals(span_make(path.ptr, root.len), root))
		return SINK_WRITES_NOT;
	if (fixed == NULL)
		return SINK_MAY_WRITE;
	struct span name = span_make(path.ptr + root.len, path.len - root.len);
	return span_equals(name, span_of(fixed)) ? SINK_WRITES_ONLY
						 : SINK_WRITES_NOT;
}

bool file_path_is_confined(struct span root, const char *file)
{
	static const char *const systems[] = {"/dev/", "/dev/fd/",
					      "/proc/self/fd/"};
	if (root.len <= 1 || file == NULL)
		return root.len > 1;
	for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
		if (span_equals(root, span_of(systems[i])))
			return false;
	return strncmp(file, "../", 3) != 0 && strstr(file, "/../") == NULL;
}

struct span file_path_fixed_root(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash + 1 - path);
	struct span root = span_make(path, len);
	return file_path_is_confined(root, path) ? root : span_make(NULL, 0);
}

static void close_keeping_errno(int fd)
{
	int error = errno;
	close(fd);
	errno = error;
}

static int open_below(int dir, const char *path, int flags)
{
	const struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) != 0 ? FILE_MODE : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

/* Has openat2() failed because it does not exist here?  Kernels older than 5.6
 * return ENOSYS, and the seccomp filter of an old container runtime returns
 * EPERM for system calls that it does not know.  But opening an immutable file
 * fails with EPERM, too, so another call decides. */
static bool is_openat2_missing(int dir)
{
	int error = errno;
	if (error != ENOSYS && error != EPERM)
		return false;
	int fd = open_below(dir, ".", O_PATH);
	if (fd < 0)
		return true;
	close(fd);
	errno = error;
	return false;
}

static int open_component(int dir, const char *name, int flags)
{
	struct stat st;
	if (strcmp(name, "..") == 0) {
		errno = EXDEV;
		return -1;
	}
	int fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	/* O_PATH opens a symbolic link itself. */
	if (fd >= 0 && (flags & O_PATH) != 0 &&
	    (fstat(fd, &st) < 0 || S_ISLNK(st.st_mode))) {
		close(fd);
		errno = ELOOP;
		return -1;
	}
	return fd;
}

/* Open the path below `dir` without openat2(): follow no symbolic link.  Closes
 * `dir` and overwrites the path. */
static int walk(int dir, char *path, int flags)
{
	for (bool is_last = false; dir >= 0 && !is_last;) {
		char *end = strchrnul(path, '/');
		is_last = end[0] == '\0' || end[1] == '\0';
		*end = '\0';
		int fd = open_component(dir, path, is_last ? flags : O_PATH);
		close_keeping_errno(dir);
		dir = fd;
		path = end + 1;
	}
	return dir;
}

int file_path_open(const char *path, size_t root_bytes, int flags)
{
	char copy[PATH_MAX];
	size_t len = strlen(path);
	if (root_bytes == 0)
		return open(path, flags | O_CLOEXEC, FILE_MODE);
	if (len >= sizeof copy) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(copy, path, len + 1);
	copy[root_bytes] = '\0';
	int dir = open(copy, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	copy[root_bytes] = path[root_bytes];
	int fd = open_below(dir, copy + root_bytes, flags);
	if (fd < 0 && is_openat2_missing(dir))
		return walk(dir, copy + root_bytes, flags);
	close_keeping_errno(dir);
	return fd;
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
	int dir = file_path_open(path, root_bytes, O_PATH);
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

/* Returns 0 or an errno. */
static int look_at(const char *path, size_t root_bytes, struct stat *st)
{
	size_t confined = strlen(path) > root_bytes ? root_bytes : 0;
	int fd = file_path_open(path, confined, O_PATH);
	if (fd < 0)
		return errno;
	int error = fstat(fd, st) < 0 ? errno : 0;
	close(fd);
	return error;
}

int file_path_try(const char *path, size_t root_bytes, bool may_make)
{
	char dir[PATH_MAX];
	struct stat st;
	size_t len = strlen(path);
	if (len >= sizeof dir)
		return ENAMETOOLONG;
	memcpy(dir, path, len + 1);
	int error =
		path[len - 1] == '/' ? ENOENT : look_at(path, root_bytes, &st);
	if (error == 0)
		return S_ISDIR(st.st_mode) ? EISDIR : can_write(path, W_OK);
	for (bool goes_on = true; error == ENOENT && goes_on;
	     goes_on = may_make) {
		file_path_parent(dir);
		error = look_at(dir, root_bytes, &st);
	}
	if (error != 0)
		return error;
	return S_ISDIR(st.st_mode) ? can_write(dir, W_OK | X_OK) : ENOTDIR;
}
