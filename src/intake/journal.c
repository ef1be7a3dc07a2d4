/* SPDX-License-Identifier: Apache-2.0 */
/* One batch through the journal, with its two threads:
 *
 * 1. The producer has recvmmsg fill the slots and calls journal_append.
 * 2. It loads tail (acquire): what lies before it is read and free.
 * 3. It copies each datagram behind its private head: no one looks there.
 * 4. It stores head (release), once for the batch: the entries are published.
 * 5. The consumer, when it has read all that it knew of, loads head (acquire)
 *    and takes entry after entry up to there, moving its private read.
 * 6. journal_commit stores tail = read (release): the room is free, step 2.
 *
 * Each position has one writer, and a stale value of it is only cautious: the
 * producer sees less room, the consumer fewer entries, than there are.
 *
 * The entry does not fit before the end of the ring: a skip fills the rest,
 * and the entry goes to the beginning.  Both are published by one head, so
 * behind a skip there always is an entry.
 *
 * The entry does not fit at all: it is refused and counted, nothing is written.
 *
 * The ring is empty: the producer sees tail == head in step 2.  When a part of
 * the ring has been used up it moves both to the next multiple of the ring's
 * size, tail at once and head in step 4.
 * This is the one time that it writes tail, and it is safe, since
 * - the consumer writes tail only when it has taken something since its last
 *   commit; then tail < head until that commit, and the producer does not get
 *   here.  A commit of nothing must therefore store nothing;
 * - with tail == head everything taken is committed, so no one holds bytes of
 *   the ring;
 * - between the two stores the consumer sees the old head, which is its read:
 *   nothing to take.  When it sees the new head it sees the new tail too
 *   (release, acquire), finds its read behind it and continues from tail.
 *   At least one entry lies there: into an empty ring any entry fits.
 * Found in a file after a crash, tail > head is this instant: an empty ring. */
#include "intake/journal.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	MAP_VERSION = 1,
	CACHE_LINE_BYTES = 64,
	SLOTS_MAX = 1024, /* what recvmmsg takes at once, UIO_MAXIOV */
	SLOT_BYTES_MAX = 64 << 20,
};

static const char map_magic[8] = {'s', 'l', 'u', 'i', 'c', 'e', 'd', 'J'};

/* The first page of the map. */
struct map_header {
	char magic[8];
	uint32_t version;
	uint32_t slots;
	uint64_t slot_bytes;
	uint64_t ring_bytes;
	_Alignas(CACHE_LINE_BYTES) _Atomic uint64_t head;
	_Alignas(CACHE_LINE_BYTES) _Atomic uint64_t tail;
};

enum entry_kind { ENTRY_MESSAGE = 1, ENTRY_SKIP = 2 };

/* At the end of the ring there may be room for the first 8 bytes only; a skip
 * needs no more. */
struct entry {
	uint32_t length;
	uint16_t source;
	uint16_t kind;
	uint64_t seq;
	int64_t arrival_ns;
	char bytes[];
};

enum { ENTRY_ALIGN = 8 };

/* Start over when a 256th of the ring is used: 256 KiB of 64 MiB.  Each time
 * the positions advance by a whole ring, so if it were done for each message,
 * 64 bits would last half a year at 20,000 messages a second; like this they
 * last 50 years at 50,000. */
enum { USED_PART = 256 };

static_assert(sizeof(size_t) == 8, "positions and sizes are 64 bits");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "positions need no lock");
static_assert(offsetof(struct map_header, slot_bytes) == 16, "map");
static_assert(offsetof(struct map_header, ring_bytes) == 24, "map");
static_assert(offsetof(struct map_header, head) == 64, "map");
static_assert(offsetof(struct map_header, tail) == 128, "map");
static_assert(sizeof(struct map_header) == 192, "map");
static_assert(offsetof(struct entry, kind) == 6, "a skip is 8 bytes");
static_assert(offsetof(struct entry, seq) == 8, "entry");
static_assert(offsetof(struct entry, arrival_ns) == 16, "entry");
static_assert(offsetof(struct entry, bytes) == 24, "entry");
static_assert(sizeof(struct entry) == 24, "entry");

/* Room for the one control message that is asked for. */
struct slot_control {
	_Alignas(
		struct cmsghdr) char bytes[CMSG_SPACE(sizeof(struct timespec))];
};

/* Where things lie in the map, in this order. */
struct layout {
	size_t headers;	 /* struct mmsghdr [slots] */
	size_t iovecs;	 /* struct iovec [slots] */
	size_t controls; /* struct slot_control [slots] */
	size_t buffers;	 /* slot_bytes, rounded up, for each slot */
	size_t ring;
	size_t end;
};

struct producer {
	uint64_t head;
	uint64_t tail; /* as last seen */
	uint64_t next_seq;
	struct journal_stats stats;
};

struct consumer {
	uint64_t read;
	uint64_t head;	    /* as last seen */
	uint64_t committed; /* read, at the last commit */
};

struct journal {
	struct map_header *map;
	size_t map_bytes;
	struct mmsghdr *headers;
	unsigned slots;
	size_t slot_bytes;
	char *ring;
	size_t ring_bytes;
	char apart_1[CACHE_LINE_BYTES];
	struct producer producer;
	char apart_2[CACHE_LINE_BYTES];
	struct consumer consumer;
};

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static size_t entry_bytes(size_t length)
{
	return round_up(sizeof(struct entry) + length, ENTRY_ALIGN);
}

static struct entry *entry_at(const struct journal *j, uint64_t position)
{
	return (void *)(j->ring + position % j->ring_bytes);
}

static uint64_t next_lap(const struct journal *j, uint64_t position)
{
	return round_up(position, j->ring_bytes);
}

static bool check_opts(const struct journal_opts *opts, struct err *e)
{
	if (opts->slots < 1 || opts->slots > SLOTS_MAX)
		return err_set(e, "journal: %u slots; 1 to %d are possible",
			       opts->slots, SLOTS_MAX);
	if (opts->slot_bytes < 1 || opts->slot_bytes > SLOT_BYTES_MAX)
		return err_set(e,
			       "journal: messages of up to %zu bytes; "
			       "1 to %d are possible",
			       opts->slot_bytes, SLOT_BYTES_MAX);
	if (opts->ring_bytes > PTRDIFF_MAX)
		return err_set(e, "journal: %zu bytes are too many",
			       opts->ring_bytes);
	return true;
}

static struct layout lay_out(const struct journal_opts *opts, size_t ring_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t n = opts->slots;
	struct layout at = {.headers = page};
	at.iovecs = at.headers + n * sizeof(struct mmsghdr);
	at.controls = at.iovecs + n * sizeof(struct iovec);
	at.buffers =
		round_up(at.controls + n * sizeof(struct slot_control), page);
	at.ring = at.buffers + n * round_up(opts->slot_bytes, page);
	at.end = at.ring + ring_bytes;
	return at;
}

/* Also between one use and the next: what recvmmsg has changed. */
static void make_ready(struct mmsghdr *slot)
{
	slot->msg_hdr.msg_controllen = sizeof(struct slot_control);
	slot->msg_hdr.msg_flags = 0;
	slot->msg_len = 0;
}

static void make_slots(struct journal *j, const struct layout *at)
{
	char *base = (char *)j->map;
	struct iovec *iovecs = (void *)(base + at->iovecs);
	struct slot_control *controls = (void *)(base + at->controls);
	size_t stride = (at->ring - at->buffers) / j->slots;

	j->headers = (void *)(base + at->headers);
	for (unsigned i = 0; i < j->slots; i++) {
		iovecs[i] = (struct iovec){
			.iov_base = base + at->buffers + i * stride,
			.iov_len = j->slot_bytes,
		};
		j->headers[i].msg_hdr = (struct msghdr){
			.msg_iov = &iovecs[i],
			.msg_iovlen = 1,
			.msg_control = &controls[i],
		};
		make_ready(&j->headers[i]);
	}
}

static void make_header(struct journal *j)
{
	memcpy(j->map->magic, map_magic, sizeof map_magic);
	j->map->version = MAP_VERSION;
	j->map->slots = j->slots;
	j->map->slot_bytes = j->slot_bytes;
	j->map->ring_bytes = j->ring_bytes;
	/* head and tail are 0, as all of a new map is. */
}

static void start_over(struct journal *j)
{
	struct producer *p = &j->producer;
	if (p->head % j->ring_bytes < j->ring_bytes / USED_PART)
		return;
	p->head = next_lap(j, p->head);
	p->tail = p->head;
	/* Published with head, which follows. */
	atomic_store_explicit(&j->map->tail, p->tail, memory_order_relaxed);
}

static int64_t arrival_of(const struct msghdr *m, int64_t now_ns)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_TIMESTAMPNS)
		return now_ns;
	struct timespec ts;
	memcpy(&ts, CMSG_DATA(c), sizeof ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Where an entry of that size goes; NULL when there is no room. */
static struct entry *make_room(struct journal *j, size_t need)
{
	struct producer *p = &j->producer;
	size_t free_bytes = j->ring_bytes - (size_t)(p->head - p->tail);
	size_t to_end = j->ring_bytes - (size_t)(p->head % j->ring_bytes);
	size_t skipped = need <= to_end ? 0 : to_end;
	if (skipped + need > free_bytes)
		return NULL;
	if (skipped > 0) {
		struct entry *skip = entry_at(j, p->head);
		skip->length = 0;
		skip->source = 0;
		skip->kind = ENTRY_SKIP;
	}
	struct entry *entry = entry_at(j, p->head + skipped);
	p->head += skipped + need;
	return entry;
}

static bool put(struct journal *j, const struct mmsghdr *slot, uint16_t source,
		int64_t now_ns)
{
	struct producer *p = &j->producer;
	size_t length = slot->msg_len;
	CHECK(length <= j->slot_bytes);
	if ((slot->msg_hdr.msg_flags & MSG_TRUNC) != 0)
		p->stats.truncated_total++;

	struct entry *entry = make_room(j, entry_bytes(length));
	if (entry == NULL) {
		p->stats.refused_total++;
		return false;
	}
	entry->length = (uint32_t)length;
	entry->source = source;
	entry->kind = ENTRY_MESSAGE;
	entry->seq = p->next_seq++;
	entry->arrival_ns = arrival_of(&slot->msg_hdr, now_ns);
	memcpy(entry->bytes, slot->msg_hdr.msg_iov->iov_base, length);
	p->stats.appended_total++;
	return true;
}

/* Whether there is more to take than the consumer knew of. */
static bool look_again(struct journal *j)
{
	struct consumer *c = &j->consumer;
	c->head = atomic_load_explicit(&j->map->head, memory_order_acquire);
	if (c->head == c->read)
		return false;
	uint64_t tail =
		atomic_load_explicit(&j->map->tail, memory_order_relaxed);
	if (tail > c->read) /* the producer has started over */
		c->read = tail;
	return true;
}

struct journal *journal_open(const struct journal_opts *opts, struct err *e)
{
	if (!check_opts(opts, e))
		return NULL;
	size_t ring_bytes =
		round_up(opts->ring_bytes, (size_t)sysconf(_SC_PAGESIZE));
	if (entry_bytes(opts->slot_bytes) > ring_bytes) {
		err_set(e,
			"journal: %zu bytes are too few, one message of "
			"%zu bytes needs %zu",
			opts->ring_bytes, opts->slot_bytes,
			entry_bytes(opts->slot_bytes));
		return NULL;
	}
	struct layout at = lay_out(opts, ring_bytes);
	void *map = mmap(NULL, at.end, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED) {
		err_sys(e, errno, "journal: map %zu bytes", at.end);
		return NULL;
	}
	/* A huge page would make 2 MiB of each page that is touched.  Fails
	 * on a kernel without huge pages, which is as good. */
	(void)madvise(map, at.end, MADV_NOHUGEPAGE);

	struct journal *j = mem_new(1, sizeof *j);
	j->map = map;
	j->map_bytes = at.end;
	j->slots = opts->slots;
	j->slot_bytes = opts->slot_bytes;
	j->ring = (char *)map + at.ring;
	j->ring_bytes = ring_bytes;
	make_header(j);
	make_slots(j, &at);
	return j;
}

void journal_close(struct journal *j)
{
	if (j == NULL)
		return;
	munmap(j->map, j->map_bytes);
	free(j);
}

struct mmsghdr *journal_slots(struct journal *j, unsigned *count)
{
	*count = j->slots;
	return j->headers;
}

unsigned journal_append(struct journal *j, unsigned received, uint16_t source,
			int64_t now_ns)
{
	CHECK(received <= j->slots);
	if (received == 0)
		return 0;
	struct producer *p = &j->producer;
	p->tail = atomic_load_explicit(&j->map->tail, memory_order_acquire);
	if (p->tail == p->head)
		start_over(j);
	unsigned appended = 0;
	for (unsigned i = 0; i < received; i++) {
		appended += put(j, &j->headers[i], source, now_ns);
		make_ready(&j->headers[i]);
	}
	atomic_store_explicit(&j->map->head, p->head, memory_order_release);
	return appended;
}

const struct journal_stats *journal_stats(const struct journal *j)
{
	return &j->producer.stats;
}

size_t journal_room(const struct journal *j)
{
	uint64_t tail =
		atomic_load_explicit(&j->map->tail, memory_order_acquire);
	size_t free_bytes = j->ring_bytes - (size_t)(j->producer.head - tail);
	size_t n = free_bytes / entry_bytes(j->slot_bytes);
	/* A skip may take up to one; an empty ring has room for one always. */
	return n > 1 ? n - 1 : tail == j->producer.head;
}

bool journal_take(struct journal *j, struct journal_entry *out)
{
	struct consumer *c = &j->consumer;
	if (c->read == c->head && !look_again(j))
		return false;
	const struct entry *entry = entry_at(j, c->read);
	if (entry->kind == ENTRY_SKIP) {
		c->read = next_lap(j, c->read);
		entry = entry_at(j, c->read);
	}
	CHECK(entry->kind == ENTRY_MESSAGE);
	*out = (struct journal_entry){
		.bytes = span_make(entry->bytes, entry->length),
		.seq = entry->seq,
		.arrival_ns = entry->arrival_ns,
		.source = entry->source,
	};
	c->read += entry_bytes(entry->length);
	return true;
}

void journal_commit(struct journal *j)
{
	struct consumer *c = &j->consumer;
	if (c->read == c->committed)
		return; /* tail may be the producer's now */
	c->committed = c->read;
	atomic_store_explicit(&j->map->tail, c->read, memory_order_release);
}

size_t journal_pending_bytes(const struct journal *j)
{
	/* head first: the tail that goes with it, or a later one, is seen. */
	uint64_t head =
		atomic_load_explicit(&j->map->head, memory_order_acquire);
	uint64_t tail =
		atomic_load_explicit(&j->map->tail, memory_order_relaxed);
	return head > tail ? (size_t)(head - tail) : 0;
}

size_t journal_ring_bytes(const struct journal *j)
{
	return j->ring_bytes;
}
