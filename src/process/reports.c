/* SPDX-License-Identifier: Apache-2.0 */
/* A worker may send messages and die before the supervisor has read them.  Two
 * kinds of messages are treated differently then.
 *
 * Reports say what the worker has done: JOURNAL, WORKING, RETIRED_READ,
 * OUTPUTS_GOOD.  They are as true as before its death.
 *
 * Requests ask the supervisor to do something.  Of these, only a signal to stop
 * still matters.  A reload is not necessary, whether SIGNAL or RELOAD asks for
 * it: the worker that replaces the dead one reads the configuration anyway.
 * The others concern only the worker itself: GO for it (READY), more time or a
 * replacement for it (STAY, STUCK), and whether it leaves or stays (LEFT,
 * CANCELLED).  Its end decides all of that. */
#include <signal.h>

#include "process/supervisor_state.h"

static void on_working(struct supervisor *s, struct child *child)
{
	child->is_working = true;
	if (s->state != STARTING)
		return;
	s->state = RUNNING;
	if (s->stop_signal != 0)
		stopping_begin(s, s->stop_signal);
	else if (s->is_reload_held)
		(void)reload_begin(s, false);
	s->is_reload_held = false;
}

bool reports_take(struct supervisor *s, struct child *child,
		  const struct channel_message *m)
{
	if (m->kind == CHANNEL_JOURNAL) {
		child->has_journal = true;
		kept_take(s, m);
	} else if (m->kind == CHANNEL_WORKING) {
		on_working(s, child);
	} else if (m->kind == CHANNEL_RETIRED_READ && child == &s->worker) {
		retired_close_passed(&s->endpoints.retired);
	} else if (m->kind == CHANNEL_OUTPUTS_GOOD) {
		s->worker_counts.are_outputs_good = true;
	} else {
		return false;
	}
	return true;
}

void reports_take_rest(struct supervisor *s, struct child *child)
{
	struct channel_message m;
	while (child->channel >= 0 && channel_is_readable(child->channel) &&
	       channel_receive(child->channel, &m))
		if (!reports_take(s, child, &m) && m.kind == CHANNEL_SIGNAL &&
		    m.signum != SIGHUP)
			stopping_begin(s, m.signum);
}
