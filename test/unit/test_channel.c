/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "process/channel.h"

struct fixture {
	int ends[2];
	struct channel_message m;
};

static int set_up(void **state)
{
	static struct fixture f;
	struct err e;
	memset(&f, 0, sizeof f);
	*state = &f;
	return channel_pair(f.ends, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	close(f->ends[0]);
	return 0;
}

static void send_kind(int fd, enum channel_kind kind)
{
	struct channel_message m = {.kind = kind};
	assert_true(channel_send(fd, &m));
}

static void messages_of_a_dead_process_are_received(void **state)
{
	struct fixture *f = *state;
	send_kind(f->ends[1], CHANNEL_WORKING);
	send_kind(f->ends[1], CHANNEL_SIGNAL);
	close(f->ends[1]);
	assert_true(channel_receive(f->ends[0], &f->m));
	assert_int_equal(f->m.kind, CHANNEL_WORKING);
	assert_true(channel_receive(f->ends[0], &f->m));
	assert_int_equal(f->m.kind, CHANNEL_SIGNAL);
	assert_false(channel_receive(f->ends[0], &f->m));
}

/* The kernel then reports an error before it gives the messages. */
static void also_if_it_had_not_received_all_messages_itself(void **state)
{
	struct fixture *f = *state;
	send_kind(f->ends[0], CHANNEL_COUNTS);
	send_kind(f->ends[1], CHANNEL_WORKING);
	close(f->ends[1]);
	assert_true(channel_receive(f->ends[0], &f->m));
	assert_int_equal(f->m.kind, CHANNEL_WORKING);
	assert_false(channel_receive(f->ends[0], &f->m));
}

static void a_channel_is_readable_only_if_receiving_does_not_wait(void **state)
{
	struct fixture *f = *state;
	assert_false(channel_is_readable(f->ends[0]));
	send_kind(f->ends[1], CHANNEL_WORKING);
	assert_true(channel_is_readable(f->ends[0]));
	assert_true(channel_receive(f->ends[0], &f->m));
	assert_false(channel_is_readable(f->ends[0]));
	close(f->ends[1]);
	assert_true(channel_is_readable(f->ends[0]));
	assert_false(channel_receive(f->ends[0], &f->m));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(messages_of_a_dead_process_are_received),
		T(also_if_it_had_not_received_all_messages_itself),
		T(a_channel_is_readable_only_if_receiving_does_not_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
