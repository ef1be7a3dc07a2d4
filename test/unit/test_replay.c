/* SPDX-License-Identifier: Apache-2.0 */
/* Each test has its own sockets `a` and `b`, a configuration `conf` with an
 * input for each (that of b is called "edge"), and replays a file `letters`. */
#include "tool_dir.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "tool/replay.h"

#define LETTER(input, raw)                                                \
	"{\"time\":\"2026-11-21T02:50:00.123456789Z\",\"input\":\"" input \
	"\",\"reason\":\"unparsed\",\"raw\":\"" raw "\"}\n"

static int bind_socket(struct tool_dir *p, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s",
		 tool_dir_path(p, name));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address),
			 0);
	return fd;
}

static void write_conf(struct tool_dir *p)
{
	struct buf conf = {0};
	buf_printf(&conf,
		   "[SERVICE]\n    Flush 1\n"
		   "[INPUT]\n    Name syslog\n    Path %s/a\n"
		   "[INPUT]\n    Name syslog\n    Path %s/b\n    Alias edge\n",
		   p->dir, p->dir);
	tool_dir_write(p, "conf", buf_span(&conf));
	buf_fini(&conf);
}

static int replay_at(struct tool_dir *p, const char *name, uint32_t rate)
{
	char file[128], conf[128];
	snprintf(file, sizeof file, "%s", tool_dir_path(p, name));
	snprintf(conf, sizeof conf, "%s", tool_dir_path(p, "conf"));
	tool_dir_capture_begin(p);
	struct assemble_opts assemble = {.conf_path = conf};
	int code = replay(&(struct command_args){
		.assemble = &assemble, .operand = file, .rate = rate});
	tool_dir_capture_end(p);
	return code;
}

static int replay_text(struct tool_dir *p, const char *letters)
{
	write_conf(p);
	tool_dir_write(p, "letters", span_of(letters));
	return replay_at(p, "letters", 0);
}

static void assert_got(int fd, struct span want)
{
	char room[256];
	wait_readable(fd);
	ssize_t n = recv(fd, room, sizeof room, MSG_DONTWAIT);
	if (n < 0 || !span_equals(span_make(room, (size_t)n), want))
		fail_msg("want %.*s, got %.*s", (int)want.len, want.ptr,
			 n < 0 ? 0 : (int)n, room);
}

static void assert_nothing_more(int fd)
{
	char room[1];
	assert_int_equal(recv(fd, room, sizeof room, MSG_DONTWAIT), -1);
}

static void dead_letters_are_sent_to_their_inputs(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_socket(p, "a"), b = bind_socket(p, "b");
	assert_int_equal(
		replay_text(p, LETTER("syslog.0", "one") LETTER("edge", "two")
				       LETTER("gone", "three")),
		0);
	assert_got(a, SPAN("one"));
	assert_got(a, SPAN("three"));
	assert_got(b, SPAN("two"));
	assert_nothing_more(a);
	assert_nothing_more(b);
	tool_dir_assert_has(p, "out", "sent: 3\n");
	tool_dir_assert_has(
		p, "out",
		"sent to syslog.0 because their own input does not exist: 1");
	assert_string_equal(tool_dir_content(p, "err"), "");
	close(a);
	close(b);
}

static void the_replayed_bytes_equal_the_received_ones(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_socket(p, "a");
	assert_int_equal(
		replay_text(
			p,
			LETTER("syslog.0",
			       "a\\nb\\t\\\"") "{\"raw_base64\":\"AP8K\"}\n"
					       "{\"raw\":\"no newline at the end\"}"),
		0);
	assert_got(a, SPAN("a\nb\t\""));
	assert_got(a, SPAN("\0\xff\n"));
	assert_got(a, SPAN("no newline at the end"));
	close(a);
}

static void a_line_that_is_not_a_dead_letter_is_reported_and_skipped(
	void **state)
{
	struct tool_dir *p = *state;
	int a = bind_socket(p, "a");
	assert_int_equal(
		replay_text(p, LETTER("syslog.0", "one") "s3cret\n" LETTER(
				       "syslog.0", "two") "{}\n"
							  "{\"raw\":\"thr"),
		EXIT_CODE_SYSTEM);
	assert_got(a, SPAN("one"));
	assert_got(a, SPAN("two"));
	assert_nothing_more(a);
	tool_dir_assert_has(p, "out", "sent: 2\n");
	tool_dir_assert_has(p, "err", "/letters:2: it is not JSON\n");
	tool_dir_assert_has(p, "err", "/letters:4: it has neither");
	tool_dir_assert_has(p, "err", "/letters:5: it is truncated\n");
	assert_null(strstr(tool_dir_content(p, "err"), "s3cret"));
	close(a);
}

static void a_message_that_is_too_long_is_reported_and_skipped(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_socket(p, "a");
	unsigned long limit;
	FILE *file = fopen("/proc/sys/net/core/wmem_max", "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu", &limit), 1);
	fclose(file);
	struct buf letters = {0};
	buf_put_text(&letters, "{\"raw\":\"");
	memset(buf_reserve(&letters, 2 * limit), 'x', 2 * limit);
	letters.len += 2 * limit;
	buf_put_text(&letters, "\"}\n" LETTER("syslog.0", "two"));
	assert_int_equal(replay_text(p, buf_text(&letters)), EXIT_CODE_SYSTEM);
	buf_fini(&letters);
	assert_got(a, SPAN("two"));
	tool_dir_assert_has(p, "err", "/letters:1: send ");
	close(a);
}

static void without_a_socket_the_position_is_reported(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_socket(p, "a");
	assert_int_equal(
		replay_text(p, LETTER("syslog.0", "one") LETTER("edge", "two")
				       LETTER("syslog.0", "three")),
		EXIT_CODE_SYSTEM);
	tool_dir_assert_has(p, "out", "sent: 1\n");
	tool_dir_assert_has(p, "err", "/letters:2: connect to ");
	assert_got(a, SPAN("one"));
	assert_nothing_more(a);
	close(a);
}

static void a_replay_that_cannot_begin_says_why(void **state)
{
	struct tool_dir *p = *state;
	assert_int_equal(replay_at(p, "letters", 0), EXIT_CODE_CONFIG);
	tool_dir_assert_has(p, "err", "conf");
	write_conf(p);
	assert_int_equal(replay_at(p, "letters", 0), EXIT_CODE_SYSTEM);
	tool_dir_assert_has(p, "err", "/letters: No such file");
	tool_dir_write(p, "conf", SPAN("[INPUT]\n    Name syslog\n"));
	assert_int_equal(replay_at(p, "letters", 0), EXIT_CODE_CONFIG);
	tool_dir_assert_has(p, "err", "Path is missing");
	tool_dir_write(p, "conf", SPAN("[SERVICE]\n    Flush 1\n"));
	assert_int_equal(replay_at(p, "letters", 0), EXIT_CODE_CONFIG);
	tool_dir_assert_has(p, "err", "no [INPUT]");
}

/* --- a receiver at work */

enum { LETTERS = 2000 };

struct receiver {
	int fd;
	FILE *again; /* every message is appended there again, or NULL */
	unsigned count;
	bool in_order;
};

/* Receive until an empty datagram arrives. */
static void *receive(void *data)
{
	struct receiver *r = data;
	char room[64], want[64];
	ssize_t n;
	r->in_order = true;
	while ((n = recv(r->fd, room, sizeof room - 1, 0)) > 0) {
		room[n] = '\0';
		snprintf(want, sizeof want, "m%u", r->count);
		r->in_order &= strcmp(room, want) == 0;
		r->count++;
		/* Bounded, so that a bug cannot loop forever. */
		if (r->again != NULL && r->count < 4 * LETTERS) {
			fprintf(r->again, "{\"raw\":\"again\"}\n");
			fflush(r->again);
		}
	}
	return NULL;
}

static void replay_many(struct tool_dir *p, bool again, uint32_t rate)
{
	struct receiver r = {.fd = bind_socket(p, "a")};
	struct buf letters = {0};
	for (unsigned i = 0; i < LETTERS; i++)
		buf_printf(&letters, LETTER("syslog.0", "m%u"), i);
	write_conf(p);
	tool_dir_write(p, "letters", buf_span(&letters));
	buf_fini(&letters);
	if (again)
		r.again = fopen(tool_dir_path(p, "letters"), "a");
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, receive, &r), 0);
	int64_t before_ns = clock_mono_ns();
	int code = replay_at(p, "letters", rate);
	/* A slow machine can only need more time. */
	if (rate > 0)
		assert_true(clock_mono_ns() - before_ns >=
			    (LETTERS - 1) * NS_PER_S / rate);

	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s",
		 tool_dir_path(p, "a"));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	sendto(fd, "", 0, 0, (struct sockaddr *)&address, sizeof address);
	pthread_join(thread, NULL);
	close(fd);
	close(r.fd);
	if (r.again != NULL)
		fclose(r.again);
	assert_int_equal(code, 0);
	assert_int_equal(r.count, LETTERS);
	assert_true(r.in_order);
}

static void sending_waits_for_the_receiver(void **state)
{
	replay_many(*state, false, 0);
}

static void a_rate_spreads_the_messages_over_time(void **state)
{
	replay_many(*state, false, 10000);
}

static void a_dead_letter_that_comes_back_is_not_sent_again(void **state)
{
	replay_many(*state, true, 0);
}

/* --- journals */

static void the_messages_of_a_journal_are_sent(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_socket(p, "a"), b = bind_socket(p, "b");
	write_conf(p);
	struct journal *j = tool_dir_open_journal(p, "journal");
	struct journal_entry entry;
	tool_dir_append(j, 0, NS_PER_S, SPAN("settled"));
	assert_true(journal_take(j, &entry));
	journal_commit(j, NULL, 0);
	tool_dir_append(j, 0, NS_PER_S, SPAN("one\0\n"));
	tool_dir_append(j, 1, NS_PER_S, SPAN("two"));
	tool_dir_append(j, 9, NS_PER_S, SPAN("three"));

	assert_int_equal(replay_at(p, "journal", 0), EXIT_CODE_SYSTEM);
	tool_dir_assert_has(p, "err", "in use");
	tool_dir_assert_has(p, "out", "sent: 0\n");
	journal_close(j);
	assert_int_equal(replay_at(p, "journal", 0), 0);
	tool_dir_assert_has(p, "out", "sent: 3\n");
	assert_got(a, SPAN("one\0\n"));
	assert_got(a, SPAN("three"));
	assert_got(b, SPAN("two"));
	assert_nothing_more(a);
	close(a);
	close(b);
}

static void the_undamaged_messages_of_a_journal_are_sent(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_socket(p, "a");
	write_conf(p);
	struct journal *j = tool_dir_open_journal(p, "journal");
	tool_dir_append(j, 0, NS_PER_S, SPAN("one"));
	tool_dir_append(j, 0, NS_PER_S, SPAN("two"));
	journal_close(j);
	tool_dir_damage(p, "journal", SPAN("two"));
	assert_int_equal(replay_at(p, "journal", 0), EXIT_CODE_SYSTEM);
	assert_got(a, SPAN("one"));
	assert_nothing_more(a);
	tool_dir_assert_has(p, "out", "sent: 1\n");
	tool_dir_assert_has(p, "err", "/journal: ");
	close(a);
}

static void a_spill_is_recognised_by_its_first_bytes(void **state)
{
	struct tool_dir *p = *state;
	write_conf(p);
	tool_dir_write(p, "x.damaged", SPAN("sluiced spill 1 and no more"));
	assert_int_equal(replay_at(p, "x.damaged", 0), EXIT_CODE_SYSTEM);
	tool_dir_assert_has(p, "err", "x.damaged: its head is damaged");
	assert_string_equal(tool_dir_content(p, "out"), "");
}

/* Assert that one connection delivers exactly this until it is closed. */
static void assert_stream(int listener, const char *want)
{
	char room[256];
	size_t length = 0;
	ssize_t n;
	int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	while ((n = recv(fd, room + length, sizeof room - length, 0)) > 0)
		length += (size_t)n;
	if (!span_equals(span_make(room, length), span_of(want)))
		fail_msg("want %s, got %.*s", want, (int)length, room);
	close(fd);
}

static int replay_to(struct tool_dir *p, const char *input, const char *letters)
{
	struct buf conf = {0};
	buf_printf(&conf, "[INPUT]\n    Name syslog\n%s", input);
	tool_dir_write(p, "conf", buf_span(&conf));
	buf_fini(&conf);
	tool_dir_write(p, "letters", span_of(letters));
	return replay_at(p, "letters", 0);
}

static void a_stream_gets_messages_in_its_framing(void **state)
{
	struct tool_dir *p = *state;
	static const char letters[] = LETTER("syslog.0", "one")
		LETTER("syslog.0", "a\\nb") LETTER("syslog.0", "two");
	static const struct {
		const char *format, *want;
		int code;
	} cases[] = {
		{"octet_counting", "3 one3 a\nb3 two", 0},
		{"newline", "one\ntwo\n", EXIT_CODE_SYSTEM},
	};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s",
		 tool_dir_path(p, "s"));
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address),
			 0);
	assert_int_equal(listen(s, 5), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char input[256];
		snprintf(input, sizeof input,
			 "    Mode unix_tcp\n    Path %s/s\n    Format %s\n",
			 p->dir, cases[i].format);
		assert_int_equal(replay_to(p, input, letters), cases[i].code);
		assert_stream(s, cases[i].want);
	}
	tool_dir_assert_has(p, "err",
			    "expects one message per line, and this message "
			    "contains a newline or NUL");
	tool_dir_assert_has(p, "out", "sent: 2\n");
	close(s);
}

static void a_network_input_is_found_by_its_port(void **state)
{
	struct tool_dir *p = *state;
	static const struct {
		const char *mode;
		int type;
	} cases[] = {{"udp", SOCK_DGRAM}, {"tcp", SOCK_STREAM}};
	for (size_t i = 0; i < 2; i++) {
		struct sockaddr_in at = {.sin_family = AF_INET,
					 .sin_addr.s_addr =
						 htonl(INADDR_LOOPBACK)};
		socklen_t length = sizeof at;
		int s = socket(AF_INET, cases[i].type | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(s, (struct sockaddr *)&at, length), 0);
		getsockname(s, (struct sockaddr *)&at, &length);
		if (cases[i].type == SOCK_STREAM)
			assert_int_equal(listen(s, 5), 0);
		char input[128];
		snprintf(input, sizeof input, "    Mode %s\n    Port %u\n",
			 cases[i].mode, ntohs(at.sin_port));
		assert_int_equal(replay_to(p, input, LETTER("syslog.0", "one")),
				 0);
		if (cases[i].type == SOCK_STREAM)
			assert_stream(s, "one\n");
		else
			assert_got(s, SPAN("one"));
		close(s);
	}
}

#define TEST(name)                                             \
	cmocka_unit_test_setup_teardown(name, tool_dir_set_up, \
					tool_dir_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dead_letters_are_sent_to_their_inputs),
		TEST(the_replayed_bytes_equal_the_received_ones),
		TEST(a_line_that_is_not_a_dead_letter_is_reported_and_skipped),
		TEST(a_message_that_is_too_long_is_reported_and_skipped),
		TEST(without_a_socket_the_position_is_reported),
		TEST(a_replay_that_cannot_begin_says_why),
		TEST(sending_waits_for_the_receiver),
		TEST(a_rate_spreads_the_messages_over_time),
		TEST(a_dead_letter_that_comes_back_is_not_sent_again),
		TEST(the_messages_of_a_journal_are_sent),
		TEST(the_undamaged_messages_of_a_journal_are_sent),
		TEST(a_spill_is_recognised_by_its_first_bytes),
		TEST(a_stream_gets_messages_in_its_framing),
		TEST(a_network_input_is_found_by_its_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
