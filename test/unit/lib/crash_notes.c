/* SPDX-License-Identifier: Apache-2.0 */
#include "crash_notes.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

uint32_t crash_notes_write(void *data, const struct append_note *n,
			   uint32_t replaced)
{
	struct crash_notes *c = data;
	size_t place = replaced != 0 ? replaced : ++c->count;
	assert_in_range(place, 1, CRASH_NOTES_MAX);
	c->notes[place - 1] = *n;
	c->all_total++;
	if (c->kill_in > 0 && --c->kill_in == 0)
		kill(getpid(), SIGKILL);
	return (uint32_t)place;
}

static void record_failure(void *data, uint32_t place, uint32_t length_bytes)
{
	struct crash_notes *c = data;
	assert_in_range(place, 1, c->count);
	if (c->has_failures)
		c->notes[place - 1].length_bytes = length_bytes;
}

static const struct append_note *next(void *data, const struct append_note *n)
{
	const struct crash_notes *c = data;
	const struct append_note *end = c->notes + c->found;
	n = n == NULL ? c->notes : n + 1;
	return n < end ? n : NULL;
}

static bool may_find(void *data)
{
	const struct crash_notes *c = data;
	return c->found > 0;
}

struct append_notes crash_notes_access(struct crash_notes *c)
{
	return (struct append_notes){.data = c,
				     .note = crash_notes_write,
				     .failed = record_failure,
				     .next = next,
				     .may_find = may_find};
}

void crash_notes_commit(struct crash_notes *c)
{
	c->count = c->found = 0;
}

void crash_notes_restart(struct crash_notes *c)
{
	c->found = c->count;
	c->kill_in = 0;
}

void *share(size_t bytes)
{
	void *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	return shared;
}

void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

void run_and_kill(void (*run)(void *), void *data)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		run(data);
		kill(getpid(), SIGKILL);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}
