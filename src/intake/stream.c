/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "intake/socket.h"
#include "journal/journal.h"
#include "journal/peer_address.h"

enum {
	/* The first of these limits ends a turn.  Datagrams wait for its end,
	 * and a short queue of them lasts hardly longer than a millisecond. */
	ROUNDS_MAX = 4, /* recv calls */
	MESSAGES_MAX = 1000,
	RECV_BYTES = 64 * 1024,
	/* Two bytes, "a\n", become an entry of at most 128 bytes. */
	ENTRY_BYTES_PER_BYTE = 64,
	IDLE_BYTES = 4096, /* memory that an idle stream keeps */
};

struct stream {
	int fd;
	struct stream_opts opts;
	struct framing framing;
	struct buf held;
	struct buf entry;   /* a message with its peer address */
	char *peer_address; /* or NULL */
	bool is_ended;	    /* nothing more will be received */
	bool is_settled;    /* ... and no bytes are held */
};

static bool offer(struct stream *s, struct journal *j, struct span message,
		  int64_t now_ns)
{
	struct journal_entry entry = {
		.bytes = message,
		.arrival_ns = now_ns,
		.input = s->opts.input,
	};
	if (s->peer_address != NULL) {
		buf_clear(&s->entry);
		buf_put_span(&s->entry, message);
		s->entry.len += peer_address_put(
			buf_reserve(&s->entry, PEER_ADDRESS_BYTES_MAX),
			s->peer_address);
		entry.bytes = buf_span(&s->entry);
		entry.input |= PEER_ADDRESS_MARK;
	}
	return journal_offer(j, &entry);
}

static void count(struct socket_stats *stats, enum framing_what what)
{
	stats->stream_messages_total++;
	if (what == FRAMING_TRUNCATED)
		stats->truncated_total++;
	else if (what == FRAMING_NO_LENGTH)
		stats->no_length_total++;
}

/* Keep only `rest`. */
static void hold(struct stream *s, struct span rest)
{
	if (rest.len > 0 && rest.ptr != s->held.ptr)
		memmove(s->held.ptr, rest.ptr, rest.len);
	s->held.len = rest.len;
}

/* False when the journal has no room for the next message. */
static bool put_messages(struct stream *s, struct journal *j, int64_t now_ns)
{
	struct span rest = buf_span(&s->held);
	bool has_room = true;
	while (has_room) {
		struct framing before = s->framing;
		struct span from = rest, message;
		enum framing_what what =
			framing_take(&s->framing, &rest, &message);
		if (what == FRAMING_MORE)
			break;
		has_room = offer(s, j, message, now_ns);
		if (has_room) {
			count(s->opts.stats, what);
		} else {
			s->framing = before;
			rest = from;
		}
	}
	hold(s, rest);
	return has_room;
}

/* Like put_messages, for the last bytes, which have no message end. */
static bool put_rest(struct stream *s, struct journal *j, int64_t now_ns)
{
	struct span message;
	if (s->is_settled ||
	    !framing_end(&s->framing, buf_span(&s->held), &message)) {
		s->is_settled = true;
		s->held.len = 0;
		return true;
	}
	if (!offer(s, j, message, now_ns))
		return false;
	s->opts.stats->stream_messages_total++;
	s->opts.stats->unended_total++;
	s->is_settled = true;
	s->held.len = 0;
	return true;
}

static enum stream_state put_held(struct stream *s, struct journal *j,
				  int64_t now_ns)
{
	if (!put_messages(s, j, now_ns))
		return STREAM_FULL;
	if (!s->is_ended)
		return STREAM_BUSY;
	return put_rest(s, j, now_ns) ? STREAM_ENDED : STREAM_FULL;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many of the largest messages fit into the journal above the reserve. */
static size_t room_for_messages(const struct stream *s, struct journal *j,
				size_t reserve_bytes)
{
	size_t room = journal_room(j);
	if (reserve_bytes == 0)
		return room;
	size_t free_bytes = journal_ring_bytes(j) - journal_pending_bytes(j);
	if (free_bytes <= reserve_bytes)
		return 0;
	return least(room,
		     (free_bytes - reserve_bytes) / s->opts.message_bytes_max);
}

/* How many bytes the journal certainly has room for; 0 when it is full.  The
 * first recv of a turn is small, so that a quiet stream needs little memory. */
static size_t bytes_to_receive(const struct stream *s, struct journal *j,
			       size_t reserve_bytes, bool is_first)
{
	size_t room = room_for_messages(s, j, reserve_bytes) *
		      s->opts.message_bytes_max / ENTRY_BYTES_PER_BYTE / 2;
	return least(room, is_first ? IDLE_BYTES : RECV_BYTES);
}

/* Whether bytes were received. */
static bool receive(struct stream *s, size_t bytes)
{
	struct socket_stats *stats = s->opts.stats;
	ssize_t n;
	char *to = buf_reserve(&s->held, bytes);
	do
		n = recv(s->fd, to, bytes, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		s->held.len += (size_t)n;
		stats->bytes_total += (uint64_t)n;
		stats->receives_total++;
		return true;
	}
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0) /* ECONNRESET, ETIMEDOUT */
		stats->errors_total++;
	s->is_ended = true;
	return false;
}

static void give_memory_back(struct stream *s)
{
	struct buf *b = &s->held;
	size_t needed = b->len + IDLE_BYTES;
	if (b->cap > 2 * needed) {
		b->ptr = mem_grow(b->ptr, needed, 1);
		b->cap = needed;
	}
	if (s->entry.cap > IDLE_BYTES)
		buf_fini(&s->entry);
}

struct stream *stream_open(int fd, const struct stream_opts *opts)
{
	struct stream *s = mem_new(1, sizeof *s);
	s->fd = fd;
	s->opts = *opts;
	framing_init(&s->framing, opts->framing, opts->message_bytes_max);
	if (opts->peer_address != NULL)
		s->peer_address = mem_text(opts->peer_address);
	return s;
}

size_t stream_close(struct stream *s)
{
	if (s == NULL)
		return 0;
	int unread = 0;
	if (ioctl(s->fd, FIONREAD, &unread) != 0)
		unread = 0;
	size_t left = s->held.len + (size_t)unread;
	close(s->fd);
	buf_fini(&s->held);
	buf_fini(&s->entry);
	free(s->peer_address);
	free(s);
	return left;
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

struct span stream_held(const struct stream *s)
{
	return buf_span(&s->held);
}

const struct framing *stream_framing(const struct stream *s)
{
	return &s->framing;
}

void stream_restore(struct stream *s, const struct framing *was,
		    struct span held)
{
	s->framing.octets_left = was->octets_left;
	s->framing.is_skipping_line = was->is_skipping_line;
	buf_put_span(&s->held, held);
}

enum stream_state stream_receive(struct stream *s, struct journal *j,
				 int64_t now_ns, size_t reserve_bytes)
{
	const struct socket_stats *stats = s->opts.stats;
	uint64_t before = stats->stream_messages_total;
	for (int round = 0;; round++) {
		enum stream_state state = put_held(s, j, now_ns);
		if (state != STREAM_BUSY || round == ROUNDS_MAX ||
		    stats->stream_messages_total - before >= MESSAGES_MAX)
			return state;
		size_t bytes =
			bytes_to_receive(s, j, reserve_bytes, round == 0);
		if (bytes == 0)
			return STREAM_FULL;
		if (!receive(s, bytes) && !s->is_ended) {
			give_memory_back(s);
			return STREAM_IDLE;
		}
	}
}

void stream_refuse(struct stream *s)
{
	shutdown(s->fd, SHUT_RD);
}

void stream_say_end(struct stream *s)
{
	shutdown(s->fd, SHUT_WR);
}

void stream_end(struct stream *s)
{
	s->is_ended = true;
}
