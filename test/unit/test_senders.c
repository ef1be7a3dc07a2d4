/* SPDX-License-Identifier: Apache-2.0 */
/* Both netlink and /proc/net/unix count the senders that are connected to a
 * Unix datagram socket, and nothing else. */
#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "files.h"
#include "intake/senders.h"

enum { SENDERS = 3, ATTEMPTS = 100 };

struct fixture {
	char dir[TEMP_DIR_BYTES];
	struct sockaddr_un address;
	int bound;
	ino_t inode;
};

static struct fixture fixture;

static int set_up(void **state)
{
	struct fixture *f = &fixture;
	struct stat st;
	*state = f;
	f->address.sun_family = AF_UNIX;
	f->bound = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (!temp_dir_make(f->dir, "/tmp", "test_senders"))
		return -1;
	snprintf(f->address.sun_path, sizeof f->address.sun_path,
		 "%.60s/socket", f->dir);
	if (bind(f->bound, (struct sockaddr *)&f->address, sizeof f->address) <
		    0 ||
	    fstat(f->bound, &st) < 0)
		return -1;
	f->inode = st.st_ino;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	close(f->bound);
	return temp_dir_remove(f->dir);
}

/* While other processes open and close sockets, the kernel may list one twice
 * or not at all.  Then ask again. */
static void assert_senders(const struct fixture *f, int count)
{
	struct senders_of_socket s;
	for (int attempts = 1;; attempts++) {
		s = senders_of_socket(f->inode);
		/* -1: this kernel has no unix_diag, which netlink needs. */
		if ((s.by_netlink == count || s.by_netlink == -1) &&
		    s.by_proc == count)
			return;
		if (attempts == ATTEMPTS)
			fail_msg("%d senders, not %d by netlink, %d by proc",
				 count, s.by_netlink, s.by_proc);
	}
}

static void connected_senders_count_until_they_close(void **state)
{
	struct fixture *f = *state;
	int fds[SENDERS];
	assert_senders(f, 0);
	for (int i = 0; i < SENDERS; i++) {
		fds[i] = socket(AF_UNIX, SOCK_DGRAM, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&f->address,
					 sizeof f->address),
				 0);
		assert_senders(f, i + 1);
	}
	for (int i = 0; i < SENDERS; i++) {
		close(fds[i]);
		assert_senders(f, SENDERS - i - 1);
	}
}

static void datagrams_in_the_queue_do_not_count(void **state)
{
	struct fixture *f = *state;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(sendto(fd, "x", 1, MSG_DONTWAIT,
					(struct sockaddr *)&f->address,
					sizeof f->address),
				 1);
	assert_senders(f, 0);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&f->address, sizeof f->address),
		0);
	assert_int_equal(send(fd, "x", 1, MSG_DONTWAIT), 1);
	assert_senders(f, 1);
	close(fd);
	assert_senders(f, 0);
}

/* More sockets than fit into one answer of the kernel. */
static void all_answers_of_the_kernel_are_read(void **state)
{
	struct fixture *f = *state;
	enum { MANY = 600 };
	static int fds[MANY];
	for (int i = 0; i < MANY; i++) {
		fds[i] = socket(AF_UNIX, SOCK_DGRAM, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&f->address,
					 sizeof f->address),
				 0);
	}
	assert_senders(f, MANY);
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
}

/* The inode 0 would be a connection that nobody has accepted yet. */
static void a_socket_that_does_not_exist_has_no_count_of_senders(void **state)
{
	(void)state;
	assert_int_equal(senders_of_socket(UINT32_MAX).by_proc, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			connected_senders_count_until_they_close, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			datagrams_in_the_queue_do_not_count, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			all_answers_of_the_kernel_are_read, set_up, tear_down),
		cmocka_unit_test(
			a_socket_that_does_not_exist_has_no_count_of_senders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
