/* SPDX-License-Identifier: Apache-2.0 */
#include "run/pace.h"

enum {
	WINDOW_MS = 50,
	QUEUE_PART = 16,
	WORTH = 2, /* fewer need not gather */
};

void pace_received(struct pace *p, uint64_t messages, uint64_t bytes)
{
	p->just_now += messages;
	p->count += messages;
	p->bytes += bytes;
}

static void measure(struct pace *p, uint64_t now_ms)
{
	uint64_t elapsed_ms = now_ms - p->since_ms;
	if (elapsed_ms < WINDOW_MS)
		return;
	p->per_s = p->count * 1000 / elapsed_ms;
	p->bytes_per_s = p->bytes * 1000 / elapsed_ms;
	p->since_ms = now_ms;
	p->count = 0;
	p->bytes = 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t pace_wait_ms(struct pace *p, uint64_t now_ms)
{
	uint64_t gather = least(p->queue_length / QUEUE_PART, PACE_GATHER_MAX);
	uint64_t just_now = p->just_now;
	p->just_now = 0;
	measure(p, now_ms);
	/* More than was to be expected: a burst, which may go on. */
	if (just_now > gather || p->per_s == 0)
		return 0;
	uint64_t wait_ms = least(PACE_WAIT_MAX_MS, gather * 1000 / p->per_s);
	if (p->bytes_per_s > 0)
		wait_ms = least(wait_ms, (uint64_t)PACE_GATHER_BYTES_MAX *
						 1000 / p->bytes_per_s);
	return p->per_s * wait_ms / 1000 < WORTH ? 0 : wait_ms;
}
