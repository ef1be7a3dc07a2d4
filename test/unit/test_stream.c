/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "intake/socket.h"
#include "intake/stream.h"
#include "journal/journal.h"
#include "journal/peer_address.h"

enum { SLOT_BYTES = 4096, MESSAGE_BYTES = SLOT_BYTES - PEER_ADDRESS_BYTES_MAX };

struct fixture {
	struct journal *journal;
	struct socket_stats stats;
	struct stream *stream;
	int sender;
};

static struct stream *stream_of(struct fixture *f, int fd,
				enum framing_kind framing,
				const char *peer_address)
{
	struct stream_opts opts = {
		.framing = framing,
		.message_bytes_max = MESSAGE_BYTES,
		.input = 3,
		.peer_address = peer_address,
		.stats = &f->stats,
	};
	return stream_open(fd, &opts);
}

static void open_framed(struct fixture *f, enum framing_kind framing,
			const char *peer_address)
{
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	f->sender = ends[0];
	f->stream = stream_of(f, ends[1], framing, peer_address);
}

static void open_stream(struct fixture *f, const char *peer_address)
{
	open_framed(f, FRAMING_NEWLINE, peer_address);
}

/* Hand the stream over to another process, which uses that framing. */
static void continue_in_next_process(struct fixture *f,
				     enum framing_kind framing)
{
	int fd = dup(stream_fd(f->stream));
	struct stream *next = stream_of(f, fd, framing, NULL);
	stream_restore(next, stream_framing(f->stream), stream_held(f->stream));
	stream_close(f->stream);
	f->stream = next;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct journal_opts opts = {.ring_bytes = 8 * SLOT_BYTES,
				    .slot_bytes = SLOT_BYTES,
				    .slots = 2};
	struct journal_found found;
	struct err e;
	f->journal = journal_open(&opts, &found, &e);
	f->sender = -1;
	*state = f;
	return f->journal == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	stream_close(f->stream);
	if (f->sender >= 0)
		close(f->sender);
	journal_close(f->journal);
	free(f);
	return 0;
}

static void send_text(const struct fixture *f, const char *text)
{
	assert_int_equal(send(f->sender, text, strlen(text), 0), strlen(text));
}

static void end_sender(struct fixture *f)
{
	close(f->sender);
	f->sender = -1;
}

static void assert_receives(struct fixture *f, enum stream_state state)
{
	assert_int_equal(stream_receive(f->stream, f->journal, 7, 0), state);
}

static void receive_all(struct fixture *f)
{
	enum stream_state state;
	do
		state = stream_receive(f->stream, f->journal, 7, 0);
	while (state == STREAM_BUSY);
	assert_int_equal(state, STREAM_IDLE);
}

static void assert_next(struct fixture *f, const char *text)
{
	struct journal_entry entry;
	assert_true(journal_take(f->journal, &entry));
	assert_int_equal(entry.input, 3);
	assert_int_equal(entry.arrival_ns, 7);
	if (!span_equals(entry.bytes, span_of(text)))
		fail_msg("%.*s instead of %s", (int)entry.bytes.len,
			 entry.bytes.ptr, text);
}

static void assert_no_more(struct fixture *f)
{
	struct journal_entry entry;
	assert_false(journal_take(f->journal, &entry));
}

static void whole_messages_go_to_the_journal_and_the_rest_waits(void **state)
{
	struct fixture *f = *state;
	open_stream(f, NULL);
	assert_receives(f, STREAM_IDLE);
	send_text(f, "one\ntwo\nth");
	assert_receives(f, STREAM_IDLE);
	assert_next(f, "one");
	assert_next(f, "two");
	assert_no_more(f);
	send_text(f, "ree\n");
	assert_receives(f, STREAM_IDLE);
	assert_next(f, "three");
	assert_no_more(f);
	assert_int_equal(f->stats.stream_messages_total, 3);
	assert_int_equal(f->stats.bytes_total, 14);
}

static void an_unfinished_message_is_kept_when_the_sender_closes(void **state)
{
	struct fixture *f = *state;
	open_stream(f, NULL);
	send_text(f, "one\ntwo");
	end_sender(f);
	assert_receives(f, STREAM_ENDED);
	assert_next(f, "one");
	assert_next(f, "two");
	assert_no_more(f);
	assert_int_equal(f->stats.unended_total, 1);
	assert_int_equal(stream_close(f->stream), 0);
	f->stream = NULL;
}

static void a_sender_that_closes_between_messages_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	open_stream(f, NULL);
	send_text(f, "one\n");
	end_sender(f);
	assert_receives(f, STREAM_ENDED);
	assert_next(f, "one");
	assert_no_more(f);
	assert_int_equal(f->stats.unended_total, 0);
}

static void a_message_that_is_too_long_is_cut_and_counted(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(2 * MESSAGE_BYTES + 1);
	memset(text, 'x', 2 * MESSAGE_BYTES);
	text[2 * MESSAGE_BYTES] = '\0';
	open_stream(f, NULL);
	send_text(f, text);
	send_text(f, "\nnext\n");
	while (stream_receive(f->stream, f->journal, 7, 0) == STREAM_BUSY)
		;
	text[MESSAGE_BYTES] = '\0';
	assert_next(f, text);
	assert_next(f, "next");
	assert_no_more(f);
	assert_int_equal(f->stats.truncated_total, 1);
	free(text);
}

static void the_next_process_continues_an_unfinished_message(void **state)
{
	struct fixture *f = *state;
	open_stream(f, NULL);
	send_text(f, "one\ntw");
	assert_receives(f, STREAM_IDLE);
	continue_in_next_process(f, FRAMING_NEWLINE);
	send_text(f, "o\nthree\n");
	assert_receives(f, STREAM_IDLE);
	assert_next(f, "one");
	assert_next(f, "two");
	assert_next(f, "three");
	assert_no_more(f);
}

/* A message that did not fit into the journal is already complete, so the
 * kernel will not announce it. */
static void the_next_process_appends_held_messages_first(void **state)
{
	struct fixture *f = *state;
	open_stream(f, NULL);
	struct journal_entry filler = {.bytes = SPAN("filler")};
	stream_restore(f->stream, &(struct framing){0}, SPAN("one\ntwo\nth"));
	while (journal_offer(f->journal, &filler))
		;
	assert_receives(f, STREAM_FULL);
	continue_in_next_process(f, FRAMING_NEWLINE);
	while (journal_take(f->journal, &filler))
		;
	journal_commit(f->journal, NULL, 0);
	assert_receives(f, STREAM_IDLE);
	assert_next(f, "one");
	assert_next(f, "two");
	assert_no_more(f);
}

static void the_next_process_skips_the_rest_of_a_truncated_message(void **state)
{
	struct fixture *f = *state;
	static const enum framing_kind kinds[] = {FRAMING_NEWLINE,
						  FRAMING_OCTETS};
	static const char *const begins[] = {"", "6000 "};
	static const char *const ends[] = {"\nnext\n", "4 next"};
	char text[3001];
	memset(text, 'x', 3000);
	text[3000] = '\0';
	for (int i = 0; i < 2; i++) {
		open_framed(f, kinds[i], NULL);
		send_text(f, begins[i]);
		send_text(f, text);
		send_text(f, text + 1500); /* longer than MESSAGE_BYTES */
		receive_all(f);
		struct journal_entry entry;
		assert_true(journal_take(f->journal, &entry));
		assert_int_equal(entry.bytes.len, MESSAGE_BYTES);
		continue_in_next_process(f, kinds[i]);
		send_text(f, text + 1500);
		send_text(f, ends[i]);
		receive_all(f);
		assert_next(f, "next");
		assert_no_more(f);
		journal_commit(f->journal, NULL, 0);
		stream_close(f->stream);
		close(f->sender);
	}
	f->stream = NULL;
	f->sender = -1;
}

/* The sender was reconfigured before sluiced. */
static void the_next_process_may_use_octet_counting(void **state)
{
	struct fixture *f = *state;
	open_stream(f, NULL);
	send_text(f, "10 two");
	assert_receives(f, STREAM_IDLE);
	continue_in_next_process(f, FRAMING_OCTETS);
	send_text(f, "\nthree!");
	assert_receives(f, STREAM_IDLE);
	assert_next(f, "two\nthree!");
	assert_no_more(f);
}

/* The first reload changes the framing within a message, and the second reload
 * changes it back.  Then nothing of that message may be left. */
static void another_framing_skips_the_rest_of_a_truncated_message(void **state)
{
	struct fixture *f = *state;
	char text[3001];
	memset(text, 'x', 3000);
	text[3000] = '\0';
	open_framed(f, FRAMING_OCTETS, NULL);
	send_text(f, "6000 ");
	send_text(f, text);
	send_text(f, text + 1500);
	receive_all(f);
	struct journal_entry entry;
	assert_true(journal_take(f->journal, &entry));
	assert_int_equal(entry.bytes.len, MESSAGE_BYTES);
	continue_in_next_process(f, FRAMING_NEWLINE);
	send_text(f, text + 1500);
	send_text(f, "next\n");
	receive_all(f);
	assert_next(f, "next");
	continue_in_next_process(f, FRAMING_OCTETS);
	send_text(f, "4 last");
	receive_all(f);
	assert_next(f, "last");
	assert_no_more(f);
}

/* The kernel has nothing more to announce, so nothing else would wake the
 * stream. */
static void no_whole_message_is_held_when_other_connections_have_a_turn(
	void **state)
{
	struct fixture *f = *state;
	struct buf all = {0};
	struct journal_entry entry;
	open_stream(f, NULL);
	for (int i = 0; i < 100; i++)
		buf_printf(&all, "a line that is as long as others are %d\n",
			   i);
	send_text(f, buf_text(&all));
	size_t sent = all.len;
	buf_fini(&all);
	assert_receives(f, STREAM_BUSY);
	/* Only the last line may lack its line end. */
	size_t taken = 0;
	while (journal_take(f->journal, &entry))
		taken += entry.bytes.len + 1;
	assert_true(taken + 41 > f->stats.bytes_total);
	assert_true(f->stats.bytes_total < sent);
}

/* The sender sends more than the journal holds.  Nothing is lost; the rest
 * waits in the kernel. */
static void a_full_journal_makes_the_sender_wait(void **state)
{
	struct fixture *f = *state;
	enum { LINES = 2000 };
	open_stream(f, NULL);
	char text[32];
	struct buf all = {0};
	for (int i = 0; i < LINES; i++)
		buf_printf(&all, "message number %d\n", i);
	send_text(f, buf_text(&all));
	buf_fini(&all);
	end_sender(f);
	int taken = 0, times_full = 0;
	enum stream_state now;
	while ((now = stream_receive(f->stream, f->journal, 7, 0)) !=
	       STREAM_ENDED) {
		struct journal_entry entry;
		if (now != STREAM_FULL)
			continue;
		times_full++;
		while (journal_take(f->journal, &entry)) {
			snprintf(text, sizeof text, "message number %d",
				 taken++);
			assert_true(span_equals(entry.bytes, span_of(text)));
		}
		journal_commit(f->journal, NULL, 0);
	}
	while (taken < LINES) {
		snprintf(text, sizeof text, "message number %d", taken++);
		assert_next(f, text);
	}
	assert_no_more(f);
	assert_true(times_full > 0);
	assert_int_equal(journal_stats(f->journal)->refused_total, 0);
}

static void a_full_journal_accepts_the_last_message_later(void **state)
{
	struct fixture *f = *state;
	open_stream(f, NULL);
	struct journal_entry filler = {.bytes = SPAN("filler")};
	while (journal_offer(f->journal, &filler))
		;
	send_text(f, "last");
	end_sender(f);
	assert_receives(f, STREAM_FULL);
	while (journal_take(f->journal, &filler))
		;
	journal_commit(f->journal, NULL, 0);
	assert_receives(f, STREAM_ENDED);
	assert_next(f, "last");
	assert_no_more(f);
}

static void a_message_carries_its_peer_address(void **state)
{
	struct fixture *f = *state;
	struct journal_entry entry;
	open_stream(f, "tcp://127.0.0.1:514");
	send_text(f, "one\n");
	assert_receives(f, STREAM_IDLE);
	assert_true(journal_take(f->journal, &entry));
	assert_int_equal(entry.input, 3 | PEER_ADDRESS_MARK);
	struct span peer_address = peer_address_take(&entry);
	assert_int_equal(entry.input, 3);
	assert_true(span_equals(entry.bytes, SPAN("one")));
	assert_true(span_equals(peer_address, SPAN("tcp://127.0.0.1:514")));
}

static void only_marked_entries_carry_a_peer_address(void **state)
{
	(void)state;
	const struct {
		struct span bytes;
		uint16_t input;
		struct span message, peer_address;
	} cases[] = {
		{SPAN("m"
		      "u\1\xF5src"),
		 1,
		 SPAN("m"
		      "u\1\xF5src"),
		 SPAN("")},
		{SPAN("m"
		      "u\1\xF5src"),
		 1 | PEER_ADDRESS_MARK, SPAN("m"), SPAN("u")},
		{SPAN("u\1\xF5src"), 1 | PEER_ADDRESS_MARK, SPAN(""),
		 SPAN("u")},
		/* The process was killed before it wrote the address. */
		{SPAN("m"), 1 | PEER_ADDRESS_MARK, SPAN("m"), SPAN("")},
		{SPAN(""), 1 | PEER_ADDRESS_MARK, SPAN(""), SPAN("")},
		/* An impossible length. */
		{SPAN("m\2\xF5src"), 1 | PEER_ADDRESS_MARK, SPAN("m\2\xF5src"),
		 SPAN("")},
		{SPAN("m\xFF\xF5src"), 1 | PEER_ADDRESS_MARK,
		 SPAN("m\xFF\xF5src"), SPAN("")},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct journal_entry entry = {.bytes = cases[i].bytes,
					      .input = cases[i].input};
		struct span peer_address = peer_address_take(&entry);
		if (entry.input != 1 ||
		    !span_equals(entry.bytes, cases[i].message) ||
		    !span_equals(peer_address, cases[i].peer_address))
			fail_msg("case %zu", i);
	}
}

static void the_longest_peer_address_fits(void **state)
{
	(void)state;
	char text[PEER_ADDRESS_TEXT_BYTES], room[PEER_ADDRESS_BYTES_MAX];
	struct sockaddr_storage address = {0};
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(65535);
	memset(&v6->sin6_addr, 0xAB, sizeof v6->sin6_addr);
	peer_address_of_address(text, "tcp", &address);
	assert_string_equal(
		text, "tcp://abab:abab:abab:abab:abab:abab:abab:abab:65535");
	assert_int_equal(peer_address_put(room, text), strlen(text) + 5);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(whole_messages_go_to_the_journal_and_the_rest_waits),
		T(an_unfinished_message_is_kept_when_the_sender_closes),
		T(a_sender_that_closes_between_messages_leaves_nothing),
		T(a_message_that_is_too_long_is_cut_and_counted),
		T(the_next_process_continues_an_unfinished_message),
		T(the_next_process_appends_held_messages_first),
		T(the_next_process_skips_the_rest_of_a_truncated_message),
		T(the_next_process_may_use_octet_counting),
		T(another_framing_skips_the_rest_of_a_truncated_message),
		T(no_whole_message_is_held_when_other_connections_have_a_turn),
		T(a_full_journal_makes_the_sender_wait),
		T(a_full_journal_accepts_the_last_message_later),
		T(a_message_carries_its_peer_address),
		T(only_marked_entries_carry_a_peer_address),
		T(the_longest_peer_address_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
