/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor has the worker's descriptor of the journal, and passes it to
 * the next worker with GO.  A lock of flock() belongs to all copies of a
 * descriptor.  So between two workers, no other sluiced can lock the journal,
 * and no worker waits for it. */
#include <unistd.h>

#include "process/journal_left.h"
#include "process/supervisor_state.h"

void kept_close(struct supervisor *s)
{
	if (s->journal >= 0)
		close(s->journal);
	s->journal = -1;
}

void kept_take(struct supervisor *s, const struct channel_message *m)
{
	kept_close(s);
	if (m->fd_count > 0)
		s->journal = m->fds[0];
}

void kept_pass(const struct supervisor *s, struct channel_message *m)
{
	m->has_journal = s->journal >= 0;
	if (m->has_journal)
		m->fds[m->fd_count++] = s->journal;
}

void kept_change(struct supervisor *s, const char *path)
{
	if (journal_left_is_same(s->limits.journal_path, path))
		return;
	kept_close(s);
	(void)journal_left_report(s->limits.journal_path, path);
}
