/* SPDX-License-Identifier: Apache-2.0 */
/* A worker may send messages and die before the supervisor has read them.  Two
 * kinds of messages are treated differently then.
 *
 * Reports say what the worker has done: JOURNAL, WORKING, RETIRED_READ,
 * OUTPUTS_GOOD, TOO_SOON.  Its death changes nothing about them.
 *
 * Requests ask the supervisor to do something.  Of these, only a signal still
 * matters.  RELOAD does not: the worker that replaces the dead one reads the
 * configuration anyway.  So SIGHUP matters only if that worker may have read it
 * before, because it is the new one of a reload.  The others concern only the
 * worker itself: GO for it (READY), more time or a replacement for it (STAY,
 * STUCK), and whether it leaves or stays (LEFT, CANCELLED).  Its end decides
 * all of that. */
#include <signal.h>

#include "base/clock.h"
#include "process/supervisor_state.h"

static void on_working(struct supervisor *s, struct child *child)
{
	bool is_first = s->state == STARTING;
	child->is_working = true;
	if (s->next.pid == 0)
		reload_pace_end(&s->reload_pace, clock_mono_ns());
	if (is_first)
		s->state = RUNNING;
	if (is_first && s->stop_signal != 0)
		stopping_begin(s, s->stop_signal);
	reload_begin_held(s);
}

static void obey(struct supervisor *s, int signum)
{
	if (signum != SIGHUP)
		stopping_begin(s, signum);
	else if (s->next.pid != 0)
		reload_signalled(s);
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
	} else if (m->kind == CHANNEL_TOO_SOON) {
		s->worker_counts.reloads_too_soon =
			m->worker_counts.reloads_too_soon;
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
		if (!reports_take(s, child, &m) && m.kind == CHANNEL_SIGNAL)
			obey(s, m.signum);
}
