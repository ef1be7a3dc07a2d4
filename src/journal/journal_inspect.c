/* SPDX-License-Identifier: Apache-2.0 */
/* The file may belong to a living process, which commits and appends while this
 * process reads.  So each message is copied first.  If the message is still
 * uncommitted after the copy, the copy is whole.  If it was committed
 * meanwhile, reading continues at the tail, up to the head as it was at the
 * beginning. */
#include "journal/journal_inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "journal/journal_check.h"

enum { ITEM_ALIGN = 8 };

struct inspection {
	const struct journal_inspect_opts *opts;
	struct journal_view view;
	struct journal_replayed replayed; /* all is 0 with with_replayed */
	uint64_t replayed_count;
	struct buf copy;
	char why[JOURNAL_WHY_BYTES];
};

static void give(struct inspection *r, const struct journal_entry *entry)
{
	if (journal_replayed_has(&r->replayed, entry->seq))
		r->replayed_count++;
	else
		r->opts->each_entry(
			r->opts->data, entry,
			journal_input_at(&r->view,
					 journal_row_of(entry->input)));
}

/* Copy the next message that is not committed. */
static enum journal_step next(struct inspection *r, struct journal_walk *walk,
			      struct journal_entry *entry)
{
	for (;;) {
		uint64_t seq = walk->seq;
		enum journal_step step =
			journal_walk_next(&r->view, walk, entry);
		if (step == JOURNAL_END)
			return JOURNAL_END;
		if (step == JOURNAL_FOUND) {
			buf_clear(&r->copy);
			buf_put_span(&r->copy, entry->bytes);
			entry->bytes = buf_span(&r->copy);
		}
		struct journal_state now;
		if (!journal_state_read(&r->view, &now, r->why))
			return JOURNAL_BAD;
		if (now.tail.seq <= seq) {
			snprintf(r->why, sizeof r->why,
				 "damaged at message %" PRIu64, seq);
			return step;
		}
		if (now.begin >= walk->end)
			return JOURNAL_END;
		walk->at = now.begin;
		walk->seq = now.tail.seq;
	}
}

/* The message at the walk's position is damaged, so its length cannot be
 * trusted.  Find the next good one: each takes at least the bytes of its
 * header, which limits the numbers that it can have. */
static bool find_good(const struct inspection *r, struct journal_walk *walk)
{
	uint64_t ring_bytes = r->view.geometry.ring_bytes;
	struct journal_item item;
	for (uint64_t at = walk->at + ITEM_ALIGN; at < walk->end;
	     at += ITEM_ALIGN) {
		if (ring_bytes - at % ring_bytes < sizeof item)
			continue;
		memcpy(&item, journal_item_at(&r->view, at), sizeof item);
		uint64_t between_max = (at - walk->at) / sizeof item;
		if (item.kind != JOURNAL_MESSAGE || item.seq <= walk->seq ||
		    item.seq - walk->seq > between_max)
			continue;
		struct journal_walk good = {
			.at = at, .end = walk->end, .seq = item.seq};
		struct journal_walk after = good;
		struct journal_entry entry;
		if (journal_walk_next(&r->view, &after, &entry) ==
		    JOURNAL_FOUND) {
			*walk = good;
			return true;
		}
	}
	return false;
}

/* Pass on the good messages.  Returns whether all are good. */
static bool give_messages(struct inspection *r, struct journal_walk *walk)
{
	struct journal_entry entry;
	char why[JOURNAL_WHY_BYTES];
	bool is_good = true;
	for (;;) {
		enum journal_step step = next(r, walk, &entry);
		if (step == JOURNAL_FOUND) {
			give(r, &entry);
			continue;
		}
		if (step == JOURNAL_BAD && is_good)
			memcpy(why, r->why, sizeof why);
		is_good = is_good && step != JOURNAL_BAD;
		if (step == JOURNAL_END || !find_good(r, walk))
			break;
	}
	if (!is_good)
		memcpy(r->why, why, sizeof why);
	return is_good;
}

/* Datagrams that a killed process received last and did not append. */
static void give_slots(struct inspection *r, const struct journal_content *c)
{
	for (unsigned i = 0; i < c->in_slots; i++) {
		struct journal_entry entry = journal_slot_entry(&r->view, i, 0);
		entry.seq = c->next_seq + i;
		give(r, &entry);
	}
}

/* How many messages belong to a batch of which an output has written lines, or
 * was about to.  Messages that were replayed do not count. */
static uint64_t count_perhaps_written(const struct inspection *r,
				      const struct journal_content *c)
{
	const struct journal_noted *noted = journal_notes_at(&r->view);
	uint64_t from = c->state.tail.seq;
	if (from < r->replayed.end_seq)
		from = r->replayed.end_seq;
	if (from >= c->noted_end_seq ||
	    (r->replayed.end_seq > 0 &&
	     r->replayed.batch_number == c->state.tail.number))
		return 0;
	for (uint64_t i = 0; i < c->notes; i++)
		if (noted[i].check != JOURNAL_NOTE_VOID &&
		    noted[i].note.kind == APPEND_LINES &&
		    noted[i].note.length_bytes > 0)
			return c->noted_end_seq - from;
	return 0;
}

/* Hold the lock only for an instant, so that a starting process need not wait.
 * read_all holds it again while it reads data that an owner would change. */
static bool has_owner(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) != 0)
		return true;
	flock(fd, LOCK_UN);
	return false;
}

static bool read_all(struct inspection *r, struct journal_summary *out,
		     struct journal_inspected *found, void *map, size_t bytes)
{
	struct journal_state s;
	int fd = r->opts->fd;
	if (!journal_view_read(&r->view, map, bytes, r->why))
		return false;
	const struct journal_header *h = r->view.header;
	out->version = (uint32_t)h->version;
	out->ring_bytes = h->geometry.ring_bytes;
	out->slot_bytes = h->geometry.slot_bytes;
	if (!journal_state_read(&r->view, &s, r->why))
		return false;
	out->head = s.end;
	out->tail = s.begin;
	out->refused_total = s.head.refused_total;
	out->appended_total = s.tail.seq;
	found->number = s.tail.number;
	found->seq = s.tail.seq;
	found->replayed = journal_replayed_read(&r->view);
	if (!r->opts->with_replayed)
		r->replayed = found->replayed;

	struct journal_walk walk = journal_walk_of(&s);
	bool is_good = give_messages(r, &walk);
	out->appended_total = walk.seq;
	if (!is_good)
		return false;
	out->is_owned = !r->opts->has_lock && flock(fd, LOCK_SH | LOCK_NB) != 0;
	if (out->is_owned)
		return true;
	struct journal_content c;
	if (!journal_content_read(&r->view, &c, r->why))
		return false;
	out->notes = c.notes;
	out->perhaps_written = count_perhaps_written(r, &c);
	give_slots(r, &c);
	return true;
}

bool journal_inspect_file(const struct journal_inspect_opts *opts,
			  struct journal_summary *out,
			  struct journal_inspected *found, struct err *e)
{
	struct stat st;
	void *map = MAP_FAILED;
	*out = (struct journal_summary){0};
	*found = (struct journal_inspected){0};
	if (fstat(opts->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		err_set(e, "%s: not a regular file", opts->path);
	} else if (st.st_size > 0) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED,
			   opts->fd, 0);
		if (map == MAP_FAILED)
			err_sys(e, errno, "map %s", opts->path);
	} else {
		err_set(e, "%s: empty", opts->path);
	}
	if (map == MAP_FAILED)
		return false;
	struct inspection r = {.opts = opts};
	out->is_owned = !opts->has_lock && has_owner(opts->fd);
	bool ok = read_all(&r, out, found, map, (size_t)st.st_size) ||
		  err_set(e, "%s: %s", opts->path, r.why);
	out->replayed = r.replayed_count;
	buf_fini(&r.copy);
	munmap(map, (size_t)st.st_size);
	return ok;
}

bool journal_inspect(const char *path, struct journal_summary *out,
		     void (*each_entry)(void *, const struct journal_entry *,
					const struct journal_input *),
		     void *data, struct err *e)
{
	struct journal_inspected unused;
	struct journal_inspect_opts opts = {
		.path = path,
		.each_entry = each_entry,
		.data = data,
	};
	*out = (struct journal_summary){0};
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	opts.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (opts.fd < 0)
		return err_sys(e, errno, "open %s", path);
	bool ok = journal_inspect_file(&opts, out, &unused, e);
	close(opts.fd);
	return ok;
}
