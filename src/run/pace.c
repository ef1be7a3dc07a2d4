/* SPDX-License-Identifier: Apache-2.0 */
#include "run/pace.h"

enum {
	WINDOW_MS = 50,
	QUEUE_PART = 16,
	WORTH = 2, /* fewer need not gather */
};

static void measure(struct pace *p, uint64_t now_ms, uint64_t received)
{
	uint64_t elapsed_ms = now_ms - p->since_ms;
	p->count += received;
	if (elapsed_ms < WINDOW_MS)
		return;
	p->per_s = p->count * 1000 / elapsed_ms;
	p->since_ms = now_ms;
	p->count = 0;
}

uint64_t pace_wait_ms(struct pace *p, uint64_t now_ms, uint64_t received)
{
	uint64_t part = p->queue_length / QUEUE_PART;
	measure(p, now_ms, received);
	/* More than was to be expected: a burst, which may go on. */
	if (received > part || p->per_s == 0)
		return 0;
	uint64_t wait_ms = part * 1000 / p->per_s;
	if (wait_ms > PACE_WAIT_MAX_MS)
		wait_ms = PACE_WAIT_MAX_MS;
	return p->per_s * wait_ms / 1000 < WORTH ? 0 : wait_ms;
}
