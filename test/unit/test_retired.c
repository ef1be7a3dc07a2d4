/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "intake/retired.h"
#include "intake/socket.h"

static const struct journal_input input = {.name = "syslog.0"};

struct fixture {
	char dir[TEMP_DIR_BYTES];
	char path[96];
	struct retired retired;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	if (f == NULL || !temp_dir_make(f->dir, "/tmp", "test_retired"))
		return -1;
	snprintf(f->path, sizeof f->path, "%s/log.sock", f->dir);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	retired_close(&f->retired);
	int failed = rmdir(f->dir); /* all paths must have been unlinked */
	free(f);
	return failed;
}

/* Retire a new socket at the path.  Returns a sender that is connected to it;
 * it has sent one datagram if has_datagram. */
static int retire(struct fixture *f, enum socket_kind kind, bool has_datagram)
{
	struct err e = {0};
	struct socket *s = socket_open(&(struct socket_opts){.kind = kind,
							     .path = f->path,
							     .mode = 0600},
				       &e);
	if (s == NULL)
		fail_msg("%s", e.text);
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	memcpy(to.sun_path, f->path, strlen(f->path));
	int type = socket_kind_is_stream(kind) ? SOCK_STREAM : SOCK_DGRAM;
	int sender = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(sender, (struct sockaddr *)&to, sizeof to), 0);
	if (has_datagram)
		assert_int_equal(send(sender, "", 0, 0), 0);
	retired_add(&f->retired, s, &input);
	return sender;
}

static void a_retired_socket_has_no_path_and_its_senders_continue(void **state)
{
	struct fixture *f = *state;
	int sender = retire(f, SOCKET_UNIX_UDP, false);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(send(sender, "a", 1, 0), 1);
	assert_int_equal(f->retired.count, 1);
	close(sender);
}

/* A datagram without bytes is one, too. */
static void only_sockets_with_datagrams_outlive_their_worker(void **state)
{
	struct fixture *f = *state;
	int empty = retire(f, SOCKET_UNIX_UDP, false);
	int full = retire(f, SOCKET_UNIX_UDP, true);
	retired_settle(&f->retired);
	assert_int_equal(f->retired.count, 1);
	assert_false(socket_is_empty(f->retired.sockets[0].socket));
	assert_string_equal(f->retired.sockets[0].input.name, input.name);
	assert_int_equal(send(full, "a", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	close(empty);
	close(full);
}

static void a_stream_socket_is_closed_at_once(void **state)
{
	struct fixture *f = *state;
	close(retire(f, SOCKET_UNIX_TCP, false));
	assert_int_equal(f->retired.count, 0);
}

static void sockets_that_retired_later_stay_when_the_passed_are_read(
	void **state)
{
	struct fixture *f = *state;
	close(retire(f, SOCKET_UNIX_UDP, true));
	f->retired.passed = f->retired.count;
	close(retire(f, SOCKET_UNIX_UDP, true));
	struct socket *later = f->retired.sockets[1].socket;
	retired_close_passed(&f->retired);
	assert_int_equal(f->retired.count, 1);
	assert_ptr_equal(f->retired.sockets[0].socket, later);
	retired_close_passed(&f->retired);
	assert_int_equal(f->retired.count, 1);
}

static void one_socket_too_many_is_closed(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i <= RETIRED_MAX; i++)
		close(retire(f, SOCKET_UNIX_UDP, true));
	assert_int_equal(f->retired.count, RETIRED_MAX);
	assert_int_equal(access(f->path, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_retired_socket_has_no_path_and_its_senders_continue),
		TEST(only_sockets_with_datagrams_outlive_their_worker),
		TEST(a_stream_socket_is_closed_at_once),
		TEST(sockets_that_retired_later_stay_when_the_passed_are_read),
		TEST(one_socket_too_many_is_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
