/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "intake/connection.h"
#include "intake/socket.h"
#include "journal/journal.h"

enum {
	SLOT_BYTES = 4096,
	RING_BYTES = 64 * SLOT_BYTES,
	SENDERS = 3,
	LINES = 20000,
	FLOOD = 50000, /* many more than can wait in the kernel */
};

struct fixture {
	char dir[TEMP_DIR_BYTES];
	char path[96];
	uv_loop_t loop;
	struct journal *journal;
	struct socket *socket;
	struct connections *connections;
	int senders[SENDERS];
	unsigned times_full;
	int taken;	    /* lines */
	atomic_int flooded; /* connections */
	atomic_bool is_queue_full;
};

static void on_turn(void *data, bool has_messages)
{
	(void)data;
	(void)has_messages;
}

static void on_full(void *data)
{
	struct fixture *f = data;
	f->times_full++;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct journal_opts opts = {
		.ring_bytes = RING_BYTES, .slot_bytes = SLOT_BYTES, .slots = 2};
	struct journal_found found;
	struct err e;
	if (!temp_dir_make(f->dir, "/tmp", "test_connections"))
		return -1;
	snprintf(f->path, sizeof f->path, "%s/log.sock", f->dir);
	struct socket_opts at = {
		.kind = SOCKET_UNIX_TCP, .path = f->path, .mode = 0600};
	f->journal = journal_open(&opts, &found, &e);
	f->socket = socket_open(&at, &e);
	struct connections_opts streams = {
		.loop = &f->loop,
		.journal = f->journal,
		.count_max = SENDERS,
		.ending_max = SENDERS,
		.on_turn = on_turn,
		.on_full = on_full,
		.data = f,
	};
	uv_loop_init(&f->loop);
	f->connections = connections_new(&streams);
	struct connections_input input = {
		.socket = f->socket,
		.framing = FRAMING_NEWLINE,
		.message_bytes_max = SLOT_BYTES / 2,
	};
	connections_add(f->connections, &input);
	for (int i = 0; i < SENDERS; i++)
		f->senders[i] = -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	connections_stop(f->connections);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	uv_loop_close(&f->loop);
	socket_close(f->socket);
	journal_close(f->journal);
	for (int i = 0; i < SENDERS; i++)
		if (f->senders[i] >= 0)
			close(f->senders[i]);
	int failed = temp_dir_remove(f->dir);
	free(f);
	return failed;
}

static void connect_sender(struct fixture *f, int i)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	snprintf(to.sun_path, sizeof to.sun_path, "%s", f->path);
	f->senders[i] = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
		connect(f->senders[i], (struct sockaddr *)&to, sizeof to), 0);
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

/* Send the lines from *line on, until the kernel has no more room. */
static void send_lines(const struct fixture *f, int *line)
{
	char text[32];
	for (; *line < LINES; ++*line) {
		snprintf(text, sizeof text, "message number %5d\n", *line);
		if (send(f->senders[0], text, strlen(text), MSG_DONTWAIT) < 0)
			break;
	}
}

static void run_until_full(struct fixture *f, int *line)
{
	unsigned before = f->times_full;
	while (f->times_full == before) {
		assert_true(*line < LINES);
		send_lines(f, line);
		uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	assert_true(connections_are_paused(f->connections));
}

/* Take and commit lines until at most pending_max bytes are in the journal. */
static void commit_down_to(struct fixture *f, size_t pending_max)
{
	char text[32];
	struct journal_entry entry;
	while (journal_pending_bytes(f->journal) > pending_max) {
		assert_true(journal_take(f->journal, &entry));
		snprintf(text, sizeof text, "message number %5d", f->taken++);
		assert_true(span_equals(entry.bytes, span_of(text)));
		journal_commit(f->journal, NULL, 0);
	}
}

static size_t free_bytes(const struct fixture *f)
{
	return RING_BYTES - journal_pending_bytes(f->journal);
}

static void without_datagram_inputs_a_stream_fills_the_journal(void **state)
{
	struct fixture *f = *state;
	int line = 0;
	connect_sender(f, 0);
	connections_resume(f->connections);
	run_until_full(f, &line);
	assert_int_equal(journal_room(f->journal), 0);
	assert_false(connections_have_room(f->connections));
	commit_down_to(f, RING_BYTES * 7 / 8);
	assert_true(connections_have_room(f->connections));
}

static void a_stream_leaves_a_quarter_of_the_journal_to_datagrams(void **state)
{
	struct fixture *f = *state;
	int line = 0;
	connect_sender(f, 0);
	connections_yield_to_datagrams(f->connections);
	connections_resume(f->connections);
	for (int i = 0; i < 3; i++) {
		run_until_full(f, &line);
		assert_in_range(free_bytes(f), RING_BYTES / 4,
				RING_BYTES / 4 + SLOT_BYTES);
		commit_down_to(f, RING_BYTES * 5 / 8);
		assert_false(connections_have_room(f->connections));
		commit_down_to(f, RING_BYTES / 2);
		assert_true(connections_have_room(f->connections));
		connections_resume(f->connections);
	}
}

/* It needs all of the journal when this process ends. */
static void the_last_bytes_may_use_the_whole_journal(void **state)
{
	struct fixture *f = *state;
	int line = 0;
	connect_sender(f, 0);
	connections_yield_to_datagrams(f->connections);
	connections_resume(f->connections);
	run_until_full(f, &line);
	send_lines(f, &line);
	while (!connections_finish(f->connections)) {
		assert_int_equal(journal_room(f->journal), 0);
		commit_down_to(f, 0);
	}
	commit_down_to(f, 0);
	assert_int_equal(f->taken, line);
	assert_int_equal(journal_stats(f->journal)->refused_total, 0);
}

/* Only the bytes of messages without an end are held. */
static size_t held_bytes(const struct fixture *f)
{
	size_t bytes = 0;
	for (struct connection *i = f->connections->first; i; i = i->next)
		bytes += stream_held(i->stream).len;
	return bytes;
}

static void assert_reads_nothing(const struct fixture *f)
{
	assert_true(connections_are_resting(f->connections));
	for (struct connection *i = f->connections->first; i; i = i->next)
		assert_false(uv_is_active((uv_handle_t *)&i->poll));
}

/* With this limit, each turn uses up the budget. */
static void set_tiny_cpu_limit(struct fixture *f)
{
	f->connections->reading_budget.limit =
		(struct cpu_limit){1, 100 * NS_PER_MS};
	f->connections->reading_budget.limit_read_ns = INT64_MAX;
}

static void connect_all(struct fixture *f)
{
	for (int i = 0; i < SENDERS; i++)
		connect_sender(f, i);
	connections_resume(f->connections);
	while (f->connections->shares.count < SENDERS)
		uv_run(&f->loop, UV_RUN_NOWAIT);
}

/* The first sender sends all the time, but must wait for the others. */
static void reading_pauses_and_gives_each_stream_its_turn(void **state)
{
	struct fixture *f = *state;
	connections_yield_to_datagrams(f->connections);
	connect_all(f);
	set_tiny_cpu_limit(f);
	for (int i = 0; i < SENDERS; i++)
		send_text(f->senders[i], "x");
	for (size_t turn = 1; turn <= SENDERS; turn++) {
		while (held_bytes(f) < turn)
			uv_run(&f->loop, UV_RUN_ONCE);
		assert_int_equal(held_bytes(f), turn);
		assert_reads_nothing(f);
		if (turn == 1)
			send_text(f->senders[0], "x");
	}
	for (struct connection *i = f->connections->first; i; i = i->next)
		assert_int_equal(stream_held(i->stream).len, 1);
}

static void streams_alone_have_no_budget(void **state)
{
	struct fixture *f = *state;
	connect_all(f);
	set_tiny_cpu_limit(f);
	for (int i = 0; i < SENDERS; i++)
		send_text(f->senders[i], "x");
	while (held_bytes(f) < SENDERS) {
		uv_run(&f->loop, UV_RUN_NOWAIT);
		assert_false(connections_are_resting(f->connections));
	}
}

/* Connect as often as the kernel has room, until FLOOD connections were made or
 * the socket refuses them. */
static void *flood(void *data)
{
	struct fixture *f = data;
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	snprintf(to.sun_path, sizeof to.sun_path, "%s", f->path);
	while (atomic_load(&f->flooded) < FLOOD) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		bool is_connected =
			connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
		bool is_full = !is_connected && errno == EAGAIN;
		close(fd);
		if (is_connected)
			atomic_fetch_add(&f->flooded, 1);
		else if (!is_full)
			break;
		if (is_full)
			atomic_store(&f->is_queue_full, true);
	}
	return NULL;
}

static void finishing_ends_although_senders_connect_all_the_time(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[2];
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flood, f),
				 0);
	while (!atomic_load(&f->is_queue_full))
		sched_yield();
	connections_resume(f->connections);
	assert_true(connections_finish(f->connections));
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_in_range(atomic_load(&f->flooded), 1, FLOOD - 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(without_datagram_inputs_a_stream_fills_the_journal),
		T(a_stream_leaves_a_quarter_of_the_journal_to_datagrams),
		T(the_last_bytes_may_use_the_whole_journal),
		T(reading_pauses_and_gives_each_stream_its_turn),
		T(streams_alone_have_no_budget),
		T(finishing_ends_although_senders_connect_all_the_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
