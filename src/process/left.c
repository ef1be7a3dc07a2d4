/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "pipeline/pipeline.h"
#include "process/supervisor_state.h"
#include "process/unreaped.h"

static void close_journal(struct left *left)
{
	if (left->pid != 0 && left->journal >= 0)
		close(left->journal);
	left->journal = -1;
}

static bool remember(struct supervisor *s, const struct left *left)
{
	for (size_t i = 0; i < LEFT_MAX; i++)
		if (s->left[i].pid == 0) {
			s->left[i] = *left;
			return true;
		}
	log_rated(
		&s->left_rate, LOG_ERROR, "supervisor",
		"worker=%d err=\"%d earlier workers have not ended; a disk may "
		"hang\" "
		"action=\"starting no other worker before one of them has "
		"ended\"",
		(int)left->pid, LEFT_MAX);
	return false;
}

bool left_by_worker(struct supervisor *s)
{
	return remember(s, &(struct left){.pid = s->worker.pid, .journal = -1});
}

/* Whether the child was killed before it had anything but its memory.  Then it
 * does not matter where it hangs. */
static bool has_nothing(const struct child *child)
{
	return (child->is_late || child->is_dismissed) && !child->has_endpoints;
}

bool left_by_dead(struct supervisor *s, struct child *child, int *status)
{
	bool has_file = child->limits.journal_path[0] != '\0';
	struct left left = {.pid = child->pid, .is_dead = true, .journal = -1};
	bool was_dead = child->was_dead;
	if (has_nothing(child)) {
		child->was_dead = true;
		*status = SIGKILL;
	} else {
		child->was_dead = unreaped_is_dead(child->pid, status);
	}
	if (!was_dead || !child->was_dead)
		return false;
	/* It may have locked a file of which there is no descriptor here. */
	if (child->has_endpoints && has_file && !child->has_journal)
		return false;
	left.may_write = child->has_endpoints &&
			 unreaped_may_write(left.pid, PIPELINE_THREAD);
	if (child->has_journal && s->journal >= 0)
		left.journal = fcntl(s->journal, F_DUPFD_CLOEXEC, 0);
	if (!remember(s, &left)) {
		close_journal(&left);
		return false;
	}
	log_line(LOG_ERROR, "supervisor",
		 "worker=%d err=\"the worker is dead, but its process does "
		 "not end: a disk hangs, or the kernel writes a core dump\" "
		 "action=\"%s\"",
		 (int)child->pid,
		 left.may_write ? "the next worker receives, and writes when "
				  "this process can no longer write"
				: "not waiting for its end");
	return true;
}

bool left_may_write(const struct supervisor *s)
{
	for (size_t i = 0; i < LEFT_MAX; i++)
		if (s->left[i].pid != 0 && s->left[i].may_write)
			return true;
	return false;
}

static void log_end(struct supervisor *s, const struct left *left, int status)
{
	char room[CHILD_END_BYTES];
	if (left->is_dead) {
		log_line(LOG_INFO, "supervisor", "worker=%d state=ended %s",
			 (int)left->pid, child_end_text(status, room));
	} else if (status != 0) {
		s->worker_counts.deaths++;
		log_line(
			LOG_ERROR, "supervisor",
			"worker=%d err=\"the old worker failed while it ended, "
			"after it had handed over to the next one\" %s",
			(int)left->pid, child_end_text(status, room));
	}
}

void left_ended(struct supervisor *s, pid_t pid, int status)
{
	bool could_write = left_may_write(s);
	for (size_t i = 0; i < LEFT_MAX; i++) {
		struct left *left = &s->left[i];
		if (left->pid != pid)
			continue;
		log_end(s, left, status);
		close_journal(left);
		left->pid = 0;
	}
	if (could_write && !left_may_write(s))
		worker_send(s, CHANNEL_WRITE);
}

void left_look(struct supervisor *s)
{
	if (!left_may_write(s))
		return;
	for (size_t i = 0; i < LEFT_MAX; i++)
		if (s->left[i].may_write)
			s->left[i].may_write = unreaped_may_write(
				s->left[i].pid, PIPELINE_THREAD);
	if (!left_may_write(s))
		worker_send(s, CHANNEL_WRITE);
}

void left_disown(struct supervisor *s)
{
	for (size_t i = 0; i < LEFT_MAX; i++)
		close_journal(&s->left[i]);
}

void left_end(struct supervisor *s)
{
	if (s->worker.pid != 0)
		kill(s->worker.pid, SIGKILL);
	bool is_free = s->worker.pid == 0 && !left_may_write(s);
	for (size_t i = 0; i < LEFT_MAX; i++) {
		struct left *left = &s->left[i];
		if (left->pid == 0)
			continue;
		kill(left->pid, SIGKILL);
		if (is_free && left->journal >= 0)
			(void)flock(left->journal, LOCK_UN);
		close_journal(left);
	}
}
