/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "intake/shares.h"

enum { MEMBERS_MAX = 8 };

struct fixture {
	struct shares all;
	struct share members[MEMBERS_MAX];
	int fds[2 * MEMBERS_MAX];
	size_t fd_count;
	int listener;
	struct sockaddr_in address;
};

static int set_up(void **state)
{
	static struct fixture f;
	socklen_t length = sizeof f.address;
	f = (struct fixture){.address = {.sin_family = AF_INET}};
	f.listener = socket(AF_INET, SOCK_STREAM, 0);
	f.address.sin_addr.s_addr = htonl(INADDR_ANY);
	assert_int_equal(bind(f.listener, (struct sockaddr *)&f.address,
			      sizeof f.address),
			 0);
	assert_int_equal(listen(f.listener, MEMBERS_MAX), 0);
	assert_int_equal(
		getsockname(f.listener, (struct sockaddr *)&f.address, &length),
		0);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < MEMBERS_MAX; i++)
		shares_remove(&f->all, &f->members[i]);
	assert_null(f->all.first);
	assert_null(f->all.hosts);
	while (f->fd_count > 0)
		close(f->fds[--f->fd_count]);
	close(f->listener);
	return 0;
}

/* A peer of a Unix socket: this process. */
static void add_process(struct fixture *f, size_t member)
{
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	f->fds[f->fd_count++] = ends[0];
	f->fds[f->fd_count++] = ends[1];
	shares_add(&f->all, &f->members[member], ends[0], (int64_t)member);
}

/* A connection that has already ended: its peer is unknown, so it counts as a
 * connection from another machine. */
static void add_unknown(struct fixture *f, size_t member)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	f->fds[f->fd_count++] = fd;
	shares_add(&f->all, &f->members[member], fd, (int64_t)member);
}

static void add_address(struct fixture *f, size_t member, const char *host)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	inet_pton(AF_INET, host, &from.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&f->address, sizeof f->address),
		0);
	f->fds[f->fd_count++] = fd;
	fd = accept(f->listener, NULL, NULL);
	f->fds[f->fd_count++] = fd;
	shares_add(&f->all, &f->members[member], fd, (int64_t)member);
}

static void assert_picked(struct fixture *f, size_t member)
{
	assert_ptr_equal(shares_pick(&f->all), &f->members[member]);
}

static void without_connections_none_is_picked(void **state)
{
	struct fixture *f = *state;
	assert_null(shares_pick(&f->all));
}

static void the_longest_idle_of_the_host_with_most_is_picked(void **state)
{
	struct fixture *f = *state;
	add_address(f, 0, "127.0.0.2");
	add_address(f, 1, "127.0.0.3");
	add_address(f, 2, "127.0.0.3");
	assert_picked(f, 1);
	shares_touch(&f->all, &f->members[1], 10);
	assert_picked(f, 2);
	assert_int_equal(f->members[1].active_ns, 10);
	shares_remove(&f->all, &f->members[2]);
	assert_picked(f, 0);
	shares_touch(&f->all, &f->members[0], 11);
	assert_picked(f, 1);
	assert_int_equal(f->all.count, 2);
}

static void of_hosts_with_equally_many_this_one_is_picked_last(void **state)
{
	struct fixture *f = *state;
	add_address(f, 0, "127.0.0.2");
	add_process(f, 1);
	add_unknown(f, 2);
	assert_picked(f, 2);
	add_process(f, 3);
	assert_picked(f, 1); /* this process has more than the others */
}

static void each_local_process_counts_as_a_host(void **state)
{
	struct fixture *f = *state;
	add_process(f, 0);
	add_address(f, 1, "127.0.0.2");
	add_address(f, 2, "127.0.0.2");
	assert_picked(f, 1);
	shares_remove(&f->all, &f->members[1]);
	shares_remove(&f->all, &f->members[1]);
	assert_picked(f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(without_connections_none_is_picked),
		TEST(the_longest_idle_of_the_host_with_most_is_picked),
		TEST(of_hosts_with_equally_many_this_one_is_picked_last),
		TEST(each_local_process_counts_as_a_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
