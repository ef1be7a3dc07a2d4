/* SPDX-License-Identifier: Apache-2.0 */
#include "process/reload_pace.h"

#include "base/clock.h"

enum {
	PAUSE_FACTOR = 9,
	PAUSE_MIN_S = 1,
};

static void stop_work(struct reload_pace *p, int64_t now_ns)
{
	if (p->work_ns != 0)
		p->used_ns += now_ns - p->work_ns;
	p->work_ns = 0;
}

static void pause_from(struct reload_pace *p, int64_t now_ns)
{
	int64_t pause_ns = PAUSE_FACTOR * p->used_ns;
	if (pause_ns < PAUSE_MIN_S * NS_PER_S)
		pause_ns = PAUSE_MIN_S * NS_PER_S;
	p->from_ns = now_ns + pause_ns;
}

void reload_pace_begin(struct reload_pace *p, bool is_limited, int64_t now_ns)
{
	p->is_limited = is_limited;
	p->work_ns = now_ns;
	p->used_ns = 0;
}

void reload_pace_loaded(struct reload_pace *p, int64_t now_ns)
{
	stop_work(p, now_ns);
}

/* The new worker may die before it receives. */
void reload_pace_go(struct reload_pace *p, int64_t now_ns)
{
	if (p->is_limited)
		pause_from(p, now_ns);
	p->work_ns = now_ns;
}

void reload_pace_end(struct reload_pace *p, int64_t now_ns)
{
	stop_work(p, now_ns);
	if (p->is_limited)
		pause_from(p, now_ns);
	p->is_limited = false;
}
