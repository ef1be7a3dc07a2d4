/* SPDX-License-Identifier: Apache-2.0 */
#include "process/spills_left.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "file/spill_move.h"
#include "journal/journal_file.h"
#include "process/journal_left.h"

static const char *dir_of(const char *journal, struct buf *dir)
{
	buf_printf(dir, "%s.spill", journal);
	return buf_text(dir);
}

/* `why` is why the worker has not moved them. */
static void report(const char *module, const char *journal,
		   const struct spill_rest *rest, const char *why)
{
	struct buf dir = {0};
	log_line(
		LOG_ERROR, module,
		"path=\"%s\" err=\"%" PRIu64 " spilled lines wait beside a "
		"journal that the configuration no longer names%s\" "
		"files=%" PRIu64 " unread=%" PRIu64
		" action=\"reload or start sluiced with storage.path=%s, which "
		"writes each line once; if no messages wait in that journal, "
		"sluiced replay FILE -c CONFIG with each .spill file in path "
		"does the same\"",
		dir_of(journal, &dir), rest->lines, why, rest->files,
		rest->unread, journal);
	buf_fini(&dir);
}

static bool has_rest(const char *journal, struct spill_rest *rest)
{
	struct buf dir = {0};
	bool has = spill_rest_of(dir_of(journal, &dir), rest);
	buf_fini(&dir);
	return has;
}

/* --- in the supervisor */

static void forget(struct spills_left *l, size_t i)
{
	free(l->journals[i]);
	l->count--;
	memmove(l->journals + i, l->journals + i + 1,
		(l->count - i) * sizeof *l->journals);
}

void spills_left_add(struct spills_left *l, const char *before, const char *now)
{
	if (before[0] == '\0' || journal_file_is_same(before, now))
		return;
	for (size_t i = l->count; i-- > 0;)
		if (strcmp(l->journals[i], before) == 0)
			forget(l, i);
	l->journals = mem_grow(l->journals, l->count + 1, sizeof *l->journals);
	l->journals[l->count++] = mem_text(before);
}

const char *spills_left_for(struct spills_left *l, const char *now)
{
	struct spill_rest rest;
	for (size_t i = l->count; i-- > 0;)
		if (journal_file_is_same(l->journals[i], now) ||
		    !has_rest(l->journals[i], &rest))
			forget(l, i);
	if (l->count == 0)
		return "";
	char *last = l->journals[l->count - 1];
	memmove(l->journals + 1, l->journals,
		(l->count - 1) * sizeof *l->journals);
	l->journals[0] = last;
	return last;
}

bool spills_left_report(const struct spills_left *l)
{
	bool has_any = false;
	struct spill_rest rest;
	for (size_t i = 0; i < l->count; i++)
		if (has_rest(l->journals[i], &rest)) {
			report("supervisor", l->journals[i], &rest, "");
			has_any = true;
		}
	return has_any;
}

void spills_left_fini(struct spills_left *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->journals[i]);
	free(l->journals);
}

/* --- in the worker */

/* The journal is locked, or there is none (-1).  Returns NULL or why the spills
 * stay. */
static const char *move(const char *journal, int fd, const char *from,
			const char *to)
{
	uint64_t messages;
	struct err e;
	int error = spill_move_check(from, to);
	if (error == EXDEV)
		return "; the new journal is on another file system";
	/* The lock is this process's own, so that they cannot grow. */
	if (error == 0 && fd >= 0 &&
	    (!journal_left_count(journal, &messages, &e) || messages > 0))
		return "; messages wait in that journal, or it cannot be read";
	if (error == 0 && fd >= 0 && unlink(journal) != 0)
		error = errno;
	if (error == 0)
		error = spill_move(from, to);
	if (error != 0)
		log_line(LOG_ERROR, "worker", "path=\"%s\" err=\"move: %s\"",
			 from, strerror(error));
	return error == 0 ? NULL : "; they cannot be moved";
}

static const char *lock_and_move(const char *journal, const char *from,
				 const char *to)
{
	int fd;
	size_t bytes;
	uint64_t messages;
	struct err e;
	/* Datagrams that were received last and not appended are counted only
	 * while nobody has the lock. */
	if (journal_file_exists(journal) &&
	    (!journal_left_count(journal, &messages, &e) || messages > 0))
		return "; messages wait in that journal, or it cannot be read";
	if (!journal_file_lock(journal, 0, &fd, &bytes, &e))
		return "; another sluiced uses that journal";
	const char *why = move(journal, fd, from, to);
	if (fd >= 0)
		close(fd);
	return why;
}

void spills_left_take(const char *journal, const char *to, bool is_held)
{
	struct buf from = {0};
	struct spill_rest rest;
	const char *why = NULL;
	if (journal[0] == '\0' || !has_rest(journal, &rest))
		return;
	if (to == NULL)
		why = "; the new journal is in memory";
	else if (is_held)
		why = "; a write of a dead worker hangs";
	else
		why = lock_and_move(journal, dir_of(journal, &from), to);
	if (why != NULL)
		report("worker", journal, &rest, why);
	else
		log_line(LOG_INFO, "worker",
			 "path=\"%s\" moved_to=\"%s\" lines=%" PRIu64
			 " msg=\"took over the spills of the previous "
			 "storage.path\"",
			 from.ptr, to, rest.lines);
	buf_fini(&from);
}
