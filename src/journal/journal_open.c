/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, with a path:
 *
 * 1. Lock the file, or continue with the previous process's lock.  If there is
 *    no file, make one (4).
 * 2. Check all of it without changing anything.  If it is not good, rename it
 *    and make a new one (4).
 * 3. Append the datagrams that were received and not appended (journal.c, b).
 *    If the file has the wanted version and geometry, continue in it.  If not,
 *    move to a new file (4): copy the messages that are not committed, the
 *    inputs, the notes and the counters (journal_move.c).  If too many messages
 *    wait or that fails, continue in the old file with its sizes.  That is
 *    impossible only if it is of an old version or has too little room for the
 *    counters.  Then move in any case, to a ring of the old size if the
 *    messages do not fit into the wanted one.
 * 4. Make PATH.new completely, and rename it to PATH.
 * 5. Map the inputs to the rows of the table (journal_inputs.c).  If the table
 *    has no row left, rename the file and make a new one (4).
 *
 * A process that is killed in between leaves either the old file or the new one
 * under the name.  The next process removes a PATH.new that was left behind, or
 * uses it if there is no file. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "journal/journal.h"
#include "journal/journal_check.h"
#include "journal/journal_file.h"
#include "journal/journal_ring.h"

/* How much is reserved at first, and in which steps it grows.  A slot of 208
 * KiB for each of 64 datagrams would take 13 MiB, in memory if the directory is
 * a tmpfs.  With these sizes the journal takes about 1 MiB at first, for a ring
 * of any size. */
enum {
	RING_STEP_BYTES = 256 << 10,
	NOTES_STEP_BYTES = 16 << 10,
	FIRST_SLOTS_BYTES = 512 << 10,
};

static bool is_same(const struct journal_geometry *a,
		    const struct journal_geometry *b)
{
	return a->ring_bytes == b->ring_bytes &&
	       a->slot_bytes == b->slot_bytes &&
	       a->counters_bytes == b->counters_bytes && a->slots == b->slots;
}

static bool is_wanted(const struct journal *j, const struct journal_opts *opts)
{
	struct journal_geometry g = journal_geometry_of(opts);
	return j->view.version == JOURNAL_VERSION &&
	       is_same(&g, &j->view.geometry);
}

/* Takes over the map and the descriptor. */
static struct journal *attach(const struct journal_view *v, int fd)
{
	struct journal *j = mem_new(1, sizeof *j);
	const struct journal_layout *at = &v->at;
	j->view = *v;
	j->fd = fd;
	j->is_written_back = journal_file_is_written_back(fd);
	j->slots = journal_headers_at(v);
	j->producer.slots_max = (unsigned)v->geometry.slots;
	j->producer.ring = (struct journal_region){
		.at = at->ring,
		.bytes = v->geometry.ring_bytes,
		.step = RING_STEP_BYTES,
	};
	j->producer.buffers = (struct journal_region){
		.at = at->buffers,
		.bytes = at->ring - at->buffers,
		.step = at->buffer_stride,
	};
	j->consumer.notes = (struct journal_region){
		.at = at->notes,
		.bytes = at->buffers - at->notes,
		.step = NOTES_STEP_BYTES,
	};
	return j;
}

/* Free all but the descriptor. */
static void detach(struct journal *j)
{
	munmap(j->view.base, j->view.at.end);
	free(j->consumer.counters);
	free(j);
}

static void close_all(struct journal *j)
{
	int fd = j->fd;
	detach(j);
	if (fd >= 0)
		close(fd);
}

/* How many slots recvmmsg may use at first. */
static size_t first_slots(const struct journal_view *v)
{
	size_t stride = v->at.buffer_stride;
	size_t slots = v->geometry.slots;
	if (slots * stride > FIRST_SLOTS_BYTES)
		slots = stride < FIRST_SLOTS_BYTES ? FIRST_SLOTS_BYTES / stride
						   : 1;
	return slots;
}

size_t journal_first_bytes(const struct journal_geometry *g)
{
	const struct journal_view v = journal_view_make(NULL, g);
	return v.at.notes + NOTES_STEP_BYTES +
	       first_slots(&v) * v.at.buffer_stride + RING_STEP_BYTES;
}

/* Reserve the parts that must exist before anything is stored. */
static bool reserve_first(struct journal *j, const char *path, struct err *e)
{
	size_t stride = j->view.at.buffer_stride;
	size_t slots =
		j->fd >= 0 ? first_slots(&j->view) : j->view.geometry.slots;
	if (journal_file_reserve(j->fd, 0, j->view.at.notes) &&
	    journal_reserve(j, &j->consumer.notes, 1) &&
	    journal_reserve(j, &j->producer.ring, 1) &&
	    journal_use_slots(j, slots))
		return true;
	err_sys(e, errno, "journal %s: reserve its first %zu KiB", path,
		(j->view.at.buffers - j->view.at.notes + slots * stride +
		 RING_STEP_BYTES) >>
			10);
	return false;
}

void journal_take_state(struct journal *j, const struct journal_content *c)
{
	const struct journal_state *s = &c->state;
	atomic_store(&j->start, s->head.start);
	j->producer.head = s->end;
	j->producer.word = s->head.word;
	j->producer.start = s->head.start;
	j->producer.tail = s->begin;
	j->producer.stats = (struct journal_stats){
		.appended_total = c->next_seq,
		.refused_total = s->head.refused_total,
		.truncated_total = s->head.truncated_total,
	};
	j->consumer.read = s->begin;
	j->consumer.head = s->end;
	j->consumer.seq = s->tail.seq;
	j->consumer.number = s->tail.number;
	j->consumer.found_notes = c->notes;
	/* A batch without messages has no end to stop at. */
	j->consumer.hold_seq = UINT64_MAX;
	if (c->notes > 0 && c->noted_end_seq > s->tail.seq)
		j->consumer.hold_seq = c->noted_end_seq;
	j->consumer.counters_bytes = s->tail.counters_bytes;
	j->used_rows = c->used_rows;
	j->consumer.replayed = journal_replayed_read(&j->view);
	j->consumer.counters = mem_copy(s->counters, s->tail.counters_bytes);
}

/* Set everything that recvmmsg reads from the headers: the headers of a dead
 * process are not trusted. */
static void make_slots(struct journal *j)
{
	const struct journal_view *v = &j->view;
	struct iovec *iovecs = (void *)(v->base + v->at.iovecs);
	for (size_t i = 0; i < v->geometry.slots; i++) {
		struct msghdr *m = &j->slots[i].msg_hdr;
		iovecs[i] = (struct iovec){
			.iov_base = journal_buffer_at(v, i),
			.iov_len = v->geometry.slot_bytes,
		};
		m->msg_name = NULL;
		m->msg_namelen = 0;
		m->msg_iov = &iovecs[i];
		m->msg_iovlen = 1;
		m->msg_control = journal_control_at(v, i);
	}
}

/* A replay has sent messages that were in slots, and then there was no room for
 * them in the ring.  Later messages get their numbers. */
static void forget_refused(struct journal *j)
{
	struct journal_replayed *r = &j->consumer.replayed;
	if (r->end_seq <= j->producer.stats.appended_total)
		return;
	r->end_seq = j->producer.stats.appended_total;
	r->check = journal_replayed_check(r);
	j->view.header->replayed = *r;
}

/* The file is good and locked: continue where the previous process stopped. */
static void continue_with(struct journal *j, const struct journal_content *c)
{
	journal_take_state(j, c);
	if (c->in_slots > 0)
		journal_take_over(j, c->in_slots, clock_real_ns());
	forget_refused(j);
	make_slots(j);
	for (size_t i = 0; i < j->view.geometry.slots; i++)
		journal_make_ready(&j->slots[i]);
}

/* A new journal on a file of zeros, or in memory. */
static struct journal *begin(const char *path, int fd,
			     const struct journal_geometry *g, struct err *e)
{
	struct journal_view v = journal_view_make(NULL, g);
	void *map = journal_file_map(fd, v.at.end, e);
	if (map == NULL)
		return NULL;
	v = journal_view_make(map, g);
	struct journal *j = attach(&v, fd);
	if (!reserve_first(j, path, e)) {
		detach(j);
		return NULL;
	}
	journal_format(&j->view);
	struct journal_content content;
	char why[JOURNAL_WHY_BYTES];
	CHECK(journal_content_read(&j->view, &content, why));
	continue_with(j, &content);
	return j;
}

/* A new journal; in a file, it is PATH.new. */
static struct journal *make_new(const char *path,
				const struct journal_geometry *g,
				int64_t until_ns, struct err *e)
{
	int fd = -1;
	size_t bytes = journal_view_make(NULL, g).at.end;
	if (path != NULL && !journal_file_make(path, until_ns, bytes, &fd, e))
		return NULL;
	struct journal *j = begin(path, fd, g, e);
	if (j == NULL && fd >= 0)
		journal_file_discard(path, fd);
	return j;
}

static struct journal *place(struct journal *j, const char *path, struct err *e)
{
	if (journal_file_place(path, e))
		return j;
	journal_file_discard(path, j->fd);
	detach(j);
	return NULL;
}

/* Rename the file whose lock is held, and make a new one. */
static struct journal *begin_with_new(const struct journal_opts *opts,
				      struct journal_found *found,
				      int64_t until_ns, struct err *e)
{
	if (!journal_file_set_aside(opts->path, found->damaged,
				    sizeof found->damaged, e))
		return NULL;
	struct journal_geometry g = journal_geometry_of(opts);
	return make_new(opts->path, &g, until_ns, e);
}

/* Move the messages to a new file of this geometry.  NULL on failure: then the
 * old file is as good as before.  The caller closes `old`. */
static struct journal *move(struct journal *old, const char *path,
			    const struct journal_geometry *g, int64_t until_ns,
			    struct err *e)
{
	journal_free_unused(old);
	struct journal *j = make_new(path, g, until_ns, e);
	if (j == NULL)
		return NULL;
	if (journal_carry_over(j, old))
		return place(j, path, e);
	err_sys(e, errno, "journal %s: copy its messages to a new file", path);
	journal_file_discard(path, j->fd);
	detach(j);
	return NULL;
}

/* Whether the journal can be used with the sizes that its file has. */
static bool can_stay(const struct journal *j, const struct journal_geometry *g)
{
	return j->view.version == JOURNAL_VERSION &&
	       j->view.geometry.counters_bytes >= g->counters_bytes;
}

/* Whether moving would cost too much: while both files exist, the messages take
 * twice the room.  On a device, they take no memory, so the file moves if the
 * new one has room for longer messages. */
static bool should_stay(const struct journal *j,
			const struct journal_geometry *g, size_t waiting)
{
	bool is_for_longer = g->slot_bytes > j->view.geometry.slot_bytes;
	return waiting > g->ring_bytes ||
	       (waiting > JOURNAL_MOVE_BYTES_MAX &&
		!(is_for_longer && j->is_written_back));
}

/* The file is good, but its version or geometry is not the wanted one.  Closes
 * `old` unless it is the result. */
static struct journal *change(struct journal *old,
			      const struct journal_opts *opts,
			      struct journal_found *found, int64_t until_ns,
			      struct err *e)
{
	struct journal_geometry g = journal_geometry_of(opts);
	size_t waiting = journal_waiting_bytes(old);
	bool may_stay = can_stay(old, &g);
	struct journal *j = NULL;
	bool must_stay = may_stay && opts->keeps_file;
	err_set(&found->kept, "%zu bytes of messages wait in it%s", waiting,
		must_stay ? ", and a write of a dead worker hangs" : "");
	if (!must_stay && (!may_stay || !should_stay(old, &g, waiting))) {
		if (waiting > g.ring_bytes)
			g.ring_bytes = old->view.geometry.ring_bytes;
		j = move(old, opts->path, &g, may_stay ? 0 : until_ns,
			 may_stay ? &found->kept : e);
	}
	if (j == NULL && may_stay) {
		journal_limit_slots(old, opts->slots);
		return old;
	}
	close_all(old);
	if (j != NULL && is_wanted(j, opts))
		found->kept.text[0] = '\0';
	return j;
}

/* Map the inputs.  If the table has no row left, j is closed, and a new journal
 * takes its place. */
static struct journal *map_inputs(struct journal *j,
				  const struct journal_opts *opts,
				  struct journal_found *found, int64_t until_ns,
				  struct err *e)
{
	if (journal_map_inputs(j, opts))
		return j;
	snprintf(found->why, sizeof found->why,
		 "its messages and the configuration have more than %d inputs",
		 JOURNAL_INPUTS_MAX);
	found->kept.text[0] = '\0';
	struct journal *old = j;
	j = begin_with_new(opts, found, until_ns, e);
	if (j != NULL)
		j = place(j, opts->path, e);
	close_all(old);
	CHECK(j == NULL || journal_map_inputs(j, opts));
	return j;
}

/* Continue in the locked file.  NULL: if it is not good, found->why is set; if
 * something else failed, *e is. */
static struct journal *resume(int fd, size_t bytes,
			      const struct journal_opts *opts,
			      struct journal_found *found, struct err *e)
{
	const char *path = opts->path;
	struct journal_content content;
	struct journal_view v;
	if (bytes == 0) {
		snprintf(found->why, sizeof found->why, "empty");
		return NULL;
	}
	void *map = journal_file_map(fd, bytes, e);
	if (map == NULL)
		return NULL;
	if (!opts->is_known && !journal_is_ours(map, bytes)) {
		(void)journal_file_is_not_ours(path, e);
		munmap(map, bytes);
		return NULL;
	}
	found->is_replayable = journal_view_read(&v, map, bytes, found->why);
	if (!found->is_replayable ||
	    !journal_content_read(&v, &content, found->why)) {
		munmap(map, bytes);
		return NULL;
	}
	struct journal *j = attach(&v, fd);
	if (!reserve_first(j, path, e)) {
		detach(j);
		return NULL;
	}
	continue_with(j, &content);
	found->from_slots = content.in_slots;
	return j;
}

/* There was no file.  NULL without *failed when another process has made one
 * meanwhile. */
static struct journal *found_nothing(const struct journal_opts *opts,
				     int64_t until_ns, bool *failed,
				     struct err *e)
{
	struct journal_geometry g = journal_geometry_of(opts);
	struct journal *j = make_new(opts->path, &g, until_ns, e);
	*failed = j == NULL;
	if (j == NULL)
		return NULL;
	if (journal_file_exists(opts->path)) {
		journal_file_discard(opts->path, j->fd);
		detach(j);
		return NULL;
	}
	j = place(j, opts->path, e);
	*failed = j == NULL;
	return j;
}

static struct journal *open_file(const struct journal_opts *opts,
				 struct journal_found *found, int64_t until_ns,
				 struct err *e)
{
	int fd = opts->has_fd ? opts->fd : -1;
	for (;; fd = -1) {
		size_t bytes;
		bool failed;
		struct journal *j;
		if (!journal_file_lock_again(opts->path, until_ns, &fd, &bytes,
					     e))
			return NULL;
		if (fd < 0) {
			j = found_nothing(opts, until_ns, &failed, e);
			if (j == NULL && !failed)
				continue;
			return j;
		}
		journal_file_sweep(opts->path);
		found->why[0] = '\0';
		j = resume(fd, bytes, opts, found, e);
		if (j != NULL)
			return is_wanted(j, opts)
				       ? j
				       : change(j, opts, found, until_ns, e);
		/* There may be none: journal_file_lock_again. */
		failed = found->why[0] == '\0' ||
			 (journal_file_exists(opts->path) &&
			  !journal_file_set_aside(opts->path, found->damaged,
						  sizeof found->damaged, e));
		close(fd);
		if (failed)
			return NULL;
	}
}

struct journal *journal_open(const struct journal_opts *opts,
			     struct journal_found *found, struct err *e)
{
	*found = (struct journal_found){0};
	if (opts->has_fd && opts->path == NULL)
		close(opts->fd);
	if (!journal_check_opts(opts, e))
		return NULL;
	int64_t until_ns = clock_mono_ns() + opts->wait_ms * NS_PER_MS;
	struct journal_geometry g = journal_geometry_of(opts);
	struct journal *j = opts->path != NULL
				    ? open_file(opts, found, until_ns, e)
				    : make_new(NULL, &g, 0, e);
	if (j != NULL)
		j = map_inputs(j, opts, found, until_ns, e);
	if (j == NULL)
		return NULL;
	const struct journal_consumer *c = &j->consumer;
	found->is_written_back = j->is_written_back;
	found->died_at_work = journal_find_suspects(j, opts->died_of_other);
	found->messages = j->producer.stats.appended_total - c->seq;
	if (c->hold_seq != UINT64_MAX)
		found->noted = c->hold_seq - c->seq;
	for (uint64_t i = 0; i < found->messages; i++)
		found->replayed += journal_is_replayed(j, c->seq + i);
	return j;
}

int journal_fd(const struct journal *j)
{
	return j->fd;
}

void journal_close(struct journal *j)
{
	if (j != NULL)
		close_all(j);
}
