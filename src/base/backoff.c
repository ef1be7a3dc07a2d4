/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include "base/check.h"

int64_t backoff_next_ms(struct backoff *b)
{
	CHECK(b->min_ms > 0);
	CHECK(b->max_ms >= b->min_ms);
	if (b->last_ms == 0)
		b->last_ms = b->min_ms;
	else if (b->last_ms > b->max_ms / 2)
		b->last_ms = b->max_ms;
	else
		b->last_ms *= 2;
	return b->last_ms;
}

void backoff_reset(struct backoff *b)
{
	b->last_ms = 0;
}
