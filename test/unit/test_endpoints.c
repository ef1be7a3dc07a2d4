/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "intake/endpoints.h"

struct fixture {
	char dir[TEMP_DIR_BYTES];
	char run[TEMP_DIR_BYTES + 8];  /* the directory of the socket */
	char away[TEMP_DIR_BYTES + 8]; /* its name while it is away */
	struct endpoint_specs specs;
	struct endpoints endpoints;
	int64_t now_ns;
};

/* An input with the tag at the path or, with a port, at 127.0.0.1. */
static struct socket_spec spec_of(enum socket_kind kind, const char *tag,
				  const char *path, uint16_t port)
{
	struct socket_spec spec = {.kind = kind, .mode = 0666, .port = port};
	snprintf(spec.path, sizeof spec.path, "%s", path);
	snprintf(spec.input.name, sizeof spec.input.name, "syslog.0");
	snprintf(spec.input.tag, sizeof spec.input.tag, "%s", tag);
	return spec;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char path[128];
	if (f == NULL || !temp_dir_make(f->dir, "/tmp", "test_endpoints"))
		return -1;
	snprintf(f->run, sizeof f->run, "%s/run", f->dir);
	snprintf(f->away, sizeof f->away, "%s/away", f->dir);
	snprintf(path, sizeof path, "%s/log.sock", f->run);
	f->specs.socket_count = 1;
	f->specs.sockets[0] = spec_of(SOCKET_UNIX_UDP, "access", path, 0);
	f->now_ns = NS_PER_S;
	endpoints_init(&f->endpoints);
	*state = f;
	return mkdir(f->run, 0700);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	endpoints_close(&f->endpoints);
	int failed = rmdir(f->run) | rmdir(f->dir); /* nothing is left */
	free(f);
	return failed;
}

static ino_t inode_of(const struct fixture *f)
{
	return socket_inode(f->endpoints.sockets[0]);
}

static void set(struct fixture *f)
{
	struct err e = {0};
	if (!endpoints_set(&f->endpoints, &f->specs, &e))
		fail_msg("%s", e.text);
}

static void set_or_keep(struct fixture *f)
{
	struct err e = {0};
	if (!endpoints_set_or_keep(&f->endpoints, &f->specs, &e))
		fail_msg("%s", e.text);
}

static void assert_cannot_set(struct fixture *f)
{
	struct err e = {0};
	assert_false(endpoints_set(&f->endpoints, &f->specs, &e));
}

/* A second later. */
static bool restore(struct fixture *f)
{
	f->now_ns += NS_PER_S;
	return endpoints_restore(&f->endpoints, f->now_ns);
}

static bool is_reachable(const struct fixture *f)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	memcpy(to.sun_path, f->specs.sockets[0].path,
	       strlen(f->specs.sockets[0].path));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int failed = connect(fd, (struct sockaddr *)&to, sizeof to);
	close(fd);
	return failed == 0;
}

/* A port of 127.0.0.1 that another program uses. */
static uint16_t busy_port(int type, int *fd)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t length = sizeof at;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&at, length), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(*fd, 1), 0);
	assert_int_equal(getsockname(*fd, (struct sockaddr *)&at, &length), 0);
	return ntohs(at.sin_port);
}

static void a_socket_whose_directory_comes_back_is_not_lost(void **state)
{
	struct fixture *f = *state;
	set(f);
	ino_t inode = inode_of(f);
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(rename(f->run, f->away), 0);
		assert_true(restore(f)); /* no other can be opened */
		assert_cannot_set(f);
		assert_int_equal(rename(f->away, f->run), 0);
		if (turn == 0) /* also before it was looked at again */
			assert_true(restore(f));
		set(f);
		assert_int_equal(inode_of(f), inode);
		assert_true(is_reachable(f));
	}
}

static void a_socket_that_comes_back_without_its_path_is_linked_again(
	void **state)
{
	struct fixture *f = *state;
	char path[128];
	set(f);
	ino_t inode = inode_of(f);
	assert_int_equal(rename(f->run, f->away), 0);
	assert_true(restore(f));
	snprintf(path, sizeof path, "%s/log.sock", f->away);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(f->away, f->run), 0);
	assert_true(restore(f));
	assert_true(is_reachable(f));
	set(f);
	assert_int_equal(inode_of(f), inode);
}

/* Links that lead in a circle give ELOOP, also to root. */
static void an_error_of_the_file_system_does_not_make_a_socket_lost(
	void **state)
{
	struct fixture *f = *state;
	set(f);
	ino_t inode = inode_of(f);
	assert_int_equal(rename(f->run, f->away), 0);
	assert_int_equal(symlink(f->run, f->run), 0);
	assert_true(restore(f));
	set(f);
	assert_int_equal(inode_of(f), inode);
	assert_int_equal(unlink(f->run), 0);
	assert_int_equal(rename(f->away, f->run), 0);
	assert_true(restore(f));
	assert_true(is_reachable(f));
}

/* An attempt every second would be too many. */
static void a_lost_socket_is_replaced_when_that_is_possible(void **state)
{
	struct fixture *f = *state;
	char path[128];
	set(f);
	ino_t inode = inode_of(f);
	assert_int_equal(rename(f->run, f->away), 0);
	for (int i = 0; i < 20; i++)
		assert_true(restore(f));
	assert_int_equal(mkdir(f->run, 0700), 0);
	assert_false(restore(f));
	for (int i = 0; i < 9; i++)
		assert_true(restore(f));
	assert_false(restore(f));
	set(f);
	assert_int_not_equal(inode_of(f), inode);
	assert_true(is_reachable(f));
	assert_true(restore(f));
	snprintf(path, sizeof path, "%s/log.sock", f->away);
	unlink(path);
	snprintf(path, sizeof path, "%s/.s.log.sock", f->away);
	unlink(path);
	assert_int_equal(rmdir(f->away), 0);
}

/* Another process uses the path now: no reload could open a socket there. */
static void a_lost_socket_is_not_replaced_while_its_path_is_used(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	set(f);
	const char *path = f->specs.sockets[0].path;
	memcpy(to.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof to), 0);
	for (int i = 0; i < 20; i++)
		assert_true(restore(f));
	close(fd);
	assert_int_equal(unlink(path), 0);
}

static void the_next_worker_continues_with_a_lost_socket(void **state)
{
	struct fixture *f = *state;
	set(f);
	ino_t inode = inode_of(f);
	assert_int_equal(rename(f->run, f->away), 0);
	for (int i = 0; i < 2; i++) {
		assert_true(restore(f));
		assert_cannot_set(f);
		set_or_keep(f);
		assert_int_equal(inode_of(f), inode);
	}
	assert_int_equal(rename(f->away, f->run), 0);
	assert_true(restore(f));
	assert_true(is_reachable(f));
}

static void the_next_worker_continues_if_the_new_path_of_an_input_is_bad(
	void **state)
{
	struct fixture *f = *state;
	set(f);
	ino_t inode = inode_of(f);
	struct socket_spec old = f->specs.sockets[0];
	char path[128];
	snprintf(path, sizeof path, "%s/log.sock", f->away);
	f->specs.sockets[0] = spec_of(SOCKET_UNIX_UDP, "access", path, 0);
	for (int i = 0; i < 2; i++) {
		assert_cannot_set(f);
		set_or_keep(f);
		assert_int_equal(inode_of(f), inode);
		assert_true(restore(f));
	}
	/* Its messages must not go to another input. */
	struct err e = {0};
	f->specs.sockets[0] = spec_of(SOCKET_UNIX_UDP, "other", path, 0);
	assert_false(endpoints_set_or_keep(&f->endpoints, &f->specs, &e));
	f->specs.sockets[0] = spec_of(SOCKET_UNIX_TCP, "access", path, 0);
	assert_false(endpoints_set_or_keep(&f->endpoints, &f->specs, &e));
	f->specs.sockets[0] = old;
	set(f);
	assert_int_equal(inode_of(f), inode);
	assert_true(is_reachable(f));
}

static void the_next_worker_continues_if_a_new_port_is_in_use(void **state)
{
	static const enum socket_kind kinds[] = {SOCKET_UDP, SOCKET_TCP};
	struct fixture *f = *state;
	for (size_t i = 0; i < 2; i++) {
		int fd;
		bool is_tcp = kinds[i] == SOCKET_TCP;
		int type = is_tcp ? SOCK_STREAM : SOCK_DGRAM;
		uint16_t busy = busy_port(type, &fd);
		f->specs.sockets[0] =
			spec_of(kinds[i], "access", "127.0.0.1", 0);
		set(f);
		ino_t inode = inode_of(f);
		f->specs.sockets[0].port = busy;
		assert_cannot_set(f);
		set_or_keep(f);
		assert_int_equal(inode_of(f), inode);
		close(fd);
		set(f); /* tries again, because the port is not the wanted */
		assert_int_not_equal(inode_of(f), inode);
		endpoints_close(&f->endpoints);
	}
}

static void the_next_worker_continues_if_the_new_http_port_is_in_use(
	void **state)
{
	struct fixture *f = *state;
	int fd;
	uint16_t busy = busy_port(SOCK_STREAM, &fd);
	f->specs.has_http = true;
	snprintf(f->specs.http_listen, sizeof f->specs.http_listen,
		 "127.0.0.1");
	set(f);
	int http = f->endpoints.http_fd;
	f->specs.http_port = busy;
	for (int i = 0; i < 2; i++) {
		assert_cannot_set(f);
		set_or_keep(f);
		assert_int_equal(f->endpoints.http_fd, http);
	}
	struct stat before, after;
	assert_int_equal(fstat(http, &before), 0);
	close(fd);
	set(f);
	assert_int_equal(fstat(f->endpoints.http_fd, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	/* Without an old one, there is nothing to continue with. */
	f->specs.has_http = false;
	set(f);
	f->specs.has_http = true;
	f->specs.http_port = busy_port(SOCK_STREAM, &fd);
	struct err e = {0};
	assert_false(endpoints_set_or_keep(&f->endpoints, &f->specs, &e));
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	struct err e;
	if (!log_open("/dev/null", LOG_DEBUG, &e))
		return 1;
	const struct CMUnitTest tests[] = {
		TEST(a_socket_whose_directory_comes_back_is_not_lost),
		TEST(a_socket_that_comes_back_without_its_path_is_linked_again),
		TEST(an_error_of_the_file_system_does_not_make_a_socket_lost),
		TEST(a_lost_socket_is_replaced_when_that_is_possible),
		TEST(a_lost_socket_is_not_replaced_while_its_path_is_used),
		TEST(the_next_worker_continues_with_a_lost_socket),
		TEST(the_next_worker_continues_if_the_new_path_of_an_input_is_bad),
		TEST(the_next_worker_continues_if_a_new_port_is_in_use),
		TEST(the_next_worker_continues_if_the_new_http_port_is_in_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
