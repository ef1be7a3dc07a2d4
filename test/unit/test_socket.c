/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "intake/queue_length.h"
#include "intake/socket.h"
#include "journal/journal.h"

/* The largest datagram that a sender with the usual wmem_default can send. */
enum { DATAGRAM_BYTES_MAX = 212960 };

struct fixture {
	char dir[TEMP_DIR_BYTES];
	char path[96];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	if (f == NULL)
		return -1;
	if (!temp_dir_make(f->dir, "/tmp", "test_socket"))
		return -1;
	snprintf(f->path, sizeof f->path, "%s/log.sock", f->dir);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	unlink(f->path);
	/* rmdir() fails if a temporary name was left behind. */
	int failed = rmdir(f->dir);
	free(f);
	return failed;
}

static struct socket *try_open(const char *path, mode_t mode, struct err *e)
{
	return socket_open(&(struct socket_opts){.path = path, .mode = mode},
			   e);
}

static enum socket_try try_at(const char *path, struct err *e)
{
	return socket_try(&(struct socket_opts){.path = path}, e);
}

static struct socket *open_socket(const char *path, mode_t mode)
{
	struct err e = {0};
	struct socket *s = try_open(path, mode, &e);
	if (s == NULL)
		fail_msg("%s", e.text);
	return s;
}

static void assert_refused(const char *path, const char *says)
{
	struct err e = {0};
	struct socket *s = try_open(path, 0666, &e);
	assert_null(s);
	if (strstr(e.text, path) == NULL || strstr(e.text, says) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", e.text, says);
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	return address;
}

/* Bind a socket of that type to the path, as another program would. */
static int bind_foreign(const char *path, int type)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address),
			 0);
	return fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static void datagrams_arrive_with_their_receive_time(void **state)
{
	struct fixture *f = *state;
	struct socket *s = open_socket(f->path, 0666);
	struct err e = {0};
	struct journal_found found;
	struct journal *j = journal_open(
		&(struct journal_opts){
			.ring_bytes = 4096, .slot_bytes = 100, .slots = 4},
		&found, &e);
	assert_non_null(j);
	unsigned count;
	struct mmsghdr *slots = journal_slots(j, 0, &count);
	assert_int_equal(socket_receive(s, slots, count), 0);

	int sender = connect_to(f->path);
	static const char *const texts[] = {"one", "", "three"};
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(send(sender, texts[i], strlen(texts[i]), 0),
				 strlen(texts[i]));
	slots = journal_slots(j, 0, &count);
	assert_int_equal(socket_receive(s, slots, count), 3);
	assert_int_equal(journal_append(j, 3, 0), 3);
	for (size_t i = 0; i < 3; i++) {
		struct journal_entry entry;
		assert_true(journal_take(j, &entry));
		assert_true(span_equals(entry.bytes, span_of(texts[i])));
		assert_true(entry.arrival_ns > INT64_C(1600000000000000000));
	}
	slots = journal_slots(j, 0, &count);
	assert_int_equal(socket_receive(s, slots, count), 0);

	const struct socket_stats *stats = socket_stats(s);
	assert_int_equal(stats->datagrams_total, 3);
	assert_int_equal(stats->bytes_total, 8);
	assert_int_equal(stats->receives_total, 1);
	assert_int_equal(stats->errors_total, 0);
	close(sender);
	journal_close(j);
	socket_close(s);
}

static void the_largest_datagram_arrives_whole_and_a_larger_one_cut(
	void **state)
{
	struct fixture *f = *state;
	struct socket *s = open_socket(f->path, 0666);
	struct err e = {0};
	struct journal_found found;
	struct journal *j = journal_open(
		&(struct journal_opts){.ring_bytes = 1 << 20,
				       .slot_bytes = DATAGRAM_BYTES_MAX,
				       .slots = 2},
		&found, &e);
	assert_non_null(j);
	char *text = calloc(1, 2 * DATAGRAM_BYTES_MAX);
	assert_non_null(text);
	for (int i = 0; i < 2 * DATAGRAM_BYTES_MAX; i++)
		text[i] = (char)('a' + i % 26);

	int sender = connect_to(f->path);
	int room = 4 * DATAGRAM_BYTES_MAX;
	ssize_t sent = send(sender, text, DATAGRAM_BYTES_MAX, 0);
	if (sent < 0) { /* wmem_default is lower on this host */
		setsockopt(sender, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
		sent = send(sender, text, DATAGRAM_BYTES_MAX, 0);
	}
	assert_int_equal(sent, DATAGRAM_BYTES_MAX);
	setsockopt(sender, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	sent = send(sender, text, DATAGRAM_BYTES_MAX + 1, 0);
	unsigned expected = sent > 0 ? 2 : 1;

	unsigned count;
	struct mmsghdr *slots = journal_slots(j, 0, &count);
	assert_int_equal(socket_receive(s, slots, count), expected);
	assert_int_equal(journal_append(j, expected, 0), expected);
	assert_int_equal(journal_stats(j)->truncated_total, expected - 1);
	for (unsigned i = 0; i < expected; i++) {
		struct journal_entry entry;
		assert_true(journal_take(j, &entry));
		assert_true(span_equals(entry.bytes,
					span_make(text, DATAGRAM_BYTES_MAX)));
	}
	close(sender);
	free(text);
	journal_close(j);
	socket_close(s);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	close(bind_foreign(f->path, SOCK_DGRAM));
	assert_true(exists(f->path));
	struct socket *s = open_socket(f->path, 0666);
	int sender = connect_to(f->path);
	assert_true(sender >= 0);
	close(sender);
	socket_close(s);
	close(bind_foreign(f->path, SOCK_STREAM));
	socket_close(open_socket(f->path, 0666));
}

static void a_socket_in_use_is_an_error_and_stays_in_use(void **state)
{
	struct fixture *f = *state;
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM, SOCK_SEQPACKET};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		int fd = bind_foreign(f->path, types[i]);
		assert_refused(f->path, "a running process uses it");
		assert_true(exists(f->path));
		unlink(f->path);
		close(fd);
	}
	struct socket *s = open_socket(f->path, 0666);
	assert_refused(f->path, "a running process uses it");
	int sender = connect_to(f->path);
	assert_true(sender >= 0);
	close(sender);
	socket_close(s);
}

static void a_file_that_is_not_a_socket_is_an_error_and_stays(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_refused(f->path, "not a socket");
	assert_true(exists(f->path));
	unlink(f->path);
	assert_int_equal(symlink("elsewhere", f->path), 0);
	assert_refused(f->path, "not a socket");
	unlink(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_refused(f->path, "not a socket");
	rmdir(f->path);
}

static void the_permissions_are_exact_whatever_the_umask(void **state)
{
	struct fixture *f = *state;
	static const mode_t modes[] = {0666, 0660, 0600, 0644, 0777, 0};
	static const mode_t umasks[] = {077, 0};
	for (size_t i = 0; i < 12; i++) {
		mode_t mode = modes[i / 2];
		mode_t before = umask(umasks[i % 2]);
		struct socket *s = open_socket(f->path, mode);
		umask(before);
		struct stat st;
		assert_int_equal(lstat(f->path, &st), 0);
		assert_int_equal(st.st_mode & 07777, mode);
		socket_close(s);
	}
}

static void closing_unlinks_the_path(void **state)
{
	struct fixture *f = *state;
	socket_close(open_socket(f->path, 0666));
	assert_false(exists(f->path));
	socket_close(NULL);
}

static void closing_does_not_unlink_a_file_that_replaced_the_socket(
	void **state)
{
	struct fixture *f = *state;
	struct socket *s = open_socket(f->path, 0666);
	unlink(f->path);
	int fd = bind_foreign(f->path, SOCK_DGRAM);
	socket_close(s);
	assert_true(exists(f->path));
	close(fd);
	unlink(f->path);

	s = open_socket(f->path, 0666);
	unlink(f->path);
	socket_close(s); /* there is no file, which is harmless */
}

static void an_impossible_path_is_an_error_that_says_why(void **state)
{
	struct fixture *f = *state;
	char path[200];
	snprintf(path, sizeof path, "%s/%0*d", f->dir,
		 (int)(107 - strlen(f->dir)), 0);
	assert_int_equal(strlen(path), 108);
	assert_refused(path, "has 108 bytes; the kernel allows 107");
	path[107] = '\0';
	socket_close(open_socket(path, 0666));

	snprintf(path, sizeof path, "%s/none/log.sock", f->dir);
	assert_refused(path, "its directory");
	assert_refused(path, "No such file or directory");
	int fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	snprintf(path, sizeof path, "%s/log.sock", f->path);
	assert_refused(path, "Not a directory");
}

static void a_path_can_be_checked_without_touching_it(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	char path[200];
	assert_int_equal(try_at(f->path, &e), SOCKET_TRY_GOOD);
	assert_int_equal(try_at("log.sock", &e), SOCKET_TRY_GOOD);
	assert_string_equal(e.text, "");
	assert_false(exists(f->path));

	struct socket *s = open_socket(f->path, 0666);
	assert_int_equal(try_at(f->path, &e), SOCKET_TRY_GOOD);
	socket_close(s);

	snprintf(path, sizeof path, "%s/none/log.sock", f->dir);
	assert_int_equal(try_at(path, &e), SOCKET_TRY_NO_DIRECTORY);
	assert_non_null(strstr(e.text, "No such file or directory"));

	close(open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(try_at(f->path, &e), SOCKET_TRY_BAD);
	assert_non_null(strstr(e.text, "not a socket"));
	snprintf(path, sizeof path, "%s/log.sock", f->path);
	assert_int_equal(try_at(path, &e), SOCKET_TRY_BAD);
	assert_non_null(strstr(e.text, "Not a directory"));
	assert_true(exists(f->path));

	memset(path, 'x', 108);
	path[108] = '\0';
	assert_int_equal(try_at(path, &e), SOCKET_TRY_BAD);
	assert_false(socket_path_fits(path, &e));
	path[107] = '\0';
	assert_true(socket_path_fits(path, &e));
}

static void a_temporary_name_left_behind_is_no_obstacle(void **state)
{
	struct fixture *f = *state;
	char name[96];
	snprintf(name, sizeof name, "%s/.s%d", f->dir, (int)getpid());
	close(bind_foreign(name, SOCK_DGRAM));
	socket_close(open_socket(f->path, 0666));
	assert_false(exists(name));
}

/* --- the queue's length: in a network namespace of its own ---------------- */

enum { CHILD_SKIPPED = 77 };

static unsigned fill(int sender)
{
	unsigned accepted = 0;
	while (send(sender, "x", 1, 0) == 1)
		accepted++;
	return errno == EAGAIN ? accepted : 0;
}

/* The child's exit code: 0, or the number of the check that failed. */
static int check_queue(const char *path)
{
	if (unshare(CLONE_NEWNET) != 0)
		return CHILD_SKIPPED;
	int fd = open("/proc/sys/net/unix/max_dgram_qlen", O_WRONLY);
	if (fd < 0)
		return CHILD_SKIPPED; /* /proc/sys is read-only */
	close(fd);
	/* The log goes to /dev/null; nobody reads it. */
	struct err e = {0};
	if (!log_open("/dev/null", LOG_DEBUG, &e))
		return 1;
	struct socket_opts opts = {.path = path, .mode = 0666};
	struct socket *s = socket_open(&opts, &e);
	if (s == NULL || socket_queue_length(s) != 10)
		return 2;
	socket_close(s);

	opts.queue_length = 100;
	s = socket_open(&opts, &e);
	if (s == NULL || socket_queue_length(s) != 100)
		return 3;
	if (fill(connect_to(path)) != 101)
		return 4;
	socket_close(s);

	/* A longer queue is never shortened. */
	opts.queue_length = 20;
	s = socket_open(&opts, &e);
	if (s == NULL || socket_queue_length(s) != 100)
		return 5;
	socket_close(s);
	return 0;
}

static void the_queue_length_is_raised_before_the_socket_is_created(
	void **state)
{
	struct fixture *f = *state;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(check_queue(f->path));
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CHILD_SKIPPED)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_socket_that_refuses_senders_still_delivers_its_queue(void **state)
{
	struct fixture *f = *state;
	struct socket *s = open_socket(f->path, 0666);
	int sender = connect_to(f->path);
	assert_int_equal(send(sender, "one", 3, 0), 3);
	socket_refuse(s);
	assert_int_equal(send(sender, "two", 3, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	int late = connect_to(f->path);
	assert_int_equal(send(late, "three", 5, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);

	char room[8];
	struct iovec iov = {.iov_base = room, .iov_len = sizeof room};
	struct mmsghdr slot = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	assert_int_equal(socket_receive(s, &slot, 1), 1);
	assert_memory_equal(room, "one", 3);
	assert_int_equal(socket_receive(s, &slot, 1), 0);
	assert_int_equal(socket_stats(s)->errors_total, 0);
	close(late);
	close(sender);
	socket_close(s);
}

static void receive_errors_are_counted(void **state)
{
	struct fixture *f = *state;
	struct socket *s = open_socket(f->path, 0666);
	int sender = connect_to(f->path);
	assert_int_equal(send(sender, "x", 1, 0), 1);
	struct mmsghdr broken = {.msg_hdr = {.msg_iov = NULL, .msg_iovlen = 1}};
	assert_int_equal(socket_receive(s, &broken, 1), 0);
	assert_int_equal(socket_stats(s)->errors_total, 1);
	assert_int_equal(socket_stats(s)->receives_total, 0);
	close(sender);
	socket_close(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Fill a socket pair, which is limited by its send buffer and not by a queue
 * length.  Another kernel may account for memory a little differently. */
static void a_send_buffer_holds_as_many_lines_as_calculated(void **state)
{
	(void)state;
	static const size_t sizes[] = {200, 655, 1000, 1354, 3155};
	for (size_t i = 0; i < COUNT(sizes); i++) {
		int fds[2];
		char line[4096] = {0};
		unsigned sent = 0;
		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
		while (send(fds[0], line, sizes[i], MSG_DONTWAIT) > 0)
			sent++;
		unsigned expected = queue_length_per_sender(sizes[i]);
		assert_in_range(expected, sent - sent / 5, sent + sent / 5);
		close(fds[0]);
		close(fds[1]);
	}
}

int main(void)
{
	struct err e = {0};
	if (!log_open(NULL, LOG_ERROR, &e))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_send_buffer_holds_as_many_lines_as_calculated),
		TEST(datagrams_arrive_with_their_receive_time),
		TEST(the_largest_datagram_arrives_whole_and_a_larger_one_cut),
		TEST(a_stale_socket_is_replaced),
		TEST(a_socket_in_use_is_an_error_and_stays_in_use),
		TEST(a_file_that_is_not_a_socket_is_an_error_and_stays),
		TEST(the_permissions_are_exact_whatever_the_umask),
		TEST(closing_unlinks_the_path),
		TEST(closing_does_not_unlink_a_file_that_replaced_the_socket),
		TEST(an_impossible_path_is_an_error_that_says_why),
		TEST(a_path_can_be_checked_without_touching_it),
		TEST(a_temporary_name_left_behind_is_no_obstacle),
		TEST(a_socket_that_refuses_senders_still_delivers_its_queue),
		TEST(receive_errors_are_counted),
		TEST(the_queue_length_is_raised_before_the_socket_is_created),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
