/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"
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

/* All modes except unix_udp, which test_socket.c tests. */
struct fixture {
	char dir[TEMP_DIR_BYTES];
	char path[96];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	if (!temp_dir_make(f->dir, "/tmp", "test_modes"))
		return -1;
	snprintf(f->path, sizeof f->path, "%s/log.sock", f->dir);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	/* rmdir() fails if a file was left behind. */
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

/* Open a socket on that port; 0 lets the kernel choose a free one. */
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

static void udp_datagrams_arrive_with_their_peer_address(void **state)
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
	wait_readable(socket_fd(s));
	assert_int_equal(socket_receive(s, &slot, 1), 1);
	assert_int_equal(slot.msg_len, 3);
	assert_int_equal(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(socket_receive(s, &slot, 1), 0);
	close(sender);
	socket_close(s);
}

static void datagrams_lost_by_udp_are_counted(void **state)
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
	const uint64_t *dropped = &socket_stats(s)->kernel_dropped_total;
	wait_readable(socket_fd(s));
	while (received + *dropped < SENT) {
		if (socket_receive(s, &slot, 1) > 0)
			received++;
		else
			socket_see_drops(s);
	}
	assert_int_equal(received + *dropped, SENT);
	assert_true(received > 0 && *dropped > 0);
	close(sender);
	socket_close(s);
}

static void connections_are_accepted_until_they_are_refused(void **state)
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
	assert_null(socket_open(&other, &e)); /* datagram sockets only */
	socket_refuse(s);
	sender = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(sender, (struct sockaddr *)&to, sizeof to),
			 -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(socket_accept(s, &peer), -1);
	close(sender);
	socket_close(s);
}

static void an_adopted_socket_is_recognized_by_its_address(void **state)
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

static void a_port_in_use_is_reported(void **state)
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
		T(udp_datagrams_arrive_with_their_peer_address),
		T(datagrams_lost_by_udp_are_counted),
		T(connections_are_accepted_until_they_are_refused),
		T(an_adopted_socket_is_recognized_by_its_address),
		T(a_port_in_use_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
