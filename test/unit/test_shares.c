/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "intake/shares.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

enum { MEMBERS_MAX = 8, FDS_MAX = 32 };

/* What a kernel knows of a process that connects. */
enum pidfds { PIDFDS_REAL, PIDFDS_NONE, PIDFDS_WITH_ONE_INODE };
static struct {
	bool is_active;
	enum pidfds pidfds;
	struct ucred peer;
	const char *address; /* of the peer, if not NULL */
} kernel;

int getsockopt(int fd, int level, int name, void *value,
	       socklen_t *restrict length)
{
	bool is_faked = kernel.is_active && level == SOL_SOCKET;
	if (is_faked && name == SO_PEERCRED) {
		memcpy(value, &kernel.peer, sizeof kernel.peer);
		return 0;
	}
	if (is_faked && name == SO_PEERPIDFD && kernel.pidfds != PIDFDS_REAL) {
		int other = eventfd(0, EFD_CLOEXEC);
		if (kernel.pidfds == PIDFDS_WITH_ONE_INODE) {
			memcpy(value, &other, sizeof other);
			return 0;
		}
		close(other);
		errno = ENOPROTOOPT;
		return -1;
	}
	return (int)syscall(SYS_getsockopt, fd, level, name, value, length);
}

static int get_name(int call, int fd, struct sockaddr *name, socklen_t *length)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	const char *host =
		call == SYS_getpeername ? kernel.address : "10.0.0.1";
	if (kernel.address == NULL)
		return (int)syscall(call, fd, name, length);
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
		memcpy(name, &v4, sizeof v4);
	} else {
		assert_int_equal(inet_pton(AF_INET6, host, &v6.sin6_addr), 1);
		memcpy(name, &v6, sizeof v6);
	}
	return 0;
}

int getpeername(int fd, __SOCKADDR_ARG name, socklen_t *restrict length)
{
	return get_name(SYS_getpeername, fd, name.__sockaddr__, length);
}

int getsockname(int fd, __SOCKADDR_ARG name, socklen_t *restrict length)
{
	return get_name(SYS_getsockname, fd, name.__sockaddr__, length);
}

struct fixture {
	struct shares all;
	struct share members[MEMBERS_MAX];
	int fds[FDS_MAX];
	size_t fd_count;
	size_t fds_before;
};

static int set_up(void **state)
{
	static struct fixture f;
	size_t fds_before = count_fds();
	f = (struct fixture){.fds_before = fds_before};
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
	assert_int_equal(count_fds(), f->fds_before);
	while (waitpid(-1, NULL, 0) > 0)
		;
	memset(&kernel, 0, sizeof kernel);
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

/* A peer of a Unix socket: a new process, which ends with the connection. */
static void add_new_process(struct fixture *f, size_t member)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = sizeof(sa_family_t); /* the kernel chooses a name */
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, length),
			 0);
	assert_int_equal(listen(listener, 1), 0);
	length = sizeof address;
	getsockname(listener, (struct sockaddr *)&address, &length);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char byte;
		while (f->fd_count > 0)
			close(f->fds[--f->fd_count]);
		close(listener);
		listener = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(listener, (struct sockaddr *)&address, length) == 0)
			(void)!read(listener, &byte, 1);
		_exit(0);
	}
	int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	close(listener);
	f->fds[f->fd_count++] = fd;
	shares_add(&f->all, &f->members[member], fd, (int64_t)member);
}

/* A connection that has already ended: its peer is unknown, so it counts as a
 * connection from another machine. */
static void add_unknown(struct fixture *f, size_t member)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(f->fd_count < FDS_MAX);
	f->fds[f->fd_count++] = fd;
	shares_add(&f->all, &f->members[member], fd, (int64_t)member);
}

static void add_address(struct fixture *f, size_t member, const char *host)
{
	kernel.address = host;
	add_unknown(f, member);
	kernel.address = NULL;
}

static void add_user(struct fixture *f, size_t member, uid_t user, pid_t pid)
{
	kernel.is_active = true;
	kernel.pidfds = PIDFDS_NONE;
	kernel.peer = (struct ucred){.pid = pid, .uid = user};
	add_process(f, member);
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
	add_address(f, 0, "10.0.0.2");
	add_address(f, 1, "10.0.0.3");
	add_address(f, 2, "10.0.0.3");
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
	add_address(f, 1, "127.0.0.1");
	add_address(f, 2, "127.0.0.1");
	assert_picked(f, 1);
	shares_remove(&f->all, &f->members[1]);
	shares_remove(&f->all, &f->members[1]);
	assert_picked(f, 0);
}

static void all_loopback_addresses_are_one_host(void **state)
{
	static const char *const victims[] = {"127.0.0.1", "::1",
					      "::ffff:127.0.0.1", "10.0.0.1"};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof victims / sizeof *victims; i++) {
		add_address(f, 0, victims[i]);
		add_address(f, 1, victims[i]);
		add_address(f, 2, "127.0.0.2");
		add_address(f, 3, "::ffff:127.9.0.3");
		add_address(f, 4, "10.0.0.1"); /* also of this machine */
		shares_touch(&f->all, &f->members[0], 10);
		shares_touch(&f->all, &f->members[1], 11);
		assert_picked(f, 2);
		for (size_t m = 0; m < MEMBERS_MAX; m++)
			shares_remove(&f->all, &f->members[m]);
	}
}

static void an_ipv6_host_is_its_64_network(void **state)
{
	struct fixture *f = *state;
	add_address(f, 0, "2001:db8::1");
	add_address(f, 1, "2001:db8:0:1::1");
	add_address(f, 2, "2001:db8:0:1::2");
	assert_picked(f, 1);
}

static void many_processes_of_a_user_take_places_from_that_user(void **state)
{
	struct fixture *f = *state;
	add_user(f, 0, 7, 70);
	add_user(f, 1, 7, 70);
	add_user(f, 2, 8, 80);
	add_user(f, 3, 8, 81);
	add_user(f, 4, 8, 82);
	assert_picked(f, 2);
	shares_remove(&f->all, &f->members[2]);
	assert_picked(f, 0); /* equally many: the one silent for longest */
	shares_touch(&f->all, &f->members[0], 10);
	shares_touch(&f->all, &f->members[1], 11);
	assert_picked(f, 3);
}

static void of_a_users_processes_the_one_with_most_is_picked(void **state)
{
	struct fixture *f = *state;
	add_user(f, 0, 7, 70);
	add_user(f, 1, 8, 80);
	add_user(f, 2, 8, 81);
	add_user(f, 3, 8, 81);
	assert_picked(f, 2);
}

/* Without pidfs, which Linux has since 6.9, all pidfds have one inode. */
static bool each_process_has_an_inode(void)
{
	struct stat own = {0}, other = {0};
	int own_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int other_pidfd = (int)syscall(SYS_pidfd_open, getppid(), 0);
	bool is_known =
		fstat(own_pidfd, &own) == 0 && fstat(other_pidfd, &other) == 0;
	close(own_pidfd);
	close(other_pidfd);
	return is_known && own.st_ino != other.st_ino;
}

static void processes_of_another_namespace_are_different_hosts(void **state)
{
	struct fixture *f = *state;
	if (!each_process_has_an_inode())
		skip();
	kernel.is_active = true; /* their process id and user are unknown */
	add_new_process(f, 0);
	add_process(f, 1);
	add_process(f, 2);
	assert_picked(f, 1);
	shares_remove(&f->all, &f->members[1]);
	assert_picked(f, 0);
}

static void without_pidfds_the_process_id_tells_processes_apart(void **state)
{
	struct fixture *f = *state;
	kernel.is_active = true;
	for (int pidfds = PIDFDS_NONE; pidfds <= PIDFDS_WITH_ONE_INODE;
	     pidfds++) {
		kernel.pidfds = (enum pidfds)pidfds;
		kernel.peer = (struct ucred){.uid = 7};
		add_process(f, 0);
		kernel.peer = (struct ucred){.uid = 8};
		add_process(f, 1);
		assert_picked(f, 0);
		add_process(f, 2);
		assert_picked(f, 1);
		kernel.peer = (struct ucred){.pid = 8, .uid = 8};
		add_process(f, 3);
		kernel.peer = (struct ucred){.pid = 9, .uid = 8};
		add_process(f, 4);
		assert_picked(f, 1);
		kernel.peer = (struct ucred){.pid = 8, .uid = 8};
		add_process(f, 5);
		add_process(f, 6);
		assert_picked(f, 3);
		for (size_t i = 0; i < MEMBERS_MAX; i++)
			shares_remove(&f->all, &f->members[i]);
		while (f->fd_count > 0)
			close(f->fds[--f->fd_count]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(without_connections_none_is_picked),
		TEST(the_longest_idle_of_the_host_with_most_is_picked),
		TEST(of_hosts_with_equally_many_this_one_is_picked_last),
		TEST(each_local_process_counts_as_a_host),
		TEST(all_loopback_addresses_are_one_host),
		TEST(an_ipv6_host_is_its_64_network),
		TEST(many_processes_of_a_user_take_places_from_that_user),
		TEST(of_a_users_processes_the_one_with_most_is_picked),
		TEST(processes_of_another_namespace_are_different_hosts),
		TEST(without_pidfds_the_process_id_tells_processes_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
