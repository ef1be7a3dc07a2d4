/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/journal_format.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "journal/journal_check.h"

static const char magic[8] = {'s', 'l', 'u', 'i', 'c', 'e', 'd', 'J'};

static_assert(sizeof(size_t) == 8, "positions and sizes are 64 bits");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "positions need no lock");
static_assert(sizeof(struct journal_header) <= JOURNAL_PAGE_BYTES, "header");
static_assert(offsetof(struct journal_header, version) == 8, "header");
static_assert(offsetof(struct journal_header, geometry) == 16, "header");
static_assert(offsetof(struct journal_header, check) == 48, "header");
static_assert(offsetof(struct journal_header, head) == 64, "header");
static_assert(offsetof(struct journal_header, tail) == 192, "header");
static_assert(offsetof(struct journal_header, work) == 256, "header");
static_assert(offsetof(struct journal_header, replayed) == 384, "header");
static_assert(sizeof(struct journal_replayed) == 512, "no padding");
static_assert(sizeof(struct journal_head_block) == 40, "head");
static_assert(sizeof(struct journal_tail_block) == 40, "tail");
static_assert(sizeof(struct append_note) == 48, "no padding");
static_assert(sizeof(struct journal_noted) == 56, "no padding");
static_assert(sizeof(struct journal_input_row) == 512, "no padding");
static_assert(offsetof(struct journal_item, seq) == JOURNAL_SKIP_BYTES, "item");
static_assert(offsetof(struct journal_item, check) == 24, "item");
static_assert(offsetof(struct journal_item, bytes) == 32, "item");

size_t journal_round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

size_t journal_item_bytes(size_t length)
{
	return journal_round_up(sizeof(struct journal_item) + length, 8);
}

static bool is_possible(const struct journal_geometry *g)
{
	return g->slots >= 1 && g->slots <= JOURNAL_SLOTS_MAX &&
	       g->slot_bytes >= 1 && g->slot_bytes <= JOURNAL_SLOT_BYTES_MAX &&
	       g->counters_bytes <= JOURNAL_COUNTERS_BYTES_MAX &&
	       g->ring_bytes <= PTRDIFF_MAX / 2 &&
	       g->ring_bytes % JOURNAL_PAGE_BYTES == 0 &&
	       g->ring_bytes >= journal_item_bytes(g->slot_bytes);
}

static struct journal_layout lay_out(const struct journal_geometry *g,
				     uint64_t version)
{
	size_t rows =
		version == JOURNAL_VERSION_NUMBERS ? 0 : JOURNAL_INPUTS_MAX;
	struct journal_layout at = {.tails = JOURNAL_PAGE_BYTES};
	at.tail_stride = journal_round_up(sizeof(struct journal_tail_block) +
						  g->counters_bytes,
					  JOURNAL_LINE_BYTES);
	at.headers = at.tails + 2 * at.tail_stride;
	at.iovecs = at.headers + g->slots * sizeof(struct mmsghdr);
	at.controls = at.iovecs + g->slots * sizeof(struct iovec);
	at.inputs = journal_round_up(
		at.controls + g->slots * sizeof(struct journal_control),
		JOURNAL_LINE_BYTES);
	at.notes = journal_round_up(
		at.inputs + rows * sizeof(struct journal_input_row),
		JOURNAL_PAGE_BYTES);
	at.buffers = journal_round_up(
		at.notes + JOURNAL_NOTES_MAX * sizeof(struct journal_noted),
		JOURNAL_PAGE_BYTES);
	at.buffer_stride = journal_round_up(g->slot_bytes, JOURNAL_PAGE_BYTES);
	at.ring = at.buffers + g->slots * at.buffer_stride;
	at.end = at.ring + g->ring_bytes;
	return at;
}

static struct journal_view view_of(void *base, const struct journal_geometry *g,
				   uint64_t version)
{
	return (struct journal_view){
		.base = base,
		.version = version,
		.header = base,
		.geometry = *g,
		.at = lay_out(g, version),
	};
}

struct journal_view journal_view_make(void *base,
				      const struct journal_geometry *g)
{
	return view_of(base, g, JOURNAL_VERSION);
}

void journal_format(struct journal_view *v)
{
	struct journal_header *h = v->header;
	memcpy(h->magic, magic, sizeof magic);
	h->version = JOURNAL_VERSION;
	h->geometry = v->geometry;
	h->check = journal_header_check(h);
	h->heads[0].check = journal_head_check(&h->heads[0]);
	for (size_t i = 0; i < v->geometry.slots; i++)
		journal_headers_at(v)[i].msg_len = JOURNAL_SLOT_EMPTY;
	/* Even, because the block is block 0; not 0, because noted_number is 0
	 * in a new file and would name notes of this commit. */
	struct journal_tail_block *tail = journal_tail_at(v, 0);
	tail->number = 2;
	tail->check = journal_tail_check(tail, "");
}

struct journal_item *journal_item_at(const struct journal_view *v,
				     uint64_t position)
{
	return (void *)(v->base + v->at.ring +
			position % v->geometry.ring_bytes);
}

struct journal_tail_block *journal_tail_at(const struct journal_view *v,
					   unsigned which)
{
	return (void *)(v->base + v->at.tails + which * v->at.tail_stride);
}

void *journal_counters_at(const struct journal_view *v, unsigned which)
{
	return journal_tail_at(v, which) + 1;
}

struct journal_noted *journal_notes_at(const struct journal_view *v)
{
	return (void *)(v->base + v->at.notes);
}

struct journal_input_row *journal_row_at(const struct journal_view *v,
					 size_t row)
{
	struct journal_input_row *rows = (void *)(v->base + v->at.inputs);
	return &rows[row];
}

static bool is_described(const struct journal_view *v, size_t row)
{
	return v->version != JOURNAL_VERSION_NUMBERS &&
	       journal_row_at(v, row)->check != 0;
}

static bool is_good_row(const struct journal_input_row *row)
{
	const struct journal_input *in = &row->input;
	return row->check == journal_input_check(in) &&
	       in->address[sizeof in->address - 1] == '\0' &&
	       in->name[sizeof in->name - 1] == '\0' &&
	       in->tag[sizeof in->tag - 1] == '\0' &&
	       in->parser[sizeof in->parser - 1] == '\0';
}

const struct journal_input *journal_input_at(const struct journal_view *v,
					     size_t row)
{
	if (row >= JOURNAL_INPUTS_MAX || !is_described(v, row) ||
	    !is_good_row(journal_row_at(v, row)))
		return NULL;
	return &journal_row_at(v, row)->input;
}

struct mmsghdr *journal_headers_at(const struct journal_view *v)
{
	return (void *)(v->base + v->at.headers);
}

struct journal_control *journal_control_at(const struct journal_view *v,
					   size_t slot)
{
	struct journal_control *all = (void *)(v->base + v->at.controls);
	return &all[slot];
}

char *journal_buffer_at(const struct journal_view *v, size_t slot)
{
	return v->base + v->at.buffers + slot * v->at.buffer_stride;
}

PRINTF_LIKE(2, 3)
static bool damaged(char why[static JOURNAL_WHY_BYTES], const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why, JOURNAL_WHY_BYTES, format, args);
	va_end(args);
	return false;
}

bool journal_is_ours(const void *base, size_t file_bytes)
{
	const char *bytes = base;
	size_t size = file_bytes < JOURNAL_PAGE_BYTES ? file_bytes
						      : JOURNAL_PAGE_BYTES;
	size_t right = 0;
	while (right < size && right < sizeof magic &&
	       bytes[right] == magic[right])
		right++;
	size_t zero = right;
	while (zero < size && bytes[zero] == '\0')
		zero++;
	if (right == sizeof magic || zero == size)
		return true;
	if (size < sizeof(struct journal_header))
		return false;
	struct journal_header mended;
	memcpy(&mended, base, sizeof mended);
	memcpy(mended.magic, magic, sizeof magic);
	return mended.check == journal_header_check(&mended);
}

bool journal_view_read(struct journal_view *v, void *base, size_t file_bytes,
		       char why[static JOURNAL_WHY_BYTES])
{
	const struct journal_header *h = base;
	size_t begin = file_bytes < sizeof magic ? file_bytes : sizeof magic;
	if (memcmp(h->magic, magic, begin) != 0)
		return damaged(why, "not a journal of sluiced");
	if (file_bytes < JOURNAL_PAGE_BYTES)
		return damaged(why, "truncated to %zu bytes", file_bytes);
	if (h->version != JOURNAL_VERSION &&
	    h->version != JOURNAL_VERSION_NUMBERS)
		return damaged(why,
			       "its version is %" PRIu64
			       "; this sluiced reads 1 to %d",
			       h->version, JOURNAL_VERSION);
	if (h->check != journal_header_check(h) || !is_possible(&h->geometry))
		return damaged(why, "its header is damaged");
	*v = view_of(base, &h->geometry, h->version);
	if (file_bytes < v->at.end)
		return damaged(why, "truncated to %zu bytes, of %zu",
			       file_bytes, v->at.end);
	return true;
}

/* A living owner may write while this process reads.  Then the word has changed
 * meanwhile, and reading again helps. */
enum { READ_TRIES = 100 };

static bool read_head(const struct journal_view *v,
		      struct journal_head_block *out)
{
	struct journal_header *h = v->header;
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t word = atomic_load(&h->head);
		*out = h->heads[word & 1];
		if (out->word == word && out->check == journal_head_check(out))
			return true;
		if (atomic_load(&h->head) == word)
			break;
	}
	return false;
}

static bool read_tail(const struct journal_view *v,
		      struct journal_tail_block *out, const void **counters)
{
	struct journal_header *h = v->header;
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t word = atomic_load(&h->tail);
		*out = *journal_tail_at(v, word & 1);
		*counters = journal_counters_at(v, word & 1);
		if (out->word == word &&
		    out->counters_bytes <= v->geometry.counters_bytes &&
		    out->check == journal_tail_check(out, *counters))
			return true;
		if (atomic_load(&h->tail) == word)
			break;
	}
	return false;
}

bool journal_state_read(const struct journal_view *v, struct journal_state *s,
			char why[static JOURNAL_WHY_BYTES])
{
	/* Read the tail first, so that the head is at least as new. */
	if (!read_tail(v, &s->tail, &s->counters))
		return damaged(why, "its tail is damaged");
	if (!read_head(v, &s->head))
		return damaged(why, "its head is damaged");
	uint64_t tail = s->tail.word & ~UINT64_C(1);
	s->end = s->head.word & ~UINT64_C(1);
	s->begin = tail > s->head.start ? tail : s->head.start;
	if (s->begin % 8 != 0 || s->end % 8 != 0 || s->begin > s->end ||
	    s->end - s->begin > v->geometry.ring_bytes)
		return damaged(why, "its head or tail position is invalid");
	return true;
}

struct journal_walk journal_walk_of(const struct journal_state *s)
{
	return (struct journal_walk){
		.at = s->begin,
		.end = s->end,
		.seq = s->tail.seq,
	};
}

static bool is_good_skip(const struct journal_item *item, uint64_t to_end,
			 const struct journal_walk *w)
{
	return item->length == 0 && item->input == 0 && to_end < w->end - w->at;
}

/* The item is copied before it is examined, because its owner may be alive. */
enum journal_step journal_walk_next(const struct journal_view *v,
				    struct journal_walk *w,
				    struct journal_entry *out)
{
	if (w->at == w->end)
		return JOURNAL_END;
	uint64_t ring_bytes = v->geometry.ring_bytes;
	uint64_t to_end = ring_bytes - w->at % ring_bytes;
	const struct journal_item *place = journal_item_at(v, w->at);
	struct journal_item item = {0};
	memcpy(&item, place, JOURNAL_SKIP_BYTES);
	if (item.kind == JOURNAL_SKIP) {
		if (!is_good_skip(&item, to_end, w))
			return JOURNAL_BAD;
		w->at += to_end;
		to_end = ring_bytes;
		place = journal_item_at(v, w->at);
	}
	if (to_end > w->end - w->at)
		to_end = w->end - w->at;
	if (to_end < sizeof item)
		return JOURNAL_BAD;
	memcpy(&item, place, sizeof item);
	if (item.kind != JOURNAL_MESSAGE || item.seq != w->seq ||
	    journal_row_of(item.input) >= JOURNAL_INPUTS_MAX ||
	    journal_item_bytes(item.length) > to_end ||
	    item.check != journal_item_check(&item, place->bytes))
		return JOURNAL_BAD;
	w->at += journal_item_bytes(item.length);
	w->seq++;
	*out = (struct journal_entry){
		.bytes = span_make(place->bytes, item.length),
		.seq = item.seq,
		.arrival_ns = item.arrival_ns,
		.input = item.input,
	};
	return JOURNAL_FOUND;
}

struct journal_replayed journal_replayed_read(const struct journal_view *v)
{
	struct journal_replayed r = v->header->replayed;
	if (r.unsent_count > JOURNAL_UNSENT_MAX ||
	    r.check != journal_replayed_check(&r))
		return (struct journal_replayed){0};
	return r;
}

bool journal_replayed_has(const struct journal_replayed *r, uint64_t seq)
{
	for (uint64_t i = 0; i < r->unsent_count; i++)
		if (r->unsent[i] == seq)
			return false;
	return seq < r->end_seq;
}

static int64_t arrival_of(const struct journal_control *control,
			  size_t control_bytes, int64_t now_ns)
{
	struct msghdr m = {
		.msg_control = (void *)(uintptr_t)control->bytes,
		.msg_controllen =
			control_bytes <= sizeof *control ? control_bytes : 0,
	};
	const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct timespec ts;
	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_TIMESTAMPNS ||
	    c->cmsg_len < CMSG_LEN(sizeof ts))
		return now_ns;
	memcpy(&ts, CMSG_DATA(c), sizeof ts);
	if (ts.tv_sec < 0 || ts.tv_sec >= INT64_MAX / NS_PER_S ||
	    ts.tv_nsec < 0 || ts.tv_nsec >= NS_PER_S)
		return now_ns;
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

struct journal_entry journal_slot_entry(const struct journal_view *v,
					size_t slot, int64_t now_ns)
{
	const struct mmsghdr *h = &journal_headers_at(v)[slot];
	return (struct journal_entry){
		.bytes = span_make(journal_buffer_at(v, slot), h->msg_len),
		.arrival_ns = arrival_of(journal_control_at(v, slot),
					 h->msg_hdr.msg_controllen, now_ns),
		.input = (uint16_t)atomic_load_explicit(&v->header->slots_input,
							memory_order_relaxed),
	};
}

static void use_row(struct journal_content *c, unsigned row)
{
	c->used_rows |= UINT64_C(1) << row;
}

/* A row is described before the first message uses it. */
static bool check_rows(const struct journal_view *v,
		       const struct journal_content *c,
		       char why[static JOURNAL_WHY_BYTES])
{
	for (size_t i = 0; i < JOURNAL_INPUTS_MAX; i++)
		if ((c->used_rows >> i & 1) != 0 && is_described(v, i) &&
		    !is_good_row(journal_row_at(v, i)))
			return damaged(why, "its input %zu is damaged", i);
	return true;
}

/* Datagrams that recvmmsg received and journal_append did not append. */
static bool read_slots(const struct journal_view *v, struct journal_content *c,
		       char why[static JOURNAL_WHY_BYTES])
{
	c->in_slots = 0;
	if (atomic_load(&v->header->slots_head) != c->state.head.word)
		return true;
	const struct mmsghdr *headers = journal_headers_at(v);
	for (unsigned i = 0; i < v->geometry.slots; i++) {
		if (headers[i].msg_len == JOURNAL_SLOT_EMPTY)
			return true;
		if (headers[i].msg_len > v->geometry.slot_bytes)
			return damaged(
				why, "slot %u has an invalid length, %u bytes",
				i, headers[i].msg_len);
		c->in_slots++;
	}
	return true;
}

static bool read_slots_input(const struct journal_view *v,
			     struct journal_content *c,
			     char why[static JOURNAL_WHY_BYTES])
{
	uint64_t input = atomic_load(&v->header->slots_input);
	if (c->in_slots == 0)
		return true;
	if (input > UINT16_MAX ||
	    journal_row_of((uint16_t)input) >= JOURNAL_INPUTS_MAX)
		return damaged(why, "its slots name an invalid input");
	use_row(c, journal_row_of((uint16_t)input));
	return true;
}

static bool read_notes(const struct journal_view *v, struct journal_content *c,
		       char why[static JOURNAL_WHY_BYTES])
{
	const struct journal_header *h = v->header;
	c->notes = 0;
	/* If not equal, the notes are of a batch that was committed. */
	if (atomic_load(&h->noted_number) != c->state.tail.number)
		return true;
	c->notes = atomic_load(&h->noted_count);
	c->noted_end_seq = atomic_load(&h->noted_end_seq);
	if (c->notes == 0)
		return true;
	if (c->notes > JOURNAL_NOTES_MAX ||
	    c->noted_end_seq < c->state.tail.seq ||
	    c->noted_end_seq > c->next_seq)
		return damaged(why,
			       "the number or range of its notes is invalid");
	const struct journal_noted *notes = journal_notes_at(v);
	for (uint64_t i = 0; i < c->notes; i++)
		if (!journal_note_is_valid(&notes[i]))
			return damaged(why, "note %" PRIu64 " is damaged", i);
	return true;
}

bool journal_content_read(const struct journal_view *v,
			  struct journal_content *c,
			  char why[static JOURNAL_WHY_BYTES])
{
	if (!journal_state_read(v, &c->state, why))
		return false;
	struct journal_walk walk = journal_walk_of(&c->state);
	struct journal_entry entry;
	enum journal_step step;
	c->used_rows = 0;
	while ((step = journal_walk_next(v, &walk, &entry)) == JOURNAL_FOUND)
		use_row(c, journal_row_of(entry.input));
	if (step == JOURNAL_BAD)
		return damaged(why, "damaged at message %" PRIu64, walk.seq);
	c->next_seq = walk.seq;
	return read_slots(v, c, why) && read_slots_input(v, c, why) &&
	       check_rows(v, c, why) && read_notes(v, c, why);
}
