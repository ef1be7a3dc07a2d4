/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/pace.h"

#include "base/clock.h"

#define WINDOW_NS (10 * NS_PER_MS)
#define US_PER_S UINT64_C(1000000)

enum {
	QUEUE_PART = 16,
	BURST = 2, /* above this multiple of the expectation: no sleep */
};

void pace_received(struct pace *p, uint64_t messages, uint64_t bytes)
{
	p->just_now += messages;
	p->count += messages;
	p->bytes += bytes;
}

static void measure(struct pace *p, int64_t now_ns)
{
	int64_t elapsed_ns = now_ns - p->since_ns;
	if (elapsed_ns < WINDOW_NS)
		return;
	double elapsed_s = (double)elapsed_ns / NS_PER_S;
	p->per_s = (uint64_t)((double)p->count / elapsed_s);
	p->bytes_per_s = (uint64_t)((double)p->bytes / elapsed_s);
	p->since_ns = now_ns;
	p->count = 0;
	p->bytes = 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* UDP has no length (0): its queue counts bytes and has room for thousands of
 * datagrams. */
bool pace_forbids(const struct pace *p)
{
	return p->queue_length > 0 &&
	       p->queue_length / QUEUE_PART < PACE_GATHER_MIN;
}

uint64_t pace_wait_us(struct pace *p, int64_t now_ns)
{
	uint64_t gather = least(p->queue_length / QUEUE_PART, PACE_GATHER_MAX);
	uint64_t just_now = p->just_now;
	p->just_now = 0;
	measure(p, now_ns);
	if (just_now > gather * BURST || p->per_s == 0)
		return 0;
	uint64_t wait_us =
		least(PACE_WAIT_MAX_US, gather * US_PER_S / p->per_s);
	if (p->bytes_per_s > 0)
		wait_us = least(wait_us, PACE_GATHER_BYTES_MAX * US_PER_S /
						 p->bytes_per_s);
	return p->per_s * wait_us / US_PER_S < PACE_GATHER_MIN ? 0 : wait_us;
}
