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
 * the number is logged.
 *
 * If somebody renames the file or its directory, the supervisor renames the
 * file and its spills back, whether a worker uses them or not.  If that is
 * impossible, the worker continues in the renamed file, and a reload first
 * empties it.  After a death, the next worker begins a new file, and then the
 * number of messages in the renamed one is logged with its name. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "journal/journal_file.h"
#include "process/journal_left.h"
#include "process/supervisor_state.h"

enum {
	LOOK_MS = 1000,
	LOOK_AGAIN_MAX_MS = 600 * 1000,
	COPY_BYTES_MAX = 16 << 20,
	NAME_BYTES = 4096 + 64,
};

static const char REPLACED[] = "there is another file in its place";

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* What has happened to the name of the file. */
enum fate { IN_PLACE, REMOVED, RENAMED };

static enum fate fate_of(const struct supervisor *s)
{
	struct stat ours, named;
	if (s->journal < 0 || fstat(s->journal, &ours) != 0)
		return IN_PLACE;
	if (ours.st_nlink == 0)
		return REMOVED;
	if (lstat(s->limits.journal_path, &named) != 0)
		return errno == ENOENT || errno == ENOTDIR ? RENAMED : IN_PLACE;
	return is_same(&named, &ours) ? IN_PLACE : RENAMED;
}

static bool is_small(const struct supervisor *s)
{
	return journal_file_data_bytes(s->journal) <= COPY_BYTES_MAX;
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

/* The name that the renamed file has now.  False if it cannot be known, for
 * example because it was a second hard link; then the inode's number is the
 * name. */
static bool find_name(const struct supervisor *s, char name[NAME_BYTES])
{
	char link[64];
	struct stat ours, named;
	snprintf(link, sizeof link, "/proc/self/fd/%d", s->journal);
	ssize_t n = readlink(link, name, NAME_BYTES - 1);
	name[n > 0 ? n : 0] = '\0';
	if (fstat(s->journal, &ours) != 0)
		ours.st_ino = 0;
	else if (lstat(name, &named) == 0 && is_same(&named, &ours))
		return true;
	snprintf(name, NAME_BYTES, "inode:%ju", (uintmax_t)ours.st_ino);
	return false;
}

/* The journal's file was renamed back from `name`.  If the directory of its
 * spills was renamed, too, rename it back. */
static void put_spills_back(const char *path, const char *name)
{
	struct buf from = {0}, to = {0};
	char room[LOG_QUOTED_BYTES];
	buf_printf(&from, "%s.spill", name);
	buf_printf(&to, "%s.spill", path);
	int error = renameat2(AT_FDCWD, buf_text(&from), AT_FDCWD,
			      buf_text(&to), RENAME_NOREPLACE) == 0
			    ? 0
			    : errno;
	log_quoted(buf_span(&from), room);
	if (error == 0)
		log_line(LOG_WARN, "supervisor",
			 "path=%s renamed_to=%s err=\"the directory of the "
			 "spills was renamed\" action=\"renamed it back\"",
			 to.ptr, room);
	else if (error != ENOENT && error != ENOTDIR)
		log_line(LOG_ERROR, "supervisor",
			 "path=%s kept_in=%s err=\"the directory of the spills "
			 "was renamed, and cannot be renamed back: %s\" "
			 "action=\"lines may wait in it; run sluiced replay on "
			 "each file in it\"",
			 to.ptr, room, strerror(error));
	buf_fini(&from);
	buf_fini(&to);
}

/* Rename the file back to its path.  False with *e set on failure. */
static bool put_back(const struct supervisor *s, struct err *e)
{
	const char *path = s->limits.journal_path;
	char name[NAME_BYTES];
	if (!find_name(s, name))
		return err_set(e, "its new name is unknown");
	if (renameat2(AT_FDCWD, name, AT_FDCWD, path, RENAME_NOREPLACE) != 0)
		return errno == EEXIST
			       ? err_set(e, "%s", REPLACED)
			       : err_sys(e, errno, "it cannot be renamed back");
	char room[LOG_QUOTED_BYTES];
	log_line(LOG_WARN, "supervisor",
		 "path=%s renamed_to=%s err=\"the journal's file was renamed\" "
		 "action=\"renamed it back\"",
		 path, log_quoted(span_of(name), room));
	put_spills_back(path, name);
	return true;
}

/* The messages in the file will not be written: log that. */
static void log_left(struct supervisor *s, enum fate fate, const char *why)
{
	uint64_t messages = count_messages(s);
	char name[NAME_BYTES], room[LOG_QUOTED_BYTES];
	if (messages == 0)
		return;
	if (s->state == STOPPING || s->is_over)
		s->has_left_messages = true;
	if (fate == REMOVED) {
		log_line(
			LOG_ERROR, "supervisor",
			"path=%s err=\"the journal's file was removed, and "
			"%s\" lost=%" PRIu64
			" action=\"the messages in the removed file are lost\"",
			s->limits.journal_path, why, messages);
		return;
	}
	(void)find_name(s, name);
	log_line(LOG_ERROR, "supervisor",
		 "path=%s err=\"the journal's file was renamed, and %s\" "
		 "kept_in=%s queued=%" PRIu64
		 " action=\"the messages wait in the file named by kept_in; "
		 "run sluiced replay FILE -c CONFIG to send them, or stop "
		 "sluiced, rename the file back and start sluiced, which "
		 "writes each line once\"",
		 s->limits.journal_path, why, log_quoted(span_of(name), room),
		 messages);
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

/* No worker will continue in the file, which is not in its place. */
static void save(struct supervisor *s, enum fate fate)
{
	struct err e;
	if (journal_file_exists(s->limits.journal_path)) {
		if (!has_moved(s))
			log_left(s, fate, REPLACED);
	} else if (fate == RENAMED ? !put_back(s, &e) : !copy(s, &e)) {
		log_left(s, fate, e.text);
	}
}

/* The file was removed, and the next worker needs it. */
static void replace_removed(struct supervisor *s)
{
	const char *path = s->limits.journal_path;
	struct err e = {0};
	if (!journal_file_exists(path) && (!is_small(s) || copy(s, &e)))
		return;
	if (!journal_file_exists(path)) {
		if (s->state != STOPPING) /* then kept_end tries again */
			log_line(
				LOG_ERROR, "supervisor",
				"path=%s err=\"the journal's file was removed, "
				"and no new one can be made: %s\" "
				"action=\"continuing in the removed file\"",
				path, e.text);
	} else if (!has_moved(s)) {
		log_left(s, REMOVED, REPLACED);
		kept_close(s);
	}
}

void kept_worker_ended(struct supervisor *s)
{
	struct err e;
	enum fate fate = fate_of(s);
	if (fate == REMOVED)
		replace_removed(s);
	if (fate == RENAMED && !put_back(s, &e))
		log_line(LOG_DEBUG, "supervisor",
			 "path=%s err=\"the journal's file was renamed, and "
			 "%s\" action=\"the next worker begins a new journal\"",
			 s->limits.journal_path, e.text);
}

bool kept_must_be_emptied(const struct supervisor *s)
{
	struct err unused;
	enum fate fate = fate_of(s);
	if (fate == RENAMED)
		return !put_back(s, &unused);
	return fate == REMOVED && journal_file_exists(s->limits.journal_path);
}

/* The worker uses a file that was removed. */
static void look_at_removed(struct supervisor *s)
{
	bool is_replaced = journal_file_exists(s->limits.journal_path);
	bool reloads = !is_replaced && is_small(s);
	log_line(is_replaced ? LOG_ERROR : LOG_WARN, "supervisor",
		 "path=%s err=\"the journal's file was removed%s%s\" "
		 "action=\"%s\"",
		 s->limits.journal_path, is_replaced ? ", and " : "",
		 is_replaced ? REPLACED : "",
		 is_replaced
			 ? "continuing in the removed file; reload now: the "
			   "old worker then writes its messages first"
		 : reloads ? "reloading in order to make it again"
			   : "continuing in the removed file; making it "
			     "again when sluiced ends");
	if (reloads)
		(void)reload_begin(s, RELOAD_BY_SUPERVISOR);
}

/* The worker uses a file that was renamed. */
static void look_at_renamed(const struct supervisor *s)
{
	struct err e;
	char name[NAME_BYTES], room[LOG_QUOTED_BYTES];
	if (put_back(s, &e))
		return;
	(void)find_name(s, name);
	log_line(LOG_ERROR, "supervisor",
		 "path=%s err=\"the journal's file was renamed, and %s\" "
		 "kept_in=%s action=\"continuing in the renamed file; rename "
		 "it back, or reload: the old worker then writes its messages "
		 "first\"",
		 s->limits.journal_path, e.text,
		 log_quoted(span_of(name), room));
}

void kept_look(struct supervisor *s, int64_t now_ns)
{
	if (s->state != RUNNING || now_ns < s->journal_look_ns)
		return;
	s->journal_look_ns = now_ns + LOOK_MS * NS_PER_MS;
	enum fate fate = fate_of(s);
	if (fate == IN_PLACE) {
		s->journal_again = (struct backoff){
			.min_ms = LOOK_MS, .max_ms = LOOK_AGAIN_MAX_MS};
		return;
	}
	if (!s->worker.is_working || s->worker.is_leaving || s->next.pid != 0)
		return;
	s->journal_look_ns =
		now_ns + backoff_next_ms(&s->journal_again) * NS_PER_MS;
	if (fate == REMOVED)
		look_at_removed(s);
	else
		look_at_renamed(s);
}

void kept_close(struct supervisor *s)
{
	if (s->journal >= 0)
		close(s->journal);
	s->journal = -1;
}

void kept_end(struct supervisor *s)
{
	enum fate fate = fate_of(s);
	if (fate != IN_PLACE)
		save(s, fate);
	kept_close(s);
}

/* Whether the worker has begun the other file, although good messages wait in
 * the renamed one.  A damaged file was renamed by the worker, which logs that.
 */
static bool has_begun_another(const struct supervisor *s, int other)
{
	char path[64];
	struct stat ours, its;
	struct err unused;
	uint64_t messages;
	return fate_of(s) == RENAMED && fstat(s->journal, &ours) == 0 &&
	       fstat(other, &its) == 0 && !is_same(&ours, &its) &&
	       journal_left_count(path_of_file(s, path), &messages, &unused);
}

void kept_take(struct supervisor *s, const struct channel_message *m)
{
	if (m->fd_count > 0 && has_begun_another(s, m->fds[0]))
		log_left(s, RENAMED, "a worker has begun a new journal");
	kept_close(s);
	if (m->fd_count > 0)
		s->journal = m->fds[0];
}

void kept_pass(struct supervisor *s, struct channel_message *m)
{
	/* Something may have happened since the last worker ended. */
	if (kept_must_be_emptied(s))
		kept_worker_ended(s);
	m->has_journal = s->journal >= 0;
	if (m->has_journal)
		m->fds[m->fd_count++] = s->journal;
}

void kept_change(struct supervisor *s, const char *path)
{
	if (journal_file_is_same(s->limits.journal_path, path))
		return;
	kept_end(s);
	(void)journal_left_report(s->limits.journal_path, path);
}
