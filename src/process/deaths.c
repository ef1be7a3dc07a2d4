/* SPDX-License-Identifier: Apache-2.0 */
#include "process/deaths.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"

enum {
	QUICK_DEATHS_FREE = 3, /* in a row that are replaced at once */
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 10000,
	STOPPING_MAX_MS = 1000,
};

/* After this time without a death, the delays begin again with the shortest. */
#define PEACE_NS (60 * NS_PER_S)

/* Returns how many processes of all cgroups the OOM killer has killed.  The
 * kernel counts before it sends the signal.  -1 if the count cannot be read. */
static int64_t read_oom_kills(void)
{
	long long count = -1;
	char line[128];
	FILE *f = fopen("/proc/vmstat", "re");
	if (f == NULL)
		return -1;
	while (fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "oom_kill %lld", &count) == 1)
			break;
	fclose(f);
	return count;
}

void deaths_init(struct deaths *d)
{
	*d = (struct deaths){
		.backoff = {.min_ms = BACKOFF_MIN_MS, .max_ms = BACKOFF_MAX_MS},
		.stopping = {.min_ms = BACKOFF_MIN_MS,
			     .max_ms = STOPPING_MAX_MS},
		.oom_kills = -1,
	};
}

void deaths_begin(struct deaths *d)
{
	d->oom_kills = read_oom_kills();
}

bool deaths_came_from_outside(const struct deaths *d, int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
	       d->oom_kills >= 0 && read_oom_kills() == d->oom_kills;
}

int64_t deaths_wait_ms(struct deaths *d, int64_t now_ns, bool from_outside,
		       bool was_quick)
{
	d->quick = was_quick ? d->quick + 1 : 0;
	if (d->quick >= QUICK_DEATHS_MAX)
		return -1;
	if (from_outside && d->quick <= QUICK_DEATHS_FREE)
		return 0;
	if (now_ns - d->last_ns >= PEACE_NS)
		backoff_reset(&d->backoff);
	d->last_ns = now_ns;
	return backoff_next_ms(&d->backoff);
}

void deaths_interrupt(struct deaths *d)
{
	d->quick = 0;
}

int64_t deaths_stopping_wait_ms(struct deaths *d)
{
	if (d->died_stopping)
		return backoff_next_ms(&d->stopping);
	d->died_stopping = true;
	return 0;
}
