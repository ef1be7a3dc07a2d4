/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu_budget.h"

#define LIMIT_READ_NS (100 * NS_PER_MS)

void cpu_budget_read_limit(struct cpu_budget *b, int64_t now_ns)
{
	if (b->limit_read_ns != 0 && now_ns - b->limit_read_ns < LIMIT_READ_NS)
		return;
	b->limit = cpu_limit_read("");
	b->limit_read_ns = now_ns;
}

static double rate_of(const struct cpu_budget *b)
{
	const struct cpu_limit *limit = &b->limit;
	if (b->share > 0)
		return b->share * (double)limit->quota_ns /
		       (double)limit->period_ns;
	if (limit->quota_ns == 0 || limit->quota_ns >= limit->period_ns)
		return CPU_BUDGET_RATE;
	return CPU_BUDGET_RATE * (double)limit->quota_ns /
	       (double)limit->period_ns;
}

int64_t cpu_budget_pause_ns(struct cpu_budget *b, int64_t now_ns,
			    int64_t used_ns)
{
	if (b->share > 0 && b->limit.quota_ns == 0)
		return 0;
	double rate = rate_of(b);
	double full_ns = rate * (double)CPU_BUDGET_BURST_NS;
	double lowest_ns = -rate * (double)CPU_BUDGET_PAUSE_MAX_NS;
	/* The level before this use. */
	double level_ns = b->level_ns + rate * (double)(now_ns - b->at_ns);
	if (b->at_ns == 0 || level_ns > full_ns)
		level_ns = full_ns;
	level_ns -= (double)used_ns;
	if (level_ns < lowest_ns)
		level_ns = lowest_ns;
	b->level_ns = level_ns;
	b->at_ns = now_ns;
	return level_ns >= 0 ? 0 : (int64_t)(-level_ns / rate);
}
