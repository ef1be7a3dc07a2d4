/* SPDX-License-Identifier: Apache-2.0 */
#include "file/append_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "file/disk_probe.h"
#include "file/file_gone.h"
#include "file/file_lock.h"
#include "file/file_path.h"
#include "file/own_note.h"

#define UNKNOWN_BYTES UINT64_MAX

enum {
	PIECE_BYTES = 16 * 1024,
};

/* --- opening */

size_t append_file_root_bytes(const struct append_file *f)
{
	struct span root = f->env->root;
	if (root.len > 0 && strncmp(f->path, root.ptr, root.len) == 0)
		return root.len;
	return file_path_root(f->env->tag_roots, span_of(f->path));
}

static int open_confined(const struct append_file *f, int flags)
{
	return file_path_open(f->path, append_file_root_bytes(f), flags);
}

/* O_RDWR, which reading the file needs, is used only for regular files: it
 * would keep a FIFO open that nobody reads.  O_NONBLOCK has no effect on a
 * file; without it, opening such a FIFO would block the thread forever. */
static int open_path(struct append_file *f, int *fd)
{
	const int flags = O_APPEND | O_CREAT | O_NONBLOCK;
	struct stat st;
	bool is_there = stat(f->path, &st) == 0;
	f->is_new = f->is_new || !is_there;
	f->can_read = !is_there || S_ISREG(st.st_mode);
	*fd = open_confined(f, flags | (f->can_read ? O_RDWR : O_WRONLY));
	if (*fd < 0 && errno == EACCES && f->can_read) {
		f->can_read = false;
		*fd = open_confined(f, flags | O_WRONLY);
	}
	return *fd < 0 ? errno : 0;
}

/* If this is the file that was open before, the facts known about its end stay
 * valid. */
static void take(struct append_file *f, int fd, const struct stat *st)
{
	if (st->st_dev != f->device || st->st_ino != f->inode) {
		f->device = st->st_dev;
		f->inode = st->st_ino;
		f->end_bytes = UNKNOWN_BYTES;
		f->is_torn = false;
		f->foreign_since_ns = 0;
	}
	f->fd = fd;
	f->kernel_name = 0;
	f->is_regular = S_ISREG(st->st_mode);
	f->size_bytes = (uint64_t)st->st_size;
	f->env->stats->files_open++;
}

static int open_file(struct append_file *f)
{
	int fd;
	int error = open_path(f, &fd);
	if (error == ENOENT && f->env->mkdir) {
		error = file_path_make_parents(f->path,
					       append_file_root_bytes(f));
		if (error == 0)
			error = open_path(f, &fd);
	}
	if (error != 0)
		return error;
	struct stat st;
	if (fstat(fd, &st) < 0) {
		error = errno;
		close(fd);
		return error;
	}
	take(f, fd, &st);
	return 0;
}

/* The directory with the lock file.  All processes with the same configuration
 * that write the file choose the same directory. */
static struct span lock_dir(const struct append_file *f)
{
	const char *slash = strrchr(f->path, '/');
	struct span path = f->env->lock_root;
	if (path.len > 0 && strncmp(f->path, path.ptr, path.len) == 0)
		return path;
	if (append_file_root_bytes(f) > 0)
		return span_make(f->path, append_file_root_bytes(f));
	return slash != NULL ? span_make(f->path, (size_t)(slash + 1 - f->path))
			     : SPAN(".");
}

/* Every process holds the lock for one write only. */
static int lock(const struct append_file *f)
{
	if (!f->is_regular || f->env->lock == NULL)
		return 0;
	return file_lock_take(f->env->lock, lock_dir(f), f->inode);
}

static bool was_renamed(const struct append_file *f)
{
	return file_was_renamed(f->fd, f->kernel_name, f->device, f->inode);
}

/* Returns ESTALE if the path certainly names another file or none.  If the
 * directory can no longer be searched, the open file can still be written: the
 * result is 0. */
static int measure(struct append_file *f)
{
	struct stat st;
	int error = stat(f->path, &st) < 0 ? errno : 0;
	bool is_same =
		error == 0 && st.st_dev == f->device && st.st_ino == f->inode;
	if (!is_same && fstat(f->fd, &st) < 0)
		return errno;
	f->size_bytes = (uint64_t)st.st_size;
	if (is_same && f->kernel_name == 0)
		f->kernel_name = file_kernel_name(f->fd);
	if (error == 0)
		return is_same ? 0 : ESTALE;
	if (error != ENOENT && error != ENOTDIR)
		return 0;
	bool is_gone = st.st_nlink == 0 || was_renamed(f) ||
		       file_is_gone(f->path, error, &f->env->listing);
	return is_gone ? ESTALE : error;
}

static uint16_t hash_path(const char *path)
{
	uint16_t hash = (uint16_t)hash_fnv1a(HASH_FNV1A_BEGIN, span_of(path));
	return hash != 0 ? hash : 1;
}

void append_file_init(struct append_file *f, const char *path,
		      struct file_env *env)
{
	*f = (struct append_file){
		.env = env,
		.path = path,
		.path_hash = hash_path(path),
		.fd = -1,
		.end_bytes = UNKNOWN_BYTES,
	};
}

void append_file_committed(struct append_file *f)
{
	f->empty_note = 0;
}

int append_file_begin(struct append_file *f)
{
	f->failed_bytes = 0;
	int error = f->fd < 0 ? open_file(f) : 0;
	if (error == 0)
		error = lock(f);
	return error != 0 ? error : measure(f);
}

int append_file_give(struct append_file *f, int fd)
{
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		int error = errno;
		if (fd >= 0)
			close(fd);
		return error;
	}
	f->can_read = true;
	take(f, fd, &st);
	return 0;
}

bool append_file_peek(struct append_file *f)
{
	struct stat st;
	if (f->fd >= 0 && f->can_read) {
		if (fstat(f->fd, &st) < 0)
			return false;
		f->size_bytes = (uint64_t)st.st_size;
		return true;
	}
	append_file_close(f);
	int fd = open_confined(f, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return false;
	}
	f->can_read = true;
	take(f, fd, &st);
	return true;
}

/* A device file, such as /dev/full, shares no disk with other files.  A file in
 * the working directory is seldom meant, and that is often read-only: the other
 * files of the output are elsewhere. */
bool append_file_probe(const struct append_file *f, int error)
{
	bool is_device = f->fd >= 0 && !f->is_regular;
	bool is_stray = f->fd < 0 && f->path[0] != '/' && error == EROFS;
	if (is_device || is_stray)
		return true;
	return disk_probe(f->path, append_file_root_bytes(f), error,
			  f->failed_bytes);
}

void append_file_end(struct append_file *f)
{
	if (f->fd < 0)
		return;
	if (f->env->lock != NULL)
		file_lock_release(f->env->lock);
	if (f->env->fsync == SINK_FSYNC_BATCH)
		append_file_sync(f);
	write_back_check(f);
}

void append_file_close(struct append_file *f)
{
	if (f->fd < 0)
		return;
	append_file_sync(f);
	write_back_forget(f);
	close(f->fd);
	f->fd = -1;
	f->env->stats->files_open--;
}

/* --- bytes that are in the file already */

const struct append_note *append_file_noted(const struct append_file *f,
					    enum append_kind kind)
{
	return f->is_regular ? own_note_last(f, kind) : NULL;
}

bool append_file_has_note(const struct append_file *f)
{
	const struct append_note *n = NULL;
	struct stat st;
	if (own_note_next(f->env, NULL) == NULL)
		return false;
	if (stat(f->path, &st) < 0)
		return !file_is_gone(f->path, errno, NULL);
	while ((n = own_note_next(f->env, n)) != NULL)
		if (n->device == st.st_dev && n->inode == st.st_ino)
			return true;
	return false;
}

/* Count how many of the bytes are in the file at the offset.  Returns 0 or an
 * errno. */
static int count_common(const struct append_file *f, uint64_t offset,
			struct span bytes, size_t *count)
{
	char piece[PIECE_BYTES];
	size_t common = *count = 0;
	while (common < bytes.len) {
		size_t left = bytes.len - common;
		ssize_t n = pread(f->fd, piece,
				  left < sizeof piece ? left : sizeof piece,
				  (off_t)(offset + common));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		size_t same = 0;
		while (same < (size_t)n &&
		       piece[same] == bytes.ptr[common + same])
			same++;
		common += same;
		if (n == 0 || same < (size_t)n)
			break;
	}
	*count = common;
	return 0;
}

/* Bytes before the note's offset are gone.  Somebody may have copied them, so
 * lines of the batch may be in the copy and be written again. */
static void log_truncated(const struct append_file *f)
{
	char room[LOG_QUOTED_BYTES];
	log_rated(&f->env->changed_rate, LOG_WARN, "file_sink",
		  "path=%s err=\"the file is shorter than before the restart\" "
		  "action=\"writing all lines of the batch; some may be in a "
		  "copy of the file\"",
		  log_quoted(span_of(f->path), room));
}

int append_file_found(struct append_file *f, const struct append_note *n,
		      struct span bytes, size_t skip, size_t *count)
{
	*count = 0;
	if (!f->can_read)
		return EACCES;
	bool is_truncated = f->size_bytes < n->offset_bytes;
	if (is_truncated && skip + n->length_bytes > 0)
		log_truncated(f);
	if (bytes.len < skip || is_truncated)
		return 0;
	uint64_t room = f->size_bytes - n->offset_bytes;
	size_t most = bytes.len - skip;
	if (most > n->length_bytes)
		most = (size_t)n->length_bytes;
	if (most > room)
		most = (size_t)room;
	size_t common;
	int error = count_common(f, n->offset_bytes,
				 span_make(bytes.ptr + skip, most), &common);
	if (error != 0)
		return error;
	size_t found = skip + common;
	bool is_torn = found > 0 && bytes.ptr[found - 1] != '\n';
	if (common == room) {
		f->end_bytes = f->size_bytes;
		f->is_torn = is_torn;
	} else if (is_torn) { /* another process ended the line: write it
	                       * again */
		const char *end = memrchr(bytes.ptr, '\n', found);
		found = end == NULL ? 0 : (size_t)(end + 1 - bytes.ptr);
	}
	*count = found;
	return 0;
}

/* --- writing */

static size_t earlier_bytes(int64_t skip)
{
	return skip < 0 ? (size_t)-skip : 0;
}

static size_t length_of(const struct append_bytes *b)
{
	return b->header.len + b->bytes.len;
}

/* Returns the note's place, or 0. */
static uint32_t note(struct append_file *f, const struct append_bytes *b)
{
	const struct append_notes *notes = f->env->notes;
	size_t before = earlier_bytes(b->skip), length = length_of(b);
	if (notes == NULL || !f->is_regular || length <= before)
		return 0;
	struct append_note n = {
		.device = f->device,
		.inode = f->inode,
		.offset_bytes = f->size_bytes + before,
		.skip_bytes = b->skip < 0 ? 0 : (uint64_t)b->skip,
		.length_bytes = (uint32_t)(length - before),
		.skip_hash = b->kind == APPEND_LINES && b->skip > 0
				     ? f->skip_hash
				     : 0,
		.kind = (uint16_t)b->kind,
		.path_hash = f->path_hash,
		.sink = f->env->sink,
	};
	return notes->note(notes->data, &n, f->empty_note);
}

/* The lock is still held, so no other process has appended since. */
static void note_failed(struct append_file *f, uint32_t place, int64_t skip,
			size_t done)
{
	const struct append_notes *notes = f->env->notes;
	size_t before = earlier_bytes(skip);
	size_t length = done > before ? done - before : 0;
	if (place != 0)
		notes->failed(notes->data, place, (uint32_t)length);
	f->empty_note = length == 0 ? place : 0;
}

/* Write from the offset `done` on.  Lines may take 24 MiB, so they are not
 * copied to follow the header. */
static ssize_t write_from(const struct append_file *f,
			  const struct append_bytes *b, size_t done)
{
	size_t at = b->header.len;
	if (done >= at)
		return write(f->fd, b->bytes.ptr + (done - at),
			     b->bytes.len - (done - at));
	const struct iovec parts[] = {
		{(char *)b->header.ptr + done, at - done},
		{(char *)b->bytes.ptr, b->bytes.len},
	};
	return writev(f->fd, parts, 2);
}

int append_file_write(struct append_file *f, const struct append_bytes *b,
		      size_t *done)
{
	struct sink_stats *stats = f->env->stats;
	size_t length = length_of(b), at = b->header.len;
	int error = 0;
	*done = 0;
	uint32_t place = note(f, b);
	f->empty_note = 0;
	while (error == 0 && *done < length) {
		ssize_t n = write_from(f, b, *done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			error = n < 0 ? errno : EIO;
			break;
		}
		*done += (size_t)n;
		stats->writes_total++;
		stats->bytes_written_total += (uint64_t)n;
	}
	if (*done > 0) {
		f->size_bytes += *done;
		write_back_wrote(f, *done);
		f->end_bytes = f->size_bytes;
		f->is_torn =
			*done <= at || b->bytes.ptr[*done - at - 1] != '\n';
		f->is_dirty = true;
	}
	f->failed_bytes = length - *done;
	if (error != 0)
		note_failed(f, place, b->skip, *done);
	return error;
}

static int sync_parent(const char *path)
{
	char dir[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - path);
	if (slash == path)
		len = 1;
	if (len > 0)
		memcpy(dir, path, len);
	if (len > 0)
		dir[len] = '\0';
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int error = fsync(fd) < 0 ? errno : 0;
	close(fd);
	return error;
}

/* After a failed fdatasync() the kernel may have dropped the pages.  A second
 * call would succeed although they are not on the disk. */
void append_file_sync(struct append_file *f)
{
	if (f->env->fsync == SINK_FSYNC_NEVER || f->fd < 0 || !f->is_dirty ||
	    !f->is_regular)
		return;
	int error = fdatasync(f->fd) < 0 ? errno : 0;
	if (error == 0 && f->is_new)
		error = sync_parent(f->path);
	f->is_dirty = false;
	f->is_new = false;
	f->env->stats->fsyncs_total++;
	if (error == 0)
		return;
	char room[LOG_QUOTED_BYTES];
	f->env->stats->errors_total++;
	log_rated(
		&f->env->sync_rate, LOG_ERROR, "file_sink",
		"path=%s err=\"sync: %s\" action=\"continuing; a power cut may "
		"cost the last lines\"",
		log_quoted(span_of(f->path), room), strerror(error));
}
