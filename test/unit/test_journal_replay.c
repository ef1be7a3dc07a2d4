/* SPDX-License-Identifier: Apache-2.0 */
/* `sluiced replay JOURNAL` notes in the journal what it has sent.  Each test
 * replays the file `journal` to the datagram socket `a` or the stream `s`. */
#include "tool_dir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal/journal_format.h"
#include "journal/journal_replay.h"
#include "tool/replay.h"

enum { COUNT_KILLED = 5, NOBODY = 65534 };

static int bind_at(struct tool_dir *p, const char *name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s",
		 tool_dir_path(p, name));
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	unlink(address.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address),
			 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static void write_conf(struct tool_dir *p, const char *socket, const char *more)
{
	struct buf conf = {0};
	buf_printf(&conf, "[INPUT]\n    Name syslog\n    Path %s/%s\n%s",
		   p->dir, socket, more);
	tool_dir_write(p, "conf", buf_span(&conf));
	buf_fini(&conf);
}

static int replay_journal(struct tool_dir *p, bool again)
{
	char file[128], conf[128];
	struct assemble_opts assemble = {.conf_path = conf};
	struct command_args args = {
		.assemble = &assemble, .operand = file, .again = again};
	snprintf(file, sizeof file, "%s", tool_dir_path(p, "journal"));
	snprintf(conf, sizeof conf, "%s", tool_dir_path(p, "conf"));
	tool_dir_capture_begin(p);
	int code = replay(&args);
	tool_dir_capture_end(p);
	return code;
}

static void assert_out(struct tool_dir *p, int code, int want, const char *out)
{
	if (code != want)
		fail_msg("exit code %d: %s", code, tool_dir_content(p, "err"));
	tool_dir_assert_has(p, "out", out);
}

/* Assert that the next datagrams are from..upto - 1. */
static void assert_numbers(int fd, int from, int upto)
{
	char want[16], got[16] = "";
	for (int n = from; n < upto; n++) {
		ssize_t bytes = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
		snprintf(want, sizeof want, "%d", n);
		got[bytes > 0 ? bytes : 0] = '\0';
		assert_string_equal(got, want);
	}
}

static void assert_nothing_more(int fd)
{
	char room[1];
	assert_int_equal(recv(fd, room, sizeof room, MSG_DONTWAIT), -1);
}

static void append_numbers(struct journal *j, int from, int upto)
{
	char text[16];
	for (int n = from; n < upto; n++) {
		snprintf(text, sizeof text, "%d", n);
		tool_dir_append(j, 0, NS_PER_S, span_of(text));
	}
}

static void leave_numbers(struct tool_dir *p, int from, int upto)
{
	struct journal *j = tool_dir_open_journal(p, "journal");
	append_numbers(j, from, upto);
	journal_close(j);
}

/* Open the journal and take `count` messages, of which those before `upto` were
 * replayed. */
static struct journal *assert_takes_replayed(struct tool_dir *p, unsigned count,
					     unsigned upto)
{
	struct journal *j = tool_dir_open_journal(p, "journal");
	struct journal_entry entry;
	for (unsigned n = 0; n < count; n++) {
		assert_true(journal_take(j, &entry));
		assert_int_equal(entry.is_replayed, n < upto);
	}
	assert_false(journal_take(j, &entry));
	return j;
}

static void a_second_replay_has_nothing_left_to_send(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_at(p, "a", SOCK_DGRAM);
	write_conf(p, "a", "");
	leave_numbers(p, 0, 3);
	assert_out(p, replay_journal(p, false), 0, "sent: 3\n");
	assert_numbers(a, 0, 3);
	assert_out(p, replay_journal(p, false), 0, "sent: 0\n");
	tool_dir_assert_has(p, "out", "nothing is left to send\n");
	tool_dir_assert_has(p, "out", "sent by an earlier replay: 3;");
	assert_string_equal(tool_dir_content(p, "err"), "");
	assert_nothing_more(a);
	close(a);
}

static void with_again_all_messages_are_sent_again(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_at(p, "a", SOCK_DGRAM);
	write_conf(p, "a", "");
	leave_numbers(p, 0, 3);
	for (int i = 0; i < 2; i++) {
		assert_out(p, replay_journal(p, true), 0, "sent: 3\n");
		assert_numbers(a, 0, 3);
	}
	assert_out(p, replay_journal(p, false), 0, "sent: 0\n");
	assert_nothing_more(a);
	close(a);
}

static void a_later_sluiced_drops_what_was_replayed(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_at(p, "a", SOCK_DGRAM);
	write_conf(p, "a", "");
	leave_numbers(p, 0, 3);
	assert_int_equal(replay_journal(p, false), 0);
	assert_numbers(a, 0, 3);
	leave_numbers(p, 3, 5);
	struct journal *j = assert_takes_replayed(p, 5, 3);
	journal_close(j);
	assert_out(p, replay_journal(p, false), 0, "sent: 2\n");
	assert_numbers(a, 3, 5);
	j = assert_takes_replayed(p, 5, 5);
	journal_commit(j, NULL, 0);
	append_numbers(j, 5, 6);
	journal_close(j);
	j = assert_takes_replayed(p, 1, 0);
	journal_close(j);
	close(a);
}

static void what_was_replayed_stays_known_in_a_file_of_another_size(
	void **state)
{
	struct tool_dir *p = *state;
	int a = bind_at(p, "a", SOCK_DGRAM);
	write_conf(p, "a", "");
	leave_numbers(p, 0, 3);
	assert_int_equal(replay_journal(p, false), 0);
	struct journal_found found;
	struct err e = {0};
	struct journal *j = journal_open(
		&(struct journal_opts){.path = tool_dir_path(p, "journal"),
				       .ring_bytes = 1 << 20,
				       .slot_bytes = 2048,
				       .slots = 2},
		&found, &e);
	assert_non_null(j);
	assert_string_equal(found.kept.text, "");
	assert_int_equal(found.messages, 3);
	assert_int_equal(found.replayed, 3);
	journal_close(j);
	close(a);
}

/* A datagram that cannot be sent to a stream is left. */
static void messages_that_cannot_be_sent_are_left(void **state)
{
	struct tool_dir *p = *state;
	int s = bind_at(p, "s", SOCK_STREAM);
	write_conf(p, "s", "    Mode unix_tcp\n");
	struct journal *j = tool_dir_open_journal(p, "journal");
	tool_dir_append(j, 0, NS_PER_S, SPAN("one"));
	tool_dir_append(j, 0, NS_PER_S, SPAN("two\nlines"));
	tool_dir_append(j, 0, NS_PER_S, SPAN("three"));
	journal_close(j);
	for (int i = 0; i < 2; i++) {
		assert_out(p, replay_journal(p, false), EXIT_CODE_SYSTEM,
			   i == 0 ? "sent: 2\n" : "sent: 0\n");
		tool_dir_assert_has(p, "err", "journal: message 1: ");
	}
	close(s);
	int a = bind_at(p, "a", SOCK_DGRAM);
	write_conf(p, "a", "");
	for (int i = 0; i < 2; i++)
		assert_out(p, replay_journal(p, false), 0,
			   i == 0 ? "sent: 1\n" : "sent: 0\n");
	close(a);
}

static void too_many_messages_that_cannot_be_sent_end_the_replay(void **state)
{
	struct tool_dir *p = *state;
	int s = bind_at(p, "s", SOCK_STREAM);
	write_conf(p, "s", "    Mode unix_tcp\n");
	struct journal *j = tool_dir_open_journal(p, "journal");
	for (int i = 0; i <= JOURNAL_UNSENT_MAX; i++)
		tool_dir_append(j, 0, NS_PER_S, SPAN("two\nlines"));
	tool_dir_append(j, 0, NS_PER_S, SPAN("one"));
	journal_close(j);
	assert_out(p, replay_journal(p, false), EXIT_CODE_SYSTEM, "sent: 0\n");
	tool_dir_assert_has(p, "err", "more than 60 messages cannot be sent");
	tool_dir_assert_has(p, "out", "left: 2; ");
	write_conf(p, "s", "    Mode unix_tcp\n    Format octet_counting\n");
	assert_out(p, replay_journal(p, false), 0, "sent: 62\n");
	close(s);
}

static void without_a_receiver_the_messages_are_left(void **state)
{
	struct tool_dir *p = *state;
	write_conf(p, "a", "");
	leave_numbers(p, 0, 3);
	assert_out(p, replay_journal(p, false), EXIT_CODE_SYSTEM, "left: 3; ");
	int a = bind_at(p, "a", SOCK_DGRAM);
	assert_out(p, replay_journal(p, false), 0, "sent: 3\n");
	assert_numbers(a, 0, 3);
	close(a);
}

static void a_journal_that_cannot_be_changed_is_sent_with_a_warning(
	void **state)
{
	struct tool_dir *p = *state;
	bool is_root = geteuid() == 0; /* the mode does not bind root */
	if (is_root) {
		assert_int_equal(chown(p->dir, NOBODY, NOBODY), 0);
		assert_int_equal(seteuid(NOBODY), 0);
	}
	int a = bind_at(p, "a", SOCK_DGRAM);
	write_conf(p, "a", "");
	leave_numbers(p, 0, 3);
	assert_int_equal(chmod(tool_dir_path(p, "journal"), 0400), 0);
	for (int i = 0; i < 2; i++) {
		assert_out(p, replay_journal(p, false), 0, "sent: 3\n");
		tool_dir_assert_has(p, "err",
				    "the progress cannot be noted in "
				    "the journal: Permission denied");
		assert_numbers(a, 0, 3);
	}
	close(a);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
}

static void a_damaged_note_does_not_hide_messages(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_at(p, "a", SOCK_DGRAM);
	write_conf(p, "a", "");
	leave_numbers(p, 0, 3);
	assert_int_equal(replay_journal(p, false), 0);
	FILE *f = fopen(tool_dir_path(p, "journal"), "r+");
	fseek(f, offsetof(struct journal_header, replayed), SEEK_SET);
	fputc(9, f);
	fclose(f);
	assert_out(p, replay_journal(p, false), 0, "sent: 3\n");
	close(a);
}

static void the_good_messages_of_a_damaged_journal_are_sent_once(void **state)
{
	struct tool_dir *p = *state;
	int a = bind_at(p, "a", SOCK_DGRAM);
	write_conf(p, "a", "");
	struct journal *j = tool_dir_open_journal(p, "journal");
	append_numbers(j, 0, 1);
	tool_dir_append(j, 0, NS_PER_S, SPAN("damage"));
	append_numbers(j, 1, 2);
	journal_close(j);
	tool_dir_damage(p, "journal", SPAN("damage"));
	for (int i = 0; i < 2; i++)
		assert_out(p, replay_journal(p, false), EXIT_CODE_SYSTEM,
			   i == 0 ? "sent: 2\n" : "sent: 0\n");
	assert_numbers(a, 0, 2);
	assert_nothing_more(a);
	close(a);
}

static void a_journal_is_locked_while_it_is_replayed(void **state)
{
	struct tool_dir *p = *state;
	write_conf(p, "a", "");
	leave_numbers(p, 0, 1);
	int fd = open(tool_dir_path(p, "journal"), O_RDONLY);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_out(p, replay_journal(p, false), EXIT_CODE_SYSTEM, "sent: 0\n");
	tool_dir_assert_has(p, "err", "is in use by a running sluiced");
	close(fd);
}

/* --- a batch of which lines may be in the files */

/* Two messages belong to it. */
static void leave_noted_batch(struct tool_dir *p, int count)
{
	const struct append_note note = {.kind = APPEND_LINES,
					 .length_bytes = 9};
	struct journal_entry entry;
	struct journal *j = tool_dir_open_journal(p, "journal");
	append_numbers(j, 0, count);
	assert_true(journal_take(j, &entry) && journal_take(j, &entry));
	assert_true(journal_note(j, &note, 0) > 0);
	journal_close(j);
}

static void after_again_the_rest_needs_no_again(void **state)
{
	struct tool_dir *p = *state;
	write_conf(p, "a", "");
	leave_noted_batch(p, 3);
	int a = bind_at(p, "a", SOCK_DGRAM);
	assert_int_equal(replay_journal(p, false), EXIT_CODE_SYSTEM);
	tool_dir_assert_has(p, "err", "up to 2 messages may be in");
	assert_nothing_more(a);
	assert_out(p, replay_journal(p, true), 0, "sent: 3\n");
	assert_numbers(a, 0, 3);
	assert_out(p, replay_journal(p, false), 0, "nothing is left");
	/* A sluiced repeats the batch, so that it completes its lines. */
	struct journal *j = assert_takes_replayed(p, 2, 0);
	journal_commit(j, NULL, 0);
	struct journal_entry entry;
	assert_true(journal_take(j, &entry));
	assert_true(entry.is_replayed);
	journal_close(j);
	close(a);
}

static void a_later_batch_is_refused_again(void **state)
{
	struct tool_dir *p = *state;
	const struct append_note note = {.kind = APPEND_LINES,
					 .length_bytes = 9};
	int a = bind_at(p, "a", SOCK_DGRAM);
	write_conf(p, "a", "");
	leave_numbers(p, 0, 2);
	assert_int_equal(replay_journal(p, false), 0);
	leave_numbers(p, 2, 5);
	struct journal *j = assert_takes_replayed(p, 5, 2);
	assert_true(journal_note(j, &note, 0) > 0);
	journal_close(j);
	assert_int_equal(replay_journal(p, false), EXIT_CODE_SYSTEM);
	tool_dir_assert_has(p, "err", "up to 3 messages may be in");
	j = assert_takes_replayed(p, 5, 2); /* also when it is repeated */
	journal_close(j);
	close(a);
}

/* --- kills */

/* Stop before the system call with that number; false if the child ends. */
static bool run_until_call(pid_t child, unsigned number)
{
	int status;
	for (unsigned i = 0; i < 2 * number; i++) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSTOPPED(status))
			return false;
	}
	return true;
}

static _Noreturn void replay_in_child(struct tool_dir *p)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	raise(SIGSTOP);
	_exit(replay_journal(p, false));
}

static unsigned count_waiting(int fd)
{
	char room[16];
	unsigned count = 0;
	while (recv(fd, room, sizeof room, MSG_DONTWAIT) >= 0)
		count++;
	return count;
}

static void a_kill_repeats_at_most_one_message(void **state)
{
	struct tool_dir *p = *state;
#ifdef __SANITIZE_THREAD__
	skip(); /* its own calls cannot be traced */
#endif
	int a = bind_at(p, "a", SOCK_DGRAM);
	write_conf(p, "a", "");
	bool is_running = true;
	unsigned kills = 0;
	for (unsigned number = 1; is_running; number += 3) {
		int status;
		unlink(tool_dir_path(p, "journal"));
		leave_numbers(p, 0, COUNT_KILLED);
		pid_t child = fork();
		if (child == 0)
			replay_in_child(p);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status)) {
			print_message("ptrace is not permitted here\n");
			skip();
		}
		is_running = run_until_call(child, number);
		if (is_running) {
			kill(child, SIGKILL);
			assert_int_equal(waitpid(child, &status, 0), child);
			kills++;
		}
		unsigned first = count_waiting(a);
		assert_int_equal(replay_journal(p, false), 0);
		unsigned both = first + count_waiting(a);
		assert_in_range(both, COUNT_KILLED, COUNT_KILLED + is_running);
	}
	assert_true(kills > 5);
	close(a);
}

#define TEST(name)                                             \
	cmocka_unit_test_setup_teardown(name, tool_dir_set_up, \
					tool_dir_tear_down)

static void receive_in_slot(struct journal *j, unsigned slot, struct span text)
{
	unsigned count;
	struct mmsghdr *m = &journal_slots(j, 0, &count)[slot];
	assert_true(slot < count && text.len <= m->msg_hdr.msg_iov->iov_len);
	memcpy(m->msg_hdr.msg_iov->iov_base, text.ptr, text.len);
	m->msg_hdr.msg_flags = 0;
	m->msg_hdr.msg_controllen = 0;
	m->msg_len = (unsigned)text.len;
}

static enum journal_sent send_nothing(void *data,
				      const struct journal_entry *entry,
				      const struct journal_input *input)
{
	(void)entry, (void)input;
	++*(unsigned *)data;
	return JOURNAL_SENT;
}

/* When sluiced was killed, the ring was full, and a slot had a datagram.  The
 * replay sends both, but the next sluiced has no room for that datagram. */
static void messages_after_a_replay_of_a_full_journal_are_new(void **state)
{
	struct tool_dir *p = *state;
	static const char text[1000];
	struct journal *j = tool_dir_open_journal(p, "journal");
	unsigned count = 0, sent = 0;
	do
		receive_in_slot(j, 0, span_make(text, sizeof text));
	while (journal_append(j, 1, NS_PER_S) == 1 && ++count < 1000);
	receive_in_slot(j, 0, span_make(text, sizeof text));
	journal_close(j);

	struct err e;
	struct journal_replay_result result;
	struct journal_replay *r =
		journal_replay_open(tool_dir_path(p, "journal"), false, &e);
	assert_non_null(r);
	assert_true(journal_replay_send(r, send_nothing, &sent, &result, &e));
	journal_replay_close(r);
	assert_int_equal(sent, count + 1);

	j = assert_takes_replayed(p, count, count);
	journal_commit(j, NULL, 0);
	struct journal_entry entry;
	for (unsigned n = 0; n < 3; n++) {
		tool_dir_append(j, 0, NS_PER_S, SPAN("new"));
		assert_true(journal_take(j, &entry));
		assert_false(entry.is_replayed);
	}
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_second_replay_has_nothing_left_to_send),
		TEST(with_again_all_messages_are_sent_again),
		TEST(a_later_sluiced_drops_what_was_replayed),
		TEST(what_was_replayed_stays_known_in_a_file_of_another_size),
		TEST(messages_that_cannot_be_sent_are_left),
		TEST(too_many_messages_that_cannot_be_sent_end_the_replay),
		TEST(without_a_receiver_the_messages_are_left),
		TEST(a_journal_that_cannot_be_changed_is_sent_with_a_warning),
		TEST(a_damaged_note_does_not_hide_messages),
		TEST(the_good_messages_of_a_damaged_journal_are_sent_once),
		TEST(a_journal_is_locked_while_it_is_replayed),
		TEST(after_again_the_rest_needs_no_again),
		TEST(a_later_batch_is_refused_again),
		TEST(a_kill_repeats_at_most_one_message),
		TEST(messages_after_a_replay_of_a_full_journal_are_new),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
