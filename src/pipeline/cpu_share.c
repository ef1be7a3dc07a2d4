/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/cpu_share.h"

#include "base/clock.h"

#define LIMIT_READ_NS (10 * NS_PER_S)

enum { THREADS = 2 };

void cpu_share_read_limit(struct cpu_share *s, int64_t now_ns)
{
	if (s->limit_read_ns != 0 && now_ns - s->limit_read_ns < LIMIT_READ_NS)
		return;
	/* CPU used until now does not count against the new limit. */
	cpu_share_pause_ns(s, now_ns, clock_cpu_ns());
	s->limit = cpu_limit_read("");
	s->limit_read_ns = now_ns;
}

/* The number of messages until the next check.  At the present cost of a
 * message, they use up a quarter of the bucket. */
static unsigned messages_for(const struct cpu_share *s, double full_ns,
			     double used_ns)
{
	double each_ns = used_ns / (s->messages > 0 ? s->messages : 1);
	double messages = full_ns / 4 / (each_ns > 1 ? each_ns : 1);
	return messages < 1			   ? 1
	       : messages > CPU_SHARE_MESSAGES_MAX ? CPU_SHARE_MESSAGES_MAX
						   : (unsigned)messages;
}

int64_t cpu_share_pause_ns(struct cpu_share *s, int64_t now_ns, int64_t used_ns)
{
	double quota_ns = (double)s->limit.quota_ns;
	if (s->limit.quota_ns == 0 ||
	    s->limit.quota_ns >= THREADS * s->limit.period_ns) {
		/* If a limit is set later, start with an empty account. */
		*s = (struct cpu_share){
			.limit = s->limit,
			.limit_read_ns = s->limit_read_ns,
			.at_ns = now_ns,
			.used_ns = used_ns,
			.messages = CPU_SHARE_MESSAGES_MAX,
		};
		return 0;
	}
	double rate = CPU_SHARE_RATE * quota_ns / (double)s->limit.period_ns;
	double full_ns = CPU_SHARE_BURST * quota_ns;
	double used_since_ns = (double)(used_ns - s->used_ns);
	s->messages = messages_for(s, full_ns, used_since_ns);
	s->level_ns += rate * (double)(now_ns - s->at_ns) - used_since_ns;
	if (s->level_ns > full_ns)
		s->level_ns = full_ns;
	s->at_ns = now_ns;
	s->used_ns = used_ns;
	return s->level_ns > 0 ? 0 : (int64_t)((full_ns - s->level_ns) / rate);
}

/* The interval doubles until the messages take too long. */
unsigned cpu_share_messages(struct cpu_share *s, int64_t busy_ns)
{
	int64_t messages = 2 * (int64_t)s->interval;
	if (busy_ns > CPU_SHARE_INTERVAL_NS)
		messages = s->interval * CPU_SHARE_INTERVAL_NS / busy_ns;
	if (messages > s->messages)
		messages = s->messages;
	s->interval = messages < 1 ? 1 : (unsigned)messages;
	return s->interval;
}
