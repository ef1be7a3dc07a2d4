/* SPDX-License-Identifier: Apache-2.0 */
/* Each test has sockets `a` and `b` of its own, a configuration `conf` with an
 * input for each (b's is called "edge"), and replays a file `letters`. */
#include "tool_unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/check.h"
#include "base/clock.h"
#include "tool/replay.h"

#define LETTER(input, raw)                                                \
	"{\"time\":\"2026-11-21T02:50:00.123456789Z\",\"input\":\"" input \
	"\",\"reason\":\"unparsed\",\"raw\":\"" raw "\"}\n"

static int bind_socket(struct place *p, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s",
		 path(p, name));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address),
			 0);
	return fd;
}

static void write_conf(struct place *p)
{
	struct buf conf = {0};
	buf_printf(&conf,
		   "[SERVICE]\n    Flush 1\n"
		   "[INPUT]\n    Name syslog\n    Path %s/a\n"
		   "[INPUT]\n    Name syslog\n    Path %s/b\n    Alias edge\n",
		   p->dir, p->dir);
	write_file(p, "conf", buf_span(&conf));
	buf_fini(&conf);
}

static int replay_at(struct place *p, const char *name, uint32_t rate)
{
	char file[128], conf[128];
	snprintf(file, sizeof file, "%s", path(p, name));
	snprintf(conf, sizeof conf, "%s", path(p, "conf"));
	begin_capture(p);
	struct assemble_opts assemble = {.conf_path = conf};
	int code = replay(&(struct command_args){
		.assemble = &assemble, .operand = file, .rate = rate});
	end_capture(p);
	return code;
}

static int replay_text(struct place *p, const char *letters)
{
	write_conf(p);
	write_file(p, "letters", span_of(letters));
	return replay_at(p, "letters", 0);
}

static void assert_got(int fd, struct span want)
{
	char room[256];
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

static void letters_go_to_their_inputs(void **state)
{
	struct place *p = *state;
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
	assert_has(p, "out", "sent: 3\n");
	assert_has(p, "out",
		   "to syslog.0, because their own input does not exist: 1");
	assert_string_equal(content(p, "err"), "");
	close(a);
	close(b);
}

static void the_bytes_are_those_that_came(void **state)
{
	struct place *p = *state;
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

static void what_is_no_letter_is_told_and_passed_by(void **state)
{
	struct place *p = *state;
	int a = bind_socket(p, "a");
	assert_int_equal(
		replay_text(p, LETTER("syslog.0", "one") "s3cret\n" LETTER(
				       "syslog.0", "two") "{}\n"
							  "{\"raw\":\"thr"),
		EXIT_CODE_SYSTEM);
	assert_got(a, SPAN("one"));
	assert_got(a, SPAN("two"));
	assert_nothing_more(a);
	assert_has(p, "out", "sent: 2\n");
	assert_has(p, "err", "/letters:2: it is not JSON\n");
	assert_has(p, "err", "/letters:4: it has neither");
	assert_has(p, "err", "/letters:5: it is truncated\n");
	assert_null(strstr(content(p, "err"), "s3cret"));
	close(a);
}

static void a_message_too_long_is_told_and_passed_by(void **state)
{
	struct place *p = *state;
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
	assert_has(p, "err", "/letters:1: send ");
	close(a);
}

static void without_a_socket_the_place_is_told(void **state)
{
	struct place *p = *state;
	int a = bind_socket(p, "a");
	assert_int_equal(
		replay_text(p, LETTER("syslog.0", "one") LETTER("edge", "two")
				       LETTER("syslog.0", "three")),
		EXIT_CODE_SYSTEM);
	assert_has(p, "out", "sent: 1\n");
	assert_has(p, "err", "/letters:2: connect to ");
	assert_got(a, SPAN("one"));
	assert_nothing_more(a);
	close(a);
}

static void what_cannot_begin_says_why(void **state)
{
	struct place *p = *state;
	assert_int_equal(replay_at(p, "letters", 0), EXIT_CODE_CONFIG);
	assert_has(p, "err", "conf");
	write_conf(p);
	assert_int_equal(replay_at(p, "letters", 0), EXIT_CODE_SYSTEM);
	assert_has(p, "err", "/letters: No such file");
	write_file(p, "conf", SPAN("[INPUT]\n    Name syslog\n"));
	assert_int_equal(replay_at(p, "letters", 0), EXIT_CODE_CONFIG);
	assert_has(p, "err", "Path is missing");
	write_file(p, "conf", SPAN("[SERVICE]\n    Flush 1\n"));
	assert_int_equal(replay_at(p, "letters", 0), EXIT_CODE_CONFIG);
	assert_has(p, "err", "no [INPUT]");
}

/* --- a receiver at work */

enum { LETTERS = 2000 };

struct receiver {
	int fd;
	FILE *again; /* every message goes back there, or NULL */
	unsigned count;
	bool in_order;
};

/* Until an empty datagram comes. */
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
		/* Bounded, so that a mistake ends. */
		if (r->again != NULL && r->count < 4 * LETTERS) {
			fprintf(r->again, "{\"raw\":\"again\"}\n");
			fflush(r->again);
		}
	}
	return NULL;
}

static void replay_many(struct place *p, bool again, uint32_t rate)
{
	struct receiver r = {.fd = bind_socket(p, "a")};
	struct buf letters = {0};
	for (unsigned i = 0; i < LETTERS; i++)
		buf_printf(&letters, LETTER("syslog.0", "m%u"), i);
	write_conf(p);
	write_file(p, "letters", buf_span(&letters));
	buf_fini(&letters);
	if (again)
		r.again = fopen(path(p, "letters"), "a");
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, receive, &r), 0);
	int code = replay_at(p, "letters", rate);

	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path(p, "a"));
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

static void a_rate_loses_nothing(void **state)
{
	replay_many(*state, false, 1000000);
}

static void a_letter_that_comes_back_is_not_sent_again(void **state)
{
	replay_many(*state, true, 0);
}

/* --- journals */

static void the_messages_of_a_journal_are_sent(void **state)
{
	struct place *p = *state;
	int a = bind_socket(p, "a"), b = bind_socket(p, "b");
	write_conf(p);
	struct journal *j = open_journal(p, "journal");
	struct journal_entry entry;
	put_in(j, 0, NS_PER_S, SPAN("settled"));
	assert_true(journal_take(j, &entry));
	journal_commit(j, NULL, 0);
	put_in(j, 0, NS_PER_S, SPAN("one\0\n"));
	put_in(j, 1, NS_PER_S, SPAN("two"));
	put_in(j, 9, NS_PER_S, SPAN("three"));

	assert_int_equal(replay_at(p, "journal", 0), EXIT_CODE_SYSTEM);
	assert_has(p, "err", "in use");
	assert_has(p, "out", "sent: 0\n");
	journal_close(j);
	assert_int_equal(replay_at(p, "journal", 0), 0);
	assert_has(p, "out", "sent: 3\n");
	assert_got(a, SPAN("one\0\n"));
	assert_got(a, SPAN("three"));
	assert_got(b, SPAN("two"));
	assert_nothing_more(a);
	close(a);
	close(b);
}

static void what_is_good_of_a_damaged_journal_is_sent(void **state)
{
	struct place *p = *state;
	int a = bind_socket(p, "a");
	write_conf(p);
	struct journal *j = open_journal(p, "journal");
	put_in(j, 0, NS_PER_S, SPAN("one"));
	put_in(j, 0, NS_PER_S, SPAN("two"));
	journal_close(j);
	damage(p, "journal", SPAN("two"));
	assert_int_equal(replay_at(p, "journal", 0), EXIT_CODE_SYSTEM);
	assert_got(a, SPAN("one"));
	assert_nothing_more(a);
	assert_has(p, "out", "sent: 1\n");
	assert_has(p, "err", "/journal: ");
	close(a);
}

static void a_spill_is_known_by_its_first_bytes(void **state)
{
	struct place *p = *state;
	write_conf(p);
	write_file(p, "x.damaged", SPAN("sluiced spill 1 and no more"));
	assert_int_equal(replay_at(p, "x.damaged", 0), EXIT_CODE_SYSTEM);
	assert_has(p, "err", "x.damaged: its head is damaged");
	assert_string_equal(content(p, "out"), "");
}

/* What came over one connection, until it ended. */
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

static int replay_to(struct place *p, const char *input, const char *letters)
{
	struct buf conf = {0};
	buf_printf(&conf, "[INPUT]\n    Name syslog\n%s", input);
	write_file(p, "conf", buf_span(&conf));
	buf_fini(&conf);
	write_file(p, "letters", span_of(letters));
	return replay_at(p, "letters", 0);
}

static void a_stream_gets_messages_in_its_framing(void **state)
{
	struct place *p = *state;
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
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path(p, "s"));
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
	assert_has(p, "err", "takes lines, and there is the end of one in it");
	assert_has(p, "out", "sent: 2\n");
	close(s);
}

static void a_network_input_is_found_by_its_port(void **state)
{
	struct place *p = *state;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(letters_go_to_their_inputs),
		TEST(the_bytes_are_those_that_came),
		TEST(what_is_no_letter_is_told_and_passed_by),
		TEST(a_message_too_long_is_told_and_passed_by),
		TEST(without_a_socket_the_place_is_told),
		TEST(what_cannot_begin_says_why),
		TEST(sending_waits_for_the_receiver),
		TEST(a_rate_loses_nothing),
		TEST(a_letter_that_comes_back_is_not_sent_again),
		TEST(the_messages_of_a_journal_are_sent),
		TEST(what_is_good_of_a_damaged_journal_is_sent),
		TEST(a_spill_is_known_by_its_first_bytes),
		TEST(a_stream_gets_messages_in_its_framing),
		TEST(a_network_input_is_found_by_its_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
