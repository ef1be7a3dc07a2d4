/* SPDX-License-Identifier: Apache-2.0 */
#include "file/append_tail.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "file/append_file.h"
#include "file/own_note.h"

static int close_line(struct append_file *f, const char *whose)
{
	char room[LOG_QUOTED_BYTES];
	if (write(f->fd, "\n", 1) != 1)
		return errno;
	f->size_bytes++;
	f->end_bytes = f->size_bytes;
	f->is_torn = false;
	f->is_dirty = true;
	f->foreign_since_ns = 0;
	log_rated(&f->env->tail_rate, LOG_WARN, "file_sink",
		  "path=%s err=\"%s left an incomplete line\" "
		  "action=\"ended the line with a newline\"",
		  log_quoted(span_of(f->path), room), whose);
	return 0;
}

/* The head belongs to no batch and is not noted.  It is written only to an
 * empty file, so a restart does not write it twice.  If only a part of it could
 * be written, the part is removed. */
static int write_head(struct append_file *f)
{
	struct sink_stats *stats = f->env->stats;
	ssize_t n = write(f->fd, f->head.ptr, f->head.len);
	if (n < 0)
		return errno;
	if ((size_t)n < f->head.len)
		return ftruncate(f->fd, 0) < 0 ? errno : ENOSPC;
	f->size_bytes = f->end_bytes = (uint64_t)n;
	f->is_torn = false;
	f->is_dirty = true;
	stats->writes_total++;
	stats->bytes_written_total += (uint64_t)n;
	return 0;
}

bool append_file_is_as_left(const struct append_file *f)
{
	return !f->is_regular || f->size_bytes == f->end_bytes;
}

bool append_file_has_foreign_tail(const struct append_file *f)
{
	return f->foreign_since_ns != 0;
}

/* A user who can write in the directory can make any number of files that end
 * with a torn line.  The other processes that write the output's files have the
 * user of this one, and so have the files that they create. */
static bool may_be_completed(const struct append_file *f)
{
	struct stat st;
	return !f->is_urgent ||
	       (fstat(f->fd, &st) == 0 && st.st_uid == geteuid());
}

int append_file_tail(struct append_file *f, int64_t now_ns)
{
	char last = '\n';
	if (!f->is_regular)
		return 0;
	if (f->size_bytes == 0 && f->head.len > 0)
		return write_head(f);
	if (f->size_bytes == f->end_bytes)
		return f->is_torn ? close_line(f, "a failed write") : 0;
	if (f->can_read && f->size_bytes > 0 &&
	    pread(f->fd, &last, 1, (off_t)f->size_bytes - 1) < 0)
		return errno;
	if (last == '\n') {
		f->foreign_since_ns = 0;
		return 0;
	}
	if (f->foreign_since_ns == 0 && own_note_tore(f))
		return close_line(f, "the previous process");
	if (f->foreign_since_ns == 0)
		f->foreign_since_ns = now_ns;
	bool is_new = now_ns - f->foreign_since_ns < FOREIGN_TAIL_S * NS_PER_S;
	return is_new && may_be_completed(f) ? EBUSY
					     : close_line(f, "another process");
}
