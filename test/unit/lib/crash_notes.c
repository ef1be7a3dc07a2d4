/* SPDX-License-Identifier: Apache-2.0 */
#include "crash_notes.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

void crash_notes_write(void *data, const struct append_note *n)
{
	struct crash_notes *c = data;
	assert_true(c->count < CRASH_NOTES_MAX);
	c->notes[c->count++] = *n;
	c->all_total++;
	if (c->kill_in > 0 && --c->kill_in == 0)
		kill(getpid(), SIGKILL);
}

const struct append_note *crash_notes_find(void *data, uint32_t sink,
					   uint64_t device, uint64_t inode,
					   size_t nth)
{
	const struct crash_notes *c = data;
	for (size_t i = 0; i < c->found; i++) {
		const struct append_note *n = &c->notes[i];
		if (n->sink == sink && n->device == device &&
		    n->inode == inode && nth-- == 0)
			return n;
	}
	return NULL;
}

bool crash_notes_may_find(void *data)
{
	const struct crash_notes *c = data;
	return c->found > 0;
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
