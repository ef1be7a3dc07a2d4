/* SPDX-License-Identifier: Apache-2.0 */
/* The notes are written with pwrite() and not to a map, because a store to a
 * map cannot report an error: on a full file system it would end the process.
 * The file is read twice: messages may be sent only if the whole file was
 * examined. */
#include "journal/journal_replay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "journal/journal_check.h"
#include "journal/journal_format.h"
#include "journal/journal_inspect.h"

/* A process that counts the messages has the journal locked for an instant. */
enum { LOCK_TRIES = 200, LOCK_RETRY_MS = 5 };

struct journal_replay {
	char *path;
	int fd;
	bool again;
	int note_error;
	struct journal_replayed replayed;
	bool has_too_many; /* that cannot be sent */
	bool is_over;	   /* send nothing more */
	journal_send_fn send;
	void *data;
	struct journal_replay_result *result;
};

int journal_replay_note_error(const struct journal_replay *r)
{
	return r->note_error;
}

/* --- opening */

/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
static bool open_file(struct journal_replay *r, struct err *e)
{
	r->fd = open(r->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	r->note_error = r->fd < 0 ? errno : 0;
	if (r->fd < 0)
		r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return r->fd >= 0 || err_sys(e, errno, "open %s", r->path);
}

/* NFS locks a file exclusively only if it is open for writing. */
static bool try_lock(const struct journal_replay *r)
{
	return flock(r->fd, LOCK_EX | LOCK_NB) == 0 ||
	       (errno == EBADF && flock(r->fd, LOCK_SH | LOCK_NB) == 0);
}

static bool lock(const struct journal_replay *r, struct err *e)
{
	struct stat ours, named;
	int tries = 1;
	while (!try_lock(r)) {
		if (errno != EWOULDBLOCK)
			return err_sys(e, errno, "lock %s", r->path);
		if (tries++ == LOCK_TRIES)
			return err_set(e,
				       "%s is in use by a running sluiced, "
				       "which writes the messages itself, or "
				       "by another sluiced replay",
				       r->path);
		nanosleep(&(struct timespec){.tv_nsec =
						     LOCK_RETRY_MS * NS_PER_MS},
			  NULL);
	}
	/* A sluiced may have moved the messages to another file before that. */
	if (fstat(r->fd, &ours) != 0 || stat(r->path, &named) != 0)
		return err_sys(e, errno, "open %s", r->path);
	return (ours.st_dev == named.st_dev && ours.st_ino == named.st_ino) ||
	       err_set(e,
		       "%s was replaced by another file; run the same command "
		       "again",
		       r->path);
}

static void pass_by(void *data, const struct journal_entry *entry,
		    const struct journal_input *input)
{
	(void)data, (void)entry, (void)input;
}

static struct journal_inspect_opts opts_of(const struct journal_replay *r)
{
	return (struct journal_inspect_opts){
		.path = r->path,
		.fd = r->fd,
		.has_lock = true,
		.with_replayed = r->again,
		.each_entry = pass_by,
	};
}

/* Messages that are committed now need not be remembered. */
static void forget_committed(struct journal_replayed *to, uint64_t seq)
{
	uint64_t kept = 0;
	for (uint64_t i = 0; i < to->unsent_count; i++)
		if (to->unsent[i] >= seq)
			to->unsent[kept++] = to->unsent[i];
	for (uint64_t i = kept; i < to->unsent_count; i++)
		to->unsent[i] = 0;
	to->unsent_count = kept;
}

/* Find out what is to be sent.  The good messages of a damaged journal are sent
 * if its header is good. */
static bool examine(struct journal_replay *r, struct err *e)
{
	struct journal_inspect_opts opts = opts_of(r);
	struct journal_summary summary;
	struct journal_inspected found;
	if (!journal_inspect_file(&opts, &summary, &found, e) &&
	    summary.version == 0)
		return false;
	if (summary.perhaps_written > 0 && !r->again)
		return err_set(e,
			       "%s: up to %" PRIu64 " messages may be in the "
			       "output files already, because their batch was "
			       "not completed; reload or start sluiced with "
			       "storage.path=%s, which writes each line once, "
			       "or give --again to send all messages",
			       r->path, summary.perhaps_written, r->path);
	if (!r->again)
		r->replayed = found.replayed;
	forget_committed(&r->replayed, found.seq);
	if (summary.perhaps_written > 0)
		r->replayed.batch_number = found.number;
	return true;
}

struct journal_replay *journal_replay_open(const char *path, bool again,
					   struct err *e)
{
	struct journal_replay *r = mem_new(1, sizeof *r);
	r->path = mem_text(path);
	r->again = again;
	if (open_file(r, e) && lock(r, e) && examine(r, e))
		return r;
	journal_replay_close(r);
	return NULL;
}

void journal_replay_close(struct journal_replay *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(r->path);
	free(r);
}

/* --- sending */

static void write_note(struct journal_replay *r)
{
	struct journal_replayed *now = &r->replayed;
	now->check = journal_replayed_check(now);
	ssize_t n = pwrite(r->fd, now, sizeof *now,
			   offsetof(struct journal_header, replayed));
	if (n == sizeof *now)
		r->note_error = 0;
	else if (r->note_error == 0)
		r->note_error = n < 0 ? errno : EIO;
}

/* False if there is no room. */
static bool add_unsent(struct journal_replayed *to, uint64_t seq)
{
	for (uint64_t i = 0; i < to->unsent_count; i++)
		if (to->unsent[i] == seq)
			return true;
	if (to->unsent_count == JOURNAL_UNSENT_MAX)
		return false;
	to->unsent[to->unsent_count++] = seq;
	return true;
}

static void remove_unsent(struct journal_replayed *from, uint64_t seq)
{
	for (uint64_t i = 0; i < from->unsent_count; i++)
		if (from->unsent[i] == seq) {
			from->unsent[i] = from->unsent[--from->unsent_count];
			from->unsent[from->unsent_count] = 0;
			return;
		}
}

static void send_one(void *data, const struct journal_entry *entry,
		     const struct journal_input *input)
{
	struct journal_replay *r = data;
	struct journal_replayed *now = &r->replayed;
	enum journal_sent answer = JOURNAL_UNREACHABLE;
	if (!r->is_over)
		answer = r->send(r->data, entry, input);
	if (answer == JOURNAL_SENT)
		remove_unsent(now, entry->seq);
	else if (answer == JOURNAL_UNSENT)
		r->has_too_many = !add_unsent(now, entry->seq);
	r->is_over = r->has_too_many || answer == JOURNAL_UNREACHABLE;
	r->result->left += r->is_over;
	if (r->is_over)
		return;
	if (now->end_seq <= entry->seq)
		now->end_seq = entry->seq + 1;
	write_note(r);
}

bool journal_replay_send(struct journal_replay *r, journal_send_fn send,
			 void *data, struct journal_replay_result *result,
			 struct err *e)
{
	struct journal_inspect_opts opts = opts_of(r);
	struct journal_summary summary;
	struct journal_inspected found;
	opts.each_entry = send_one;
	opts.data = r;
	*result = (struct journal_replay_result){0};
	r->send = send;
	r->data = data;
	r->result = result;
	bool ok = journal_inspect_file(&opts, &summary, &found, e);
	result->sent_before = summary.replayed;
	if (r->has_too_many)
		return err_set(e,
			       "%s: more than %d messages cannot be sent; "
			       "correct the configuration, and run the same "
			       "command again",
			       r->path, JOURNAL_UNSENT_MAX);
	return ok;
}
