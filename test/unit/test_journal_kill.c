/* SPDX-License-Identifier: Apache-2.0 */
/* A parent steps a child through the journal's code one instruction at a time.
 * After each instruction that changed the file, it opens a copy of the file, as
 * if the child had been killed there.  So every instant of a kill is tested. */
#include "journal_dir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "journal/journal_format.h"

/* The steps that the child has completed. */
struct progress {
	bool is_traced;
	unsigned received;
	unsigned taken;
	unsigned committed;
	unsigned noted; /* notes about taken, uncommitted messages */
};

static size_t length_of(unsigned number)
{
	if (number == 1)
		return 0;
	return number < 5 ? number * 31 % 100 : SLOT_BYTES;
}

static void send_texts(int socket, unsigned from, unsigned count)
{
	char room[SLOT_BYTES];
	for (unsigned i = from; i < from + count; i++) {
		struct span text = numbered_text(i, length_of(i), room);
		CHECK(send(socket, text.ptr, text.len, 0) == (ssize_t)text.len);
	}
}

static void do_receive(struct journal *j, volatile struct progress *p,
		       int sockets[2], unsigned n)
{
	send_texts(sockets[0], p->received, n);
	unsigned count;
	struct mmsghdr *slots = journal_slots(j, 7, &count);
	CHECK(recvmmsg(sockets[1], slots, count, MSG_DONTWAIT, NULL) == (int)n);
	p->received += n;
	journal_append(j, n, NOW_NS);
}

static void do_take(struct journal *j, volatile struct progress *p, unsigned n)
{
	struct journal_entry entry;
	while (n-- > 0) {
		CHECK(journal_take(j, &entry));
		p->taken++;
	}
}

static struct append_note next_note(const volatile struct progress *p)
{
	return (struct append_note){
		.device = 3, .offset_bytes = p->noted, .length_bytes = 100};
}

static void do_note(struct journal *j, volatile struct progress *p)
{
	struct append_note note = next_note(p);
	journal_note(j, &note, 0);
	p->noted++;
}

/* Its append fails, and so does that of the note that replaces it.  Meanwhile
 * the note may be void, so it is not yet counted. */
static void do_failing_note(struct journal *j, volatile struct progress *p)
{
	struct append_note note = next_note(p);
	uint32_t place = journal_note(j, &note, 0);
	journal_note_failed(j, place, 0);
	CHECK(journal_note(j, &note, place) == place);
	journal_note_failed(j, place, 99);
	p->noted++;
}

static void do_commit(struct journal *j, volatile struct progress *p)
{
	uint64_t counters[COUNTERS] = {p->taken, ~(uint64_t)p->taken, 7};
	p->noted = 0;
	journal_commit(j, counters, sizeof counters);
	p->committed = p->taken;
}

static void stop_here(volatile struct progress *p)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(1);
	p->is_traced = true;
	raise(SIGSTOP);
}

static void live(const struct journal_dir *d, volatile struct progress *p,
		 int sockets[2])
{
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	struct err e;
	struct journal *j = journal_open(&opts, &found, &e);
	CHECK(j != NULL);
	stop_here(p);
	do_receive(j, p, sockets, 3);
	do_take(j, p, 3);
	do_note(j, p);
	do_note(j, p);
	do_commit(j, p);
	do_receive(j, p, sockets, 2); /* starts over */
	do_take(j, p, 1);
	do_failing_note(j, p);
	do_note(j, p);
	do_commit(j, p);
	do_receive(j, p, sockets, 4);
	do_take(j, p, 3);
	do_commit(j, p);
	do_receive(j, p, sockets, 4); /* leaves a skip; one is refused */
	do_commit(j, p);	      /* commits nothing */
	do_take(j, p, 4);
	do_note(j, p);
	do_commit(j, p);
	_exit(0);
}

/* Play the next process, which finds notes and slots that were not appended. */
static void play_next_process(const struct journal_dir *d,
			      volatile struct progress *p, int sockets[2])
{
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	struct err e;
	struct journal *j = journal_open(&opts, &found, &e);
	CHECK(j != NULL);
	do_receive(j, p, sockets, 2);
	do_take(j, p, 2);
	do_note(j, p);
	unsigned count;
	send_texts(sockets[0], p->received, 3);
	CHECK(recvmmsg(sockets[1], journal_slots(j, 7, &count), SLOTS,
		       MSG_DONTWAIT, NULL) == 3);
	p->received += 3;
	journal_close(j);

	stop_here(p);
	j = journal_open(&opts, &found, &e);
	CHECK(j != NULL && found.from_slots == 3);
	do_note(j, p);
	_exit(0);
}

/* The last state of the file, and the copy of it that is opened. */
struct watch {
	const char *map;
	char *last;
	char *copy;
	size_t bytes;
	struct journal_layout at;
	struct journal_opts copy_opts;
	unsigned received; /* lower bounds */
	unsigned committed;
	unsigned states;
};

/* The child uses only the first page of the notes. */
static bool has_changed(const struct watch *w)
{
	size_t from = w->at.notes + JOURNAL_PAGE_BYTES, to = w->at.buffers;
	return memcmp(w->map, w->last, from) != 0 ||
	       memcmp(w->map + to, w->last + to, w->bytes - to) != 0;
}

static void copy_used(const struct watch *w, char *out)
{
	size_t from = w->at.notes + JOURNAL_PAGE_BYTES, to = w->at.buffers;
	memcpy(out, w->map, from);
	memcpy(out + to, w->map + to, w->bytes - to);
}

static void take_rest(struct journal *j, uint64_t *seq)
{
	struct journal_entry entry;
	while (journal_take(j, &entry)) {
		char room[SLOT_BYTES];
		unsigned n = (unsigned)*seq;
		assert_true(entry.seq == *seq);
		assert_true(span_equals(entry.bytes,
					numbered_text(n, length_of(n), room)));
		assert_int_equal(entry.input, 7);
		(*seq)++;
	}
}

static void check_notes(const struct journal *j, uint64_t committed,
			const struct progress *p,
			const struct journal_found *found)
{
	size_t notes = 0;
	const struct append_note *note = NULL;
	while ((note = journal_noted(j, note)) != NULL) {
		uint32_t length = note->length_bytes;
		assert_int_equal(note->offset_bytes, notes);
		assert_true(length == 100 || length == 99 || length == 0);
		notes++;
	}
	assert_true(notes >= p->noted);
	if (committed > p->committed)
		assert_int_equal(notes, 0);
	if (notes > 0)
		assert_int_equal(found->noted, p->taken - committed);
}

static void die_here(struct watch *w, const struct progress *p)
{
	struct journal_found found;
	struct journal *j = must_open_journal(&w->copy_opts, &found);
	assert_string_equal(found.why, "");
	uint64_t committed = 0;
	size_t bytes;
	if (journal_counters(j, &bytes) != NULL)
		committed = committed_counter(j);
	assert_in_range(committed, p->committed, p->taken);
	assert_true(committed >= w->committed);
	check_notes(j, committed, p, &found);

	const struct journal_stats *stats = journal_stats(j);
	unsigned received =
		(unsigned)(stats->appended_total + stats->refused_total);
	assert_in_range(received, p->received, p->received + SLOTS);
	assert_true(received >= w->received);

	uint64_t seq = committed;
	assert_int_equal(found.messages, stats->appended_total - committed);
	take_rest(j, &seq);
	if (found.noted > 0) {
		assert_int_equal(seq, committed + found.noted);
		commit_taken(j);
		take_rest(j, &seq);
	}
	assert_int_equal(seq, stats->appended_total);
	journal_close(j);
	w->received = received;
	w->committed = (unsigned)committed;
	w->states++;
}

static char *map_file(const char *path, size_t bytes)
{
	FILE *f = fopen(path, "r+");
	assert_non_null(f);
	char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fileno(f), 0);
	assert_true(map != MAP_FAILED);
	fclose(f);
	return map;
}

static void watch_files(struct watch *w, struct journal_dir *d)
{
	w->copy_opts = journal_dir_opts(d);
	w->copy_opts.path = journal_dir_beside(
		d, ".damaged.1"); /* the teardown removes it */
	struct journal_found found;
	struct journal *j = must_open_journal(&w->copy_opts, &found);
	journal_close(j);
	struct stat st;
	assert_int_equal(stat(w->copy_opts.path, &st), 0);
	w->bytes = (size_t)st.st_size;
	w->map = map_file(d->path, w->bytes);
	w->copy = map_file(w->copy_opts.path, w->bytes);
	w->last = mem_new(w->bytes, 1);
	struct journal_view v;
	char why[JOURNAL_WHY_BYTES];
	assert_true(journal_view_read(&v, w->copy, w->bytes, why));
	w->at = v.at;
}

/* Step until the child ends. */
static void step_through(struct watch *w, pid_t child,
			 const volatile struct progress *p)
{
	int status;
	while (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0 &&
	       waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		assert_int_equal(WSTOPSIG(status), SIGTRAP);
		if (!has_changed(w))
			continue;
		copy_used(w, w->last);
		copy_used(w, w->copy);
		const struct progress now = *p;
		die_here(w, &now);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void check_all_deaths(struct journal_dir *d,
			     void (*run)(const struct journal_dir *,
					 volatile struct progress *, int[2]),
			     const struct progress *expected)
{
#ifdef __SANITIZE_THREAD__
	skip(); /* ten times the instructions, for a single thread */
#endif
	volatile struct progress *p =
		mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int sockets[2], status;
	assert_true(p != MAP_FAILED);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
	pid_t child = fork();
	if (child == 0)
		run(d, p, sockets);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!p->is_traced) {
		print_message("ptrace is not permitted here\n");
		skip();
	}
	assert_true(WIFSTOPPED(status));
	struct watch w = {0};
	watch_files(&w, d);
	step_through(&w, child, p);
	/* Every store leads to a new state. */
	assert_true(w.states > 20);
	assert_int_equal(w.received, expected->received);
	assert_int_equal(w.committed, expected->committed);
	munmap((void *)(uintptr_t)w.map, w.bytes);
	munmap(w.copy, w.bytes);
	munmap((void *)(uintptr_t)p, sizeof *p);
	free(w.last);
	close(sockets[0]);
	close(sockets[1]);
}

static void a_kill_at_any_instant_loses_nothing(void **state)
{
	check_all_deaths(*state, live,
			 &(struct progress){.received = 13, .committed = 11});
}

static void a_kill_during_recovery_loses_nothing(void **state)
{
	check_all_deaths(*state, play_next_process,
			 &(struct progress){.received = 5, .committed = 0});
}

int main(void)
{
#define TEST(name)                                                \
	cmocka_unit_test_setup_teardown(name, journal_dir_set_up, \
					journal_dir_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_kill_at_any_instant_loses_nothing),
		TEST(a_kill_during_recovery_loses_nothing),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
