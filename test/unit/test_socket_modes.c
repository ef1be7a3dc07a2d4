/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "intake/socket.h"

/* The modes beside unix_udp, for which see test_socket.c. */
struct fixture {
	char dir[32];
	char path[64];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	snprintf(f->dir, sizeof f->dir, "/tmp/test_modes.XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->path, sizeof f->path, "%s/log.sock", f->dir);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	/* Fails when something was left behind. */
	int failed = rmdir(f->dir);
	free(f);
	return failed;
}

static uint16_t port_of(const struct socket *s)
{
	struct sockaddr_in address = {0};
	socklen_t length = sizeof address;
	assert_int_equal(
		getsockname(socket_fd(s), (struct sockaddr *)&address, &length),
		0);
	return ntohs(address.sin_port);
}

/* A port that was free a moment ago: 0 lets the kernel choose. */
static struct socket *open_inet(enum socket_kind kind, const char *host,
				uint16_t port)
{
	struct err e = {0};
	struct socket_opts opts = {.kind = kind, .path = host, .port = port};
	struct socket *s = socket_open(&opts, &e);
	if (s == NULL)
		fail_msg("%s", e.text);
	return s;
}

static void connect_inet(int fd, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
}

static void udp_is_received_with_its_sender(void **state)
{
	(void)state;
	struct socket *s = open_inet(SOCKET_UDP, "127.0.0.1", 0);
	int sender = socket(AF_INET, SOCK_DGRAM, 0);
	connect_inet(sender, port_of(s));
	assert_int_equal(send(sender, "one", 3, 0), 3);
	char room[16];
	struct iovec iov = {room, sizeof room};
	struct sockaddr_in from = {0};
	struct mmsghdr slot = {.msg_hdr = {.msg_name = &from,
					   .msg_namelen = sizeof from,
					   .msg_iov = &iov,
					   .msg_iovlen = 1}};
	assert_int_equal(socket_receive(s, &slot, 1), 1);
	assert_int_equal(slot.msg_len, 3);
	assert_int_equal(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(socket_receive(s, &slot, 1), 0);
	close(sender);
	socket_close(s);
}

static void what_udp_had_no_room_for_is_counted(void **state)
{
	(void)state;
	struct err e = {0};
	struct socket_opts opts = {
		.kind = SOCKET_UDP, .path = "127.0.0.1", .receive_bytes = 4096};
	struct socket *s = socket_open(&opts, &e);
	assert_non_null(s);
	int sender = socket(AF_INET, SOCK_DGRAM, 0);
	connect_inet(sender, port_of(s));
	char text[1000] = {0};
	enum { SENT = 100 };
	for (int i = 0; i < SENT; i++)
		assert_int_equal(send(sender, text, sizeof text, 0),
				 sizeof text);
	struct iovec iov = {text, sizeof text};
	struct mmsghdr slot = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	uint64_t received = 0;
	while (socket_receive(s, &slot, 1) > 0)
		received++;
	assert_true(received > 0 && received < SENT);
	assert_int_equal(socket_stats(s)->kernel_dropped_total, 0);
	socket_see_drops(s);
	assert_int_equal(socket_stats(s)->kernel_dropped_total,
			 SENT - received);
	close(sender);
	socket_close(s);
}

static void a_connection_is_accepted_until_refused(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_storage peer;
	struct err e = {0};
	struct socket *s = socket_open(
		&(struct socket_opts){
			.kind = SOCKET_UNIX_TCP, .path = f->path, .mode = 0600},
		&e);
	assert_non_null(s);
	struct stat st;
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(socket_accept(s, &peer), -1);
	assert_int_equal(errno, EAGAIN);

	struct sockaddr_un to = {.sun_family = AF_UNIX};
	strncpy(to.sun_path, f->path, sizeof to.sun_path - 1);
	int sender = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(sender, (struct sockaddr *)&to, sizeof to), 0);
	int fd = socket_accept(s, &peer);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(socket_stats(s)->connections_total, 1);
	close(fd);
	close(sender);

	struct socket_opts other = {.path = f->path, .mode = 0600};
	assert_null(socket_open(&other, &e)); /* of datagrams */
	socket_refuse(s);
	sender = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(sender, (struct sockaddr *)&to, sizeof to),
			 -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(socket_accept(s, &peer), -1);
	close(sender);
	socket_close(s);
}

static void what_is_adopted_is_known_by_its_place(void **state)
{
	(void)state;
	struct socket *s = open_inet(SOCKET_TCP, "0.0.0.0", 0);
	uint16_t port = port_of(s);
	struct err e = {0};
	struct socket *a = socket_adopt(dup(socket_fd(s)), 0, true, &e);
	assert_non_null(a);
	assert_int_equal(socket_kind(a), SOCKET_TCP);
	const struct {
		struct socket_opts opts;
		bool is_at;
	} cases[] = {
		{{.kind = SOCKET_TCP, .path = "0.0.0.0", .port = port}, true},
		{{.kind = SOCKET_TCP, .path = "::", .port = port}, true},
		{{.kind = SOCKET_TCP, .path = "127.0.0.1", .port = port},
		 false},
		{{.kind = SOCKET_TCP, .path = "::1", .port = port}, false},
		{{.kind = SOCKET_UDP, .path = "0.0.0.0", .port = port}, false},
		{{.kind = SOCKET_TCP,
		  .path = "0.0.0.0",
		  .port = (uint16_t)(port ^ 1)},
		 false},
		{{.kind = SOCKET_UNIX_TCP, .path = "0.0.0.0"}, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (socket_is_at(a, &cases[i].opts) != cases[i].is_at)
			fail_msg("case %zu", i);
	socket_close(a);
	socket_close(s);
}

static void a_port_in_use_is_told(void **state)
{
	(void)state;
	struct socket *s = open_inet(SOCKET_TCP, "127.0.0.1", 0);
	struct err e = {0};
	struct socket_opts opts = {
		.kind = SOCKET_TCP, .path = "127.0.0.1", .port = port_of(s)};
	assert_null(socket_open(&opts, &e));
	char says[64];
	snprintf(says, sizeof says,
		 "TCP port %u of 127.0.0.1: Address already in use", opts.port);
	assert_string_equal(e.text, says);
	opts.path = "not.an.address.invalid";
	assert_int_equal(socket_try(&opts, &e), SOCKET_TRY_BAD);
	socket_close(s);
}

int main(void)
{
	struct err e = {0};
	if (!log_open(NULL, LOG_ERROR, &e))
		return 1;
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(udp_is_received_with_its_sender),
		T(what_udp_had_no_room_for_is_counted),
		T(a_connection_is_accepted_until_refused),
		T(what_is_adopted_is_known_by_its_place),
		T(a_port_in_use_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
