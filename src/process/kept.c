/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor has the worker's descriptor of the journal, and passes it to
 * the next worker with GO.  A lock of flock() belongs to all copies of a
 * descriptor.  So between two workers, no other sluiced can lock the journal,
 * and no worker waits for it.
 *
 * A worker that opens the journal may move it to a new file (journal_open.c).
 * Before it changes any message in that, it sends JOURNAL.  So if it dies
 * without JOURNAL, the old file, which may have no name now, and the new one
 * have the same messages.  The supervisor keeps the old file as long as it
 * knows no other.
 *
 * Somebody may remove the journal's file.  Its content exists as long as a
 * process has the file open, but the kernel cannot give a removed file a name
 * again.  So the supervisor copies it while no worker uses it.  Meanwhile, the
 * messages take twice the room:
 *  - between two workers, it copies at most 16 MiB of data.  If there is more
 *    or the copy fails, the next worker continues in the removed file;
 *  - when the supervisor ends, or the configuration names another journal, it
 *    copies a file of any size.
 * If there is another file under the name by then, the messages are lost, and
 * the number is logged. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "journal/journal_file.h"
#include "process/journal_left.h"
#include "process/supervisor_state.h"

enum {
	LOOK_MS = 1000,
	LOOK_AGAIN_MAX_MS = 600 * 1000,
	COPY_BYTES_MAX = 16 << 20,
};

static bool is_removed(const struct supervisor *s)
{
	struct stat st;
	return s->journal >= 0 && fstat(s->journal, &st) == 0 &&
	       st.st_nlink == 0;
}

static bool is_small(const struct supervisor *s)
{
	return journal_file_data_bytes(s->journal) <= COPY_BYTES_MAX;
}

bool kept_is_replaced(const struct supervisor *s)
{
	return is_removed(s) && journal_file_exists(s->limits.journal_path);
}

/* Makes a path that leads to the file, whether it has a name or not.  Unlocks
 * the file, because otherwise some messages are not counted.  No process uses
 * it. */
static const char *path_of_file(const struct supervisor *s, char path[64])
{
	snprintf(path, 64, "/proc/self/fd/%d", s->journal);
	(void)flock(s->journal, LOCK_UN);
	return path;
}

/* Whether a worker has moved the messages to the file at the path. */
static bool has_moved(const struct supervisor *s)
{
	char path[64];
	return journal_left_has_equal(path_of_file(s, path),
				      s->limits.journal_path);
}

static uint64_t count_messages(const struct supervisor *s)
{
	char path[64];
	struct err unused;
	uint64_t messages; /* the good ones, if some are damaged */
	bool is_good =
		journal_left_count(path_of_file(s, path), &messages, &unused);
	(void)is_good;
	return messages;
}

static void log_lost(const struct supervisor *s, const char *why)
{
	uint64_t messages = count_messages(s);
	if (messages == 0)
		return;
	log_line(LOG_ERROR, "supervisor",
		 "path=%s err=\"the journal's file was removed, and %s\" "
		 "lost=%" PRIu64 " action=\"the messages in it are lost\"",
		 s->limits.journal_path, why, messages);
}

/* False with *e set if nothing was copied. */
static bool copy(struct supervisor *s, struct err *e)
{
	const char *path = s->limits.journal_path;
	int fd = journal_file_copy(path, s->journal, e);
	if (fd < 0)
		return false;
	log_line(LOG_WARN, "supervisor",
		 "path=%s err=\"the journal's file was removed\" "
		 "action=\"made it again with its messages\"",
		 path);
	kept_close(s);
	s->journal = fd;
	return true;
}

/* The file is removed, and no worker will continue in it. */
static void save(struct supervisor *s)
{
	struct err e;
	if (!journal_file_exists(s->limits.journal_path)) {
		if (!copy(s, &e))
			log_lost(s, e.text);
	} else if (!has_moved(s)) {
		log_lost(s, "there is another file in its place");
	}
}

void kept_worker_ended(struct supervisor *s)
{
	struct err e;
	if (!is_removed(s))
		return;
	if (journal_file_exists(s->limits.journal_path)) {
		if (has_moved(s))
			return; /* the next worker has that file, or this one */
		log_lost(s, "there is another file in its place");
		kept_close(s);
	} else if (is_small(s) && !copy(s, &e)) {
		log_line(LOG_ERROR, "supervisor",
			 "path=%s err=\"the journal's file was removed, and no "
			 "new one can be made: %s\" action=\"continuing in "
			 "the removed file\"",
			 s->limits.journal_path, e.text);
	}
}

void kept_look(struct supervisor *s, int64_t now_ns)
{
	if (s->state != RUNNING || now_ns < s->journal_look_ns)
		return;
	s->journal_look_ns = now_ns + LOOK_MS * NS_PER_MS;
	if (!is_removed(s)) {
		s->journal_again = (struct backoff){
			.min_ms = LOOK_MS, .max_ms = LOOK_AGAIN_MAX_MS};
		return;
	}
	if (!s->worker.is_working || s->worker.is_leaving || s->next.pid != 0)
		return;
	bool is_replaced = journal_file_exists(s->limits.journal_path);
	bool reloads = !is_replaced && is_small(s);
	log_line(is_replaced ? LOG_ERROR : LOG_WARN, "supervisor",
		 "path=%s err=\"the journal's file was removed%s\" "
		 "action=\"%s\"",
		 s->limits.journal_path,
		 is_replaced ? ", and there is another file in its place" : "",
		 is_replaced
			 ? "continuing in the removed file; reload now: the "
			   "old worker then writes its messages first"
		 : reloads ? "reloading in order to make it again"
			   : "continuing in the removed file; making it "
			     "again when sluiced ends");
	s->journal_look_ns =
		now_ns + backoff_next_ms(&s->journal_again) * NS_PER_MS;
	if (reloads)
		(void)reload_begin(s, true);
}

void kept_close(struct supervisor *s)
{
	if (s->journal >= 0)
		close(s->journal);
	s->journal = -1;
}

void kept_end(struct supervisor *s)
{
	if (is_removed(s))
		save(s);
	kept_close(s);
}

void kept_take(struct supervisor *s, const struct channel_message *m)
{
	kept_close(s);
	if (m->fd_count > 0)
		s->journal = m->fds[0];
}

void kept_pass(const struct supervisor *s, struct channel_message *m)
{
	m->has_journal = s->journal >= 0;
	if (m->has_journal)
		m->fds[m->fd_count++] = s->journal;
}

void kept_change(struct supervisor *s, const char *path)
{
	if (journal_left_is_same(s->limits.journal_path, path))
		return;
	kept_end(s);
	(void)journal_left_report(s->limits.journal_path, path);
}
