/* SPDX-License-Identifier: Apache-2.0 */
#include "file/spill_replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "file/append_file.h"
#include "file/file_lock.h"
#include "file/spill_file.h"

enum { LOCK_WAIT_S = 15, LOCK_PAUSE_MS = 50 };

/* --- reading */

/* Read the chunk and its lines at that place.  False if it is damaged. */
static bool chunk_at(struct span bytes, size_t at, struct spill_chunk *c,
		     struct span *lines)
{
	if (bytes.len - at < sizeof *c)
		return false;
	memcpy(c, bytes.ptr + at, sizeof *c);
	if (c->magic != SPILL_CHUNK_MAGIC || c->bytes == 0 ||
	    c->bytes > bytes.len - at - sizeof *c)
		return false;
	*lines = span_make(bytes.ptr + at + sizeof *c, c->bytes);
	return c->check == spill_chunk_check(c, spill_check(*lines)) &&
	       lines->ptr[lines->len - 1] == '\n';
}

/* The next place after `at` where a chunk may begin, or the end. */
static size_t next_chunk(struct span bytes, size_t at)
{
	const uint32_t magic = SPILL_CHUNK_MAGIC;
	const char *found = memmem(bytes.ptr + at + 1, bytes.len - at - 1,
				   &magic, sizeof magic);
	return found == NULL ? bytes.len : (size_t)(found - bytes.ptr);
}

/* Drop the lines that end before the position, which counts from the beginning
 * of the lines. */
static void skip_written(struct span *lines, size_t position)
{
	const char *end =
		position > 0 ? memrchr(lines->ptr, '\n', position) : NULL;
	size_t skip = end == NULL ? 0 : (size_t)(end + 1 - lines->ptr);
	*lines = span_make(lines->ptr + skip, lines->len - skip);
}

static uint64_t count_lines(struct span lines)
{
	uint64_t count = 0;
	for (size_t i = 0; i < lines.len; i++)
		count += lines.ptr[i] == '\n';
	return count;
}

/* The position, or the first chunk if the state is damaged. */
static uint64_t read_position(struct span bytes, const struct spill_head *head)
{
	struct spill s = {
		.head_check = spill_check(span_make(bytes.ptr, head->bytes))};
	memcpy(&s.state, bytes.ptr + head->bytes, sizeof s.state);
	bool is_good = s.state.magic == SPILL_STATE_MAGIC &&
		       s.state.check == spill_state_check(&s);
	return is_good ? s.state.position_bytes : head->bytes + sizeof s.state;
}

/* --- appending */

/* EBUSY: another writer holds the lock, or has a torn line to complete.
 * ESTALE: the path names another file now. */
static bool is_worth_waiting(int error)
{
	return error == EBUSY || error == ESTALE;
}

/* Begin, and see that the file ends with a whole line. */
static int begin(struct append_file *f)
{
	int error = append_file_begin(f);
	if (error == ESTALE && f->fd >= 0) {
		append_file_end(f);
		append_file_close(f);
	}
	return error != 0 ? error : append_file_tail(f, clock_mono_ns());
}

static int append_lines(struct append_file *f, struct span lines)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * NS_PER_MS};
	int64_t end_ns = clock_mono_ns() + LOCK_WAIT_S * NS_PER_S;
	size_t done = 0;
	int error;
	while (is_worth_waiting(error = begin(f)) && clock_mono_ns() < end_ns) {
		append_file_end(f);
		nanosleep(&pause, NULL);
	}
	if (error == 0)
		error = append_file_write(f, APPEND_LINES, 0, lines, &done);
	append_file_end(f);
	return error;
}

/* Append the lines of each good chunk that are not yet in the file. */
static bool append_chunks(struct append_file *f, struct span bytes,
			  const struct spill_head *head,
			  struct spill_replayed *result, struct err *e)
{
	uint64_t position = read_position(bytes, head);
	size_t at = head->bytes + sizeof(struct spill_state);
	while (at < bytes.len) {
		struct spill_chunk c;
		struct span lines;
		if (!chunk_at(bytes, at, &c, &lines)) {
			size_t next = next_chunk(bytes, at);
			result->damaged_bytes += next - at;
			at = next;
			continue;
		}
		size_t start = at + sizeof c;
		at = start + c.bytes;
		if (position >= at)
			continue;
		if (position > start)
			skip_written(&lines, (size_t)(position - start));
		int error = append_lines(f, lines);
		if (error != 0)
			return err_sys(e, error, "append to %s",
				       result->output_path);
		result->lines += count_lines(lines);
	}
	return true;
}

static bool append_all(struct span bytes, spill_root_fn root, void *data,
		       struct spill_replayed *result, struct err *e)
{
	struct spill_head head;
	if (!spill_read_head(bytes, &head) ||
	    bytes.len < head.bytes + sizeof(struct spill_state))
		return err_set(e, "its head is damaged or of another "
				  "version, so the output file of its lines is "
				  "unknown");
	struct span path = head.output_path;
	result->output_path = mem_copy(path.ptr, path.len);
	struct sink_stats stats = {0};
	struct file_env env = {.lock = file_lock_new(),
			       .stats = &stats,
			       .mkdir = true,
			       .fsync = SINK_FSYNC_BATCH};
	if (root != NULL)
		env.root = span_make(result->output_path, root(data, path));
	struct append_file file;
	append_file_init(&file, result->output_path, &env);
	bool ok = append_chunks(&file, bytes, &head, result, e);
	append_file_close(&file);
	file_lock_free(env.lock);
	return ok;
}

/* Map the file to *bytes; an empty file is no bytes.  False on failure. */
static bool map_file(const char *path, struct span *bytes, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(e, errno, "open %s", path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	*bytes = span_make("", 0);
	void *map = MAP_FAILED;
	if (st.st_size > 0)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
			   0);
	int error = errno;
	close(fd);
	if (st.st_size > 0 && map == MAP_FAILED)
		return err_sys(e, error, "read %s", path);
	if (st.st_size > 0)
		*bytes = span_make(map, (size_t)st.st_size);
	return true;
}

bool spill_replay(const char *path, spill_root_fn root, void *data,
		  struct spill_replayed *result, struct err *e)
{
	struct span bytes;
	*result = (struct spill_replayed){0};
	if (!map_file(path, &bytes, e))
		return false;
	bool ok = append_all(bytes, root, data, result, e) ||
		  err_in(e, "%s", path);
	if (bytes.len > 0)
		munmap((void *)(uintptr_t)bytes.ptr, bytes.len);
	return ok;
}
