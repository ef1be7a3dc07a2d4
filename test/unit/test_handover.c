/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/descriptors.h"
#include "intake/handover.h"

struct fixture {
	struct handover handover;
	struct buf held;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct err e;
	*state = f;
	return handover_open(&f->handover, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	handover_close(&f->handover);
	buf_fini(&f->held);
	free(f);
	return 0;
}

/* Give away one end of a new socket pair and close it here; return the other
 * end. */
static int give(struct fixture *f, const struct handed *handed,
		const char *held)
{
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_true(handover_give(&f->handover, ends[0], handed, held));
	close(ends[0]);
	return ends[1];
}

static int take(struct fixture *f, struct handed *handed)
{
	return handover_take(&f->handover, handed, &f->held);
}

static void given_connections_are_taken_in_order(void **state)
{
	struct fixture *f = *state;
	enum { LONG = 500 * 1000 };
	char *text = malloc(LONG);
	memset(text, 'x', LONG);
	struct handed one = {.listener = 7,
			     .framing = {.octets_left = 9},
			     .peer_address = "tcp://10.0.0.7:51234",
			     .held_bytes = LONG};
	struct handed two = {.listener = 8,
			     .framing = {.is_skipping_line = true}};
	int senders[] = {give(f, &one, text), give(f, &two, NULL)};
	struct handed got;
	char byte;

	int fd = take(f, &got);
	assert_true(fd >= 0);
	assert_int_equal(got.listener, 7);
	assert_int_equal(got.framing.octets_left, 9);
	assert_string_equal(got.peer_address, "tcp://10.0.0.7:51234");
	assert_true(span_equals(buf_span(&f->held), span_make(text, LONG)));
	assert_int_equal(write(senders[0], "1", 1), 1);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, '1');
	close(fd);

	fd = take(f, &got);
	assert_true(fd >= 0);
	assert_int_equal(got.listener, 8);
	assert_true(got.framing.is_skipping_line);
	assert_int_equal(f->held.len, 0);
	close(fd);

	assert_int_equal(take(f, &got), -1);
	close(senders[0]);
	close(senders[1]);
	free(text);
}

/* CONNECTIONS_MAX connections fit even if nobody takes any. */
static void all_connections_fit_into_the_hand_over(void **state)
{
	struct fixture *f = *state;
	static int senders[CONNECTIONS_MAX];
	struct handed handed = {.held_bytes = 4};
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		senders[i] = give(f, &handed, "half");
	int taken = 0, fd;
	while ((fd = take(f, &handed)) >= 0) {
		assert_true(span_equals(buf_span(&f->held), SPAN("half")));
		close(fd);
		taken++;
	}
	assert_int_equal(taken, CONNECTIONS_MAX);
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		close(senders[i]);
}

/* The giver then closes the connection itself, as it does without a next
 * worker. */
static void a_connection_that_does_not_fit_is_refused(void **state)
{
	struct fixture *f = *state;
	struct handed handed = {.listener = 1};
	size_t given = 0, taken = 0;
	int fd;
	while (given < 100000 &&
	       handover_give(&f->handover, STDIN_FILENO, &handed, NULL))
		given++;
	assert_true(given < 100000);
	while ((fd = take(f, &handed)) >= 0) {
		close(fd);
		taken++;
	}
	assert_int_equal(taken, given);
}

/* No process has the connection open then, so its sender sees it closed. */
static void connections_nobody_takes_are_closed_with_the_pair(void **state)
{
	struct fixture *f = *state;
	struct handed handed = {.held_bytes = 4};
	int sender = give(f, &handed, "half");
	handover_close(&f->handover);
	struct err e;
	assert_true(handover_open(&f->handover, &e));
	char byte;
	assert_int_equal(read(sender, &byte, 1), 0);
	close(sender);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(given_connections_are_taken_in_order),
		T(all_connections_fit_into_the_hand_over),
		T(a_connection_that_does_not_fit_is_refused),
		T(connections_nobody_takes_are_closed_with_the_pair),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
