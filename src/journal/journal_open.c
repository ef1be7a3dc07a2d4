/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, with a path:
 *
 * 1. Lock the file.  If there is none, make one (4).
 * 2. Check all of it without changing anything.  If it is not good, rename it
 *    and make a new one (4).
 * 3. Append the datagrams that were received and not appended (journal.c, b).
 *    If the file has the wanted version and geometry, continue in it.  If not,
 *    copy the messages that are not committed, the inputs, the notes and the
 *    counters to a new file (4).  If they do not fit, rename the old file and
 *    make a new one (4).
 * 4. Make PATH.new completely, and rename it to PATH.
 * 5. Map the inputs to the rows of the table (journal_inputs.c).  If the table
 *    has no row left, rename the file and make a new one (4).
 *
 * A process that is killed in between leaves either the old file or the new one
 * under the name.  The next process uses a PATH.new that was left behind. */
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

static bool check_opts(const struct journal_opts *opts, struct err *e)
{
	if (opts->slots < 1 || opts->slots > JOURNAL_SLOTS_MAX)
		return err_set(e, "journal: %u slots; must be 1 to %d",
			       opts->slots, JOURNAL_SLOTS_MAX);
	if (opts->slot_bytes < 1 || opts->slot_bytes > JOURNAL_SLOT_BYTES_MAX)
		return err_set(e,
			       "journal: messages of up to %zu bytes; "
			       "must be 1 to %d",
			       opts->slot_bytes, JOURNAL_SLOT_BYTES_MAX);
	if (opts->ring_bytes > PTRDIFF_MAX / 2 - JOURNAL_PAGE_BYTES)
		return err_set(e,
			       "journal: %zu bytes are too many; "
			       "must be at most %td",
			       opts->ring_bytes,
			       PTRDIFF_MAX / 2 - JOURNAL_PAGE_BYTES);
	if (opts->counters_bytes > JOURNAL_COUNTERS_BYTES_MAX)
		return err_set(e,
			       "journal: %zu bytes of counters are too many; "
			       "must be at most %d",
			       opts->counters_bytes,
			       JOURNAL_COUNTERS_BYTES_MAX);
	CHECK(opts->input_count <= JOURNAL_INPUTS_MAX);
	size_t need = journal_item_bytes(opts->slot_bytes);
	if (journal_round_up(opts->ring_bytes, JOURNAL_PAGE_BYTES) < need)
		return err_set(e,
			       "journal: %zu bytes are too few: one message of "
			       "%zu bytes needs %zu",
			       opts->ring_bytes, opts->slot_bytes, need);
	return true;
}

static struct journal_geometry geometry_of(const struct journal_opts *opts)
{
	return (struct journal_geometry){
		.ring_bytes =
			journal_round_up(opts->ring_bytes, JOURNAL_PAGE_BYTES),
		.slot_bytes = opts->slot_bytes,
		.counters_bytes = opts->counters_bytes,
		.slots = opts->slots,
	};
}

static bool is_same(const struct journal_geometry *a,
		    const struct journal_geometry *b)
{
	return a->ring_bytes == b->ring_bytes &&
	       a->slot_bytes == b->slot_bytes &&
	       a->counters_bytes == b->counters_bytes && a->slots == b->slots;
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

/* Reserve the parts that must exist before anything is stored. */
static bool reserve_first(struct journal *j, const char *path, struct err *e)
{
	size_t stride = j->view.at.buffer_stride;
	size_t slots = j->view.geometry.slots;
	if (j->fd >= 0 && slots * stride > FIRST_SLOTS_BYTES)
		slots = stride < FIRST_SLOTS_BYTES ? FIRST_SLOTS_BYTES / stride
						   : 1;
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

static void take_state(struct journal *j, const struct journal_content *c)
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

/* The file is good and locked: continue where the previous process stopped. */
static void continue_with(struct journal *j, const struct journal_content *c)
{
	take_state(j, c);
	if (c->in_slots > 0)
		journal_take_over(j, c->in_slots, clock_real_ns());
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
static struct journal *make_new(const struct journal_opts *opts,
				int64_t until_ns, struct err *e)
{
	struct journal_geometry g = geometry_of(opts);
	int fd = -1;
	size_t bytes = journal_view_make(NULL, &g).at.end;
	if (opts->path != NULL &&
	    !journal_file_make(opts->path, until_ns, bytes, &fd, e))
		return NULL;
	struct journal *j = begin(opts->path, fd, &g, e);
	if (j == NULL && fd >= 0)
		journal_file_discard(opts->path, fd);
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

/* Copy the uncommitted messages of `from`, its inputs, notes, totals and
 * counters to the new journal `to`.  False when there is not enough room. */
static bool carry_over(struct journal *to, struct journal *from)
{
	struct journal_content c;
	char why[JOURNAL_WHY_BYTES];
	CHECK(journal_content_read(&from->view, &c, why));
	struct journal_producer *p = &to->producer;
	p->stats = from->producer.stats;
	to->consumer.seq = c.state.tail.seq;
	size_t bytes = c.state.tail.counters_bytes;
	if (bytes > to->view.geometry.counters_bytes)
		bytes = 0;
	journal_commit(to, c.state.counters, bytes);

	size_t row_bytes = sizeof(struct journal_input_row);
	if (from->view.version != JOURNAL_VERSION_NUMBERS)
		memcpy(journal_row_at(&to->view, 0),
		       journal_row_at(&from->view, 0),
		       JOURNAL_INPUTS_MAX * row_bytes);
	struct journal_header *h = to->view.header;
	const struct journal_header *old = from->view.header;
	atomic_store(&h->work, atomic_load(&old->work));
	for (size_t i = 0; i < JOURNAL_SUSPECTS_MAX; i++)
		atomic_store(&h->suspects[i], atomic_load(&old->suspects[i]));
	struct journal_walk walk = journal_walk_of(&c.state);
	struct journal_entry entry;
	p->stats.appended_total = walk.seq;
	while (journal_walk_next(&from->view, &walk, &entry) == JOURNAL_FOUND)
		if (!journal_put(to, &entry))
			return false;
	journal_publish(to);

	const struct journal_noted *notes = journal_notes_at(&from->view);
	for (uint64_t i = 0; i < c.notes; i++) {
		to->consumer.seq = c.noted_end_seq;
		journal_note(to, &notes[i].note);
	}
	CHECK(journal_content_read(&to->view, &c, why));
	free(to->consumer.counters);
	take_state(to, &c);
	return true;
}

/* Rename the file whose lock is held, and make a new one. */
static struct journal *begin_with_new(const struct journal_opts *opts,
				      struct journal_found *found,
				      int64_t until_ns, struct err *e)
{
	if (!journal_file_set_aside(opts->path, found->damaged,
				    sizeof found->damaged, e))
		return NULL;
	return make_new(opts, until_ns, e);
}

/* Move the messages to a file of the wanted version and geometry.  Closes
 * `old`. */
static struct journal *migrate(struct journal *old,
			       const struct journal_opts *opts,
			       struct journal_found *found, int64_t until_ns,
			       struct err *e)
{
	struct journal *j = make_new(opts, until_ns, e);
	if (j != NULL && !carry_over(j, old)) {
		const struct journal_geometry *g = &old->view.geometry;
		snprintf(found->why, sizeof found->why,
			 "it has another size (%" PRIu64 " bytes, messages of "
			 "up to %" PRIu64 "), and its messages do not fit",
			 g->ring_bytes, g->slot_bytes);
		journal_file_discard(opts->path, j->fd);
		detach(j);
		j = begin_with_new(opts, found, until_ns, e);
	}
	if (j != NULL)
		j = place(j, opts->path, e);
	close_all(old);
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
static struct journal *resume(int fd, size_t bytes, const char *path,
			      struct journal_found *found, struct err *e)
{
	struct journal_content content;
	struct journal_view v;
	if (bytes == 0) {
		snprintf(found->why, sizeof found->why, "empty");
		return NULL;
	}
	void *map = journal_file_map(fd, bytes, e);
	if (map == NULL)
		return NULL;
	if (!journal_view_read(&v, map, bytes, found->why) ||
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
	struct journal *j = make_new(opts, until_ns, e);
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

static bool is_wanted(const struct journal *j, const struct journal_opts *opts)
{
	struct journal_geometry g = geometry_of(opts);
	return j->view.version == JOURNAL_VERSION &&
	       is_same(&g, &j->view.geometry);
}

static struct journal *open_file(const struct journal_opts *opts,
				 struct journal_found *found, int64_t until_ns,
				 struct err *e)
{
	for (;;) {
		int fd;
		size_t bytes;
		bool failed;
		struct journal *j;
		if (!journal_file_lock(opts->path, until_ns, &fd, &bytes, e))
			return NULL;
		if (fd < 0) {
			j = found_nothing(opts, until_ns, &failed, e);
			if (j == NULL && !failed)
				continue;
			return j;
		}
		found->why[0] = '\0';
		j = resume(fd, bytes, opts->path, found, e);
		if (j != NULL)
			return is_wanted(j, opts)
				       ? j
				       : migrate(j, opts, found, until_ns, e);
		failed = found->why[0] == '\0' ||
			 !journal_file_set_aside(opts->path, found->damaged,
						 sizeof found->damaged, e);
		close(fd);
		if (failed)
			return NULL;
	}
}

struct journal *journal_open(const struct journal_opts *opts,
			     struct journal_found *found, struct err *e)
{
	*found = (struct journal_found){0};
	if (!check_opts(opts, e))
		return NULL;
	int64_t until_ns = clock_mono_ns() + opts->wait_ms * NS_PER_MS;
	struct journal *j = opts->path != NULL
				    ? open_file(opts, found, until_ns, e)
				    : make_new(opts, 0, e);
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
	return j;
}

void journal_close(struct journal *j)
{
	if (j != NULL)
		close_all(j);
}
