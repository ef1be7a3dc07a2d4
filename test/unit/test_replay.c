/* SPDX-License-Identifier: Apache-2.0 */
/* Each test has its own sockets `a` and `b`, a configuration `conf` with an
 * input for each (that of b is called "edge"), and replays a file `letters`. */
#include "tool_dir.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "file/spill_file.h"
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

static int replay_with(struct tool_dir *p, const char *name,
		       struct command_args args)
{
	char file[128], conf[128];
	snprintf(file, sizeof file, "%s", tool_dir_path(p, name));
	snprintf(conf, sizeof conf, "%s", tool_dir_path(p, "conf"));
	tool_dir_capture_begin(p);
	struct assemble_opts assemble = {.conf_path = conf};
	args.assemble = &assemble;
	args.operand = file;
	int code = replay(&args);
	tool_dir_capture_end(p);
	return code;
}

static int replay_at(struct tool_dir *p, const char *name, uint32_t rate)
{
	return replay_with(p, name, (struct command_args){.rate = rate});
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
	tool_dir_append(j, 0, NS_PER_S, SPAN("three"));
	journal_close(j);
	tool_dir_damage(p, "journal", SPAN("two"));
	assert_int_equal(replay_at(p, "journal", 0), EXIT_CODE_SYSTEM);
	assert_got(a, SPAN("one"));
	assert_got(a, SPAN("three"));
	assert_nothing_more(a);
	tool_dir_assert_has(p, "out", "sent: 2\n");
	tool_dir_assert_has(p, "err", "/journal: ");
	close(a);
}

/* The previous process took two of three messages and noted an append of them
 * that may have written `length_bytes`. */
static void leave_noted_batch(struct tool_dir *p, uint16_t kind,
			      uint32_t length_bytes)
{
	struct append_note note = {.kind = kind, .length_bytes = 9};
	struct journal_entry entry;
	unlink(tool_dir_path(p, "journal"));
	struct journal *j = tool_dir_open_journal(p, "journal");
	tool_dir_append(j, 0, NS_PER_S, SPAN("one"));
	tool_dir_append(j, 0, NS_PER_S, SPAN("two"));
	tool_dir_append(j, 0, NS_PER_S, SPAN("three"));
	assert_true(journal_take(j, &entry));
	assert_true(journal_take(j, &entry));
	uint32_t place = journal_note(j, &note, 0);
	assert_true(place > 0);
	if (length_bytes < note.length_bytes)
		journal_note_failed(j, place, length_bytes);
	journal_close(j);
}

static void messages_that_may_be_written_are_sent_only_with_again(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_socket(p, "a");
	write_conf(p);
	leave_noted_batch(p, APPEND_LINES, 5);
	assert_int_equal(replay_at(p, "journal", 0), EXIT_CODE_SYSTEM);
	tool_dir_assert_has(p, "out", "sent: 0\n");
	tool_dir_assert_has(p, "err", "/journal: up to 2 messages may be in");
	assert_nothing_more(a);

	assert_int_equal(
		replay_with(p, "journal", (struct command_args){.again = true}),
		0);
	tool_dir_assert_has(p, "out", "sent: 3\n");
	assert_got(a, SPAN("one"));
	assert_got(a, SPAN("two"));
	assert_got(a, SPAN("three"));
	assert_nothing_more(a);
	close(a);
}

static void messages_of_which_nothing_was_written_are_sent(void **state)
{
	static const struct {
		uint16_t kind;
		uint32_t length_bytes;
	} cases[] = {{APPEND_LINES, 0}, {APPEND_SPILL, 9}};
	struct tool_dir *p = *state;
	int a = bind_socket(p, "a");
	write_conf(p);
	for (size_t i = 0; i < COUNT(cases); i++) {
		leave_noted_batch(p, cases[i].kind, cases[i].length_bytes);
		assert_int_equal(replay_at(p, "journal", 0), 0);
		tool_dir_assert_has(p, "out", "sent: 3\n");
	}
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

/* --- where the lines of a spill may be appended */

static void write_spill(struct tool_dir *p, const char *output_path)
{
	static const char lines[] = "line\n";
	struct buf b = {0};
	buf_printf(&b, "sluiced spill 1 6 %zu file.0 %s\n", strlen(output_path),
		   output_path);
	while (b.len % SPILL_ALIGN_BYTES != 0)
		buf_put_char(&b, '\0');
	struct spill s = {
		.state = {.magic = SPILL_STATE_MAGIC,
			  .position_bytes = b.len + sizeof s.state},
		.head_check = spill_check(buf_span(&b)),
	};
	s.state.check = spill_state_check(&s);
	buf_put(&b, (const char *)&s.state, sizeof s.state);
	struct spill_chunk c = {.magic = SPILL_CHUNK_MAGIC,
				.bytes = sizeof lines - 1,
				.lines = 1,
				.messages = 1};
	c.check = spill_chunk_check(&c, spill_check(span_of(lines)));
	buf_put(&b, (const char *)&c, sizeof c);
	buf_put(&b, lines, sizeof lines - 1);
	tool_dir_write(p, "x.damaged", buf_span(&b));
	buf_fini(&b);
}

/* @ stands for the directory.  log/link and log/day lead out of log. */
static const struct {
	const char *sections, *output_path;
	const char *lock_dir; /* NULL: the lines are not appended */
} spill_cases[] = {
	/* with File */
	{"[OUTPUT]\n Name file\n Path @/log\n File a\n", "@/log/a", "log"},
	{"[OUTPUT]\n Name file\n Path @/log\n File link\n", "@/log/link", NULL},
	{"[OUTPUT]\n Name file\n Path @/log//\n File day/a\n", "@/log/day/a",
	 NULL},
	{"[OUTPUT]\n Name file\n Path @/log\n File day/a\n"
	 " Follow_Symlinks on\n",
	 "@/log/day/a", "log"},
	{"[OUTPUT]\n Name file\n Path @/log\n File ../elsewhere/a\n",
	 "@/log/../elsewhere/a", "log"},
	{"[OUTPUT]\n Name file\n File @/log/link\n", "@/log/link", NULL},
	/* with tags as names */
	{"[OUTPUT]\n Name file\n Path @/log\n", "@/log/day/a", NULL},
	{"[OUTPUT]\n Name file\n Path @/log\n Follow_Symlinks on\n",
	 "@/log/day/a", "log"},
	{"[OUTPUT]\n Name file\n Path @/lo\n", "@/log/day/a", "elsewhere"},
	/* with tags as paths */
	{"[OUTPUT]\n Name file\n"
	 "[FILTER]\n Name rewrite_tag\n Match *\n Rule a b @/log/$a false\n",
	 "@/log/day/a", NULL},
	{"[OUTPUT]\n Name file\n Follow_Symlinks on\n"
	 "[FILTER]\n Name rewrite_tag\n Match *\n Rule a b @/log/$a false\n",
	 "@/log/day/a", "elsewhere"},
	{"[OUTPUT]\n Name file\n File @/log/link\n"
	 "[FILTER]\n Name rewrite_tag\n Match *\n Rule a b @/log/$a false\n",
	 "@/log/link", NULL},
	/* another output wrote the spill */
	{"[OUTPUT]\n Name file\n Path @/other\n"
	 "[OUTPUT]\n Name file\n Path @/log\n File link\n",
	 "@/log/link", NULL},
};

/* `text`, with the directory for each @. */
static const char *in_dir(struct tool_dir *p, const char *text, char room[1024])
{
	struct buf b = {0};
	for (; *text != '\0'; text++)
		if (*text == '@')
			buf_put_text(&b, p->dir);
		else
			buf_put_char(&b, *text);
	snprintf(room, 1024, "%s", buf_text(&b));
	buf_fini(&b);
	return room;
}

/* A directory for locks that stays when the lock file is removed.  Its time
 * tells whether it had one. */
static void make_lock_dir(struct tool_dir *p, const char *dir, char path[128])
{
	char kept[160];
	snprintf(path, 128, "%s/%s/.sluiced", p->dir, dir);
	snprintf(kept, sizeof kept, "%.127s/kept", path);
	assert_int_equal(mkdir(path, 0700), 0);
	close(creat(kept, 0600));
}

static void reset_lock_dir(const char *path)
{
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool had_lock(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_mtime != 1;
}

static void a_spill_is_replayed_as_the_output_that_wrote_it_would(void **state)
{
	struct tool_dir *p = *state;
	char room[1024], victim[128], link[128], day[128];
	static const char *const dirs[] = {"log", "elsewhere"};
	char locks[2][128];
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(mkdir(tool_dir_path(p, dirs[i]), 0755), 0);
		make_lock_dir(p, dirs[i], locks[i]);
	}
	snprintf(victim, sizeof victim, "%s/elsewhere/a", p->dir);
	snprintf(link, sizeof link, "%s/log/link", p->dir);
	snprintf(day, sizeof day, "%s/log/day", p->dir);
	assert_int_equal(symlink("../elsewhere/a", link), 0);
	assert_int_equal(symlink("../elsewhere", day), 0);
	for (size_t i = 0; i < sizeof spill_cases / sizeof *spill_cases; i++) {
		struct buf conf = {0};
		const char *lock_dir = spill_cases[i].lock_dir;
		bool want = lock_dir != NULL;
		buf_printf(&conf, "[INPUT]\n Name syslog\n Path %s/s\n%s",
			   p->dir, in_dir(p, spill_cases[i].sections, room));
		tool_dir_write(p, "conf", buf_span(&conf));
		buf_fini(&conf);
		write_spill(p, in_dir(p, spill_cases[i].output_path, room));
		reset_lock_dir(locks[0]);
		reset_lock_dir(locks[1]);
		int code = replay_at(p, "x.damaged", 0);
		bool exists = access(victim, F_OK) == 0;
		bool leads_out = strcmp(spill_cases[i].output_path, "@/log/a");
		if ((code == 0) != want || exists != (want && leads_out))
			fail_msg("case %zu: exit code %d, file %d: %s", i, code,
				 exists, tool_dir_content(p, "err"));
		for (size_t d = 0; want && d < 2; d++)
			if (had_lock(locks[d]) !=
			    (strcmp(lock_dir, dirs[d]) == 0))
				fail_msg("case %zu: lock in %s", i, dirs[d]);
		unlink(victim);
	}
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
		TEST(messages_that_may_be_written_are_sent_only_with_again),
		TEST(messages_of_which_nothing_was_written_are_sent),
		TEST(a_spill_is_recognised_by_its_first_bytes),
		TEST(a_spill_is_replayed_as_the_output_that_wrote_it_would),
		TEST(a_stream_gets_messages_in_its_framing),
		TEST(a_network_input_is_found_by_its_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
