/* SPDX-License-Identifier: Apache-2.0 */
#include "file/write_back.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "file/append_file.h"

enum {
	PAGE_BYTES = 4096,
	PIECE_BYTES = 256 * 1024,
	PART_OF_LIMIT = 16, /* started; as much again may be dirty */
};

struct write_back {
	struct append_file *files;
	uint64_t start_pages;
	uint64_t pages; /* written since the last start */
	const atomic_bool *is_time_up;
	bool has_ended;
};

struct write_back *write_back_new(int64_t memory_bytes,
				  const atomic_bool *is_time_up)
{
	if (memory_bytes == 0)
		return NULL;
	struct write_back *w = mem_new(1, sizeof *w);
	w->start_pages = (uint64_t)memory_bytes / PART_OF_LIMIT / PAGE_BYTES;
	w->is_time_up = is_time_up;
	return w;
}

void write_back_free(struct write_back *w)
{
	free(w);
}

void write_back_end(struct write_back *w)
{
	if (w != NULL)
		w->has_ended = true;
}

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

void write_back_wrote(struct append_file *f, size_t bytes)
{
	struct write_back *w = f->env->write_back;
	struct write_back_file *b = &f->write_back;
	if (w == NULL || !f->is_regular)
		return;
	uint64_t at = f->size_bytes - bytes;
	w->pages += pages_of(f->size_bytes) - pages_of(at);
	if (b->link == NULL) {
		b->started_bytes = b->dirty_bytes = at;
		b->next = w->files;
		b->link = &w->files;
		w->files = f;
		if (b->next != NULL)
			b->next->write_back.link = &b->next;
	}
	if (at < b->dirty_bytes) /* the file was truncated */
		b->started_bytes = b->dirty_bytes = at;
	b->end_bytes = f->size_bytes;
}

static void unlist(struct append_file *f)
{
	struct write_back_file *b = &f->write_back;
	*b->link = b->next;
	if (b->next != NULL)
		b->next->write_back.link = b->link;
	b->link = NULL;
}

/* Not each system or file system can do this.  After any other error, the
 * kernel may drop the bytes: it does not try again. */
static void log_error(const struct append_file *f, int error)
{
	char room[LOG_QUOTED_BYTES];
	if (error == ENOSYS || error == EINVAL || error == ESPIPE ||
	    error == EOPNOTSUPP || error == EPERM)
		return;
	f->env->stats->errors_total++;
	log_rated(
		&f->env->sync_rate, LOG_ERROR, "file_sink",
		"path=%s err=\"write-back: %s\" action=\"continuing; the file "
		"may lack lines on the disk\"",
		log_quoted(span_of(f->path), room), strerror(error));
}

static bool is_over(const struct write_back *w)
{
	return w->has_ended || atomic_load(w->is_time_up);
}

/* One call ends only when all its bytes are on the disk, so the range is split
 * into pieces.  Each piece counts as an answer of the disk: if it is only slow,
 * the watchdog must not report that it hangs. */
static void sync_range(const struct append_file *f, uint64_t at, uint64_t end,
		       unsigned how)
{
	while (at < end && !is_over(f->env->write_back)) {
		uint64_t left = end - at;
		uint64_t bytes = left < PIECE_BYTES ? left : PIECE_BYTES;
		if (sync_file_range(f->fd, (off_t)at, (off_t)bytes, how) < 0)
			log_error(f, errno);
		at += bytes;
		if (f->env->answers != NULL)
			atomic_fetch_add_explicit(f->env->answers, 1,
						  memory_order_relaxed);
	}
}

static void await(struct append_file *f)
{
	struct write_back_file *b = &f->write_back;
	sync_range(f, b->started_bytes, b->dirty_bytes,
		   SYNC_FILE_RANGE_WAIT_BEFORE);
	b->started_bytes = b->dirty_bytes;
}

/* On overlayfs, sync_file_range() succeeds without doing anything. */
static bool has_ranges(const struct append_file *f)
{
	struct statfs fs;
	return fstatfs(f->fd, &fs) != 0 || fs.f_type != OVERLAYFS_SUPER_MAGIC;
}

static void sync_whole(struct append_file *f)
{
	if (!is_over(f->env->write_back) && fdatasync(f->fd) < 0)
		log_error(f, errno);
	unlist(f);
}

/* The last page will be written again, so it is left out.  On some disks, that
 * write would have to wait until the page is on the disk. */
static void start(struct append_file *f)
{
	struct write_back_file *b = &f->write_back;
	if (!has_ranges(f)) {
		sync_whole(f);
		return;
	}
	uint64_t end = b->end_bytes - b->end_bytes % PAGE_BYTES;
	if (end <= b->dirty_bytes)
		end = b->end_bytes;
	if (end == b->dirty_bytes) {
		unlist(f);
		return;
	}
	b->started_bytes = b->dirty_bytes;
	b->dirty_bytes = end;
	sync_range(f, b->started_bytes, end, SYNC_FILE_RANGE_WRITE);
}

void write_back_check(const struct append_file *last)
{
	struct write_back *w = last->env->write_back;
	if (w == NULL || w->pages < w->start_pages)
		return;
	w->pages = 0;
	for (struct append_file *f = w->files; f != NULL;
	     f = f->write_back.next)
		await(f);
	for (struct append_file *f = w->files, *next; f != NULL; f = next) {
		next = f->write_back.next;
		start(f);
	}
}

void write_back_forget(struct append_file *f)
{
	if (f->write_back.link == NULL)
		return;
	await(f);
	unlist(f);
}
