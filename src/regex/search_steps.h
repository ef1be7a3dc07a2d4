/* SPDX-License-Identifier: Apache-2.0 */
/* search_steps - how many steps PCRE2 may take for a search.
 *
 * Nearly all searches are cheap.  Others are repeated with more steps until
 * they end or reach their limit.  A step takes up to 15 ns, and many short
 * texts must not take more time than a long one.  So the limit depends on the
 * length:
 *
 *     one start position  65,536 and 256 for each byte, at most a million.  On
 *                         honest lines of 100 B to 32 kB, the expressions of
 *                         conf/parsers.conf take at most 8 for each byte.
 *                         `^(.*) (.*) - (.*)$` takes up to 200,000 for 900 B
 *     more than one       PCRE2 restarts its count at each, and a text has one
 *                         for each byte.  So each gets a quarter of that, all
 *                         together at most 200 million, which take 0.1 to 0.2 s
 *                         (for exceptions see pattern.h).
 *                         `client.*upstream.*timed out` takes up to 3,000 for
 *                         700 B
 *
 * PCRE2 counts a run of one character, such as ` +`, as one step, also if it
 * gives back some of the characters later.  Such a step may read the whole
 * text.  Up to 4 KiB, all steps together then take at most about 0.1 s.  For
 * longer texts the steps alone do not limit the time: see search_steps_next.
 *
 * The functions are in this header because each search calls one of them. */
#ifndef REGEX_SEARCH_STEPS_H
#define REGEX_SEARCH_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SEARCH_STEPS_BASE = 65536,
	SEARCH_STEPS_PER_BYTE = 256,
	SEARCH_STEPS_MAX = 1000000,
	SEARCH_STEPS_MIN = 1000,
	SEARCH_STEPS_PART = 4,
	SEARCH_STEPS_TOTAL = 200000000,
	/* A search is cheap if it takes at most this number of steps for each
	 * byte.  See search_steps_cheap for short and long texts. */
	SEARCH_STEPS_CHEAP = 16,
	SEARCH_CHEAP_BYTES_MIN = 128,
	SEARCH_STEPS_FACTOR = 8, /* from one attempt to the next */
	SEARCH_LONG_BYTES = 4096,
	SEARCH_LONG_CHEAP_BYTES = 8000000, /* for one start position: 1 ms */
	SEARCH_BYTES_PER_NS = 8,	   /* that a run of a character reads */
};

struct search_size {
	size_t bytes;  /* of the text */
	size_t starts; /* the number of start positions */
	size_t codes;  /* the number of codes that share the steps */
};

/* Whether the time of a search must be limited, too. */
static inline bool search_is_long(const struct search_size *s)
{
	return s->bytes > SEARCH_LONG_BYTES;
}

/* The limit for each start position. */
static inline uint32_t search_steps_max(const struct search_size *s)
{
	size_t steps = SEARCH_STEPS_MAX;
	size_t more = SEARCH_STEPS_MAX - SEARCH_STEPS_BASE;
	if (s->codes == 1 && s->bytes < more / SEARCH_STEPS_PER_BYTE)
		steps = (SEARCH_STEPS_BASE + SEARCH_STEPS_PER_BYTE * s->bytes) /
			(s->starts > 1 ? SEARCH_STEPS_PART : 1);
	if (s->starts > 1 && s->bytes > SEARCH_STEPS_TOTAL / steps)
		steps = SEARCH_STEPS_TOTAL / s->bytes;
	if (steps < SEARCH_STEPS_MIN)
		steps = SEARCH_STEPS_MIN;
	return (uint32_t)(steps / s->codes);
}

/* The steps of the first attempt: SEARCH_STEPS_CHEAP for each byte and for
 * SEARCH_CHEAP_BYTES_MIN more, shared by all start positions.  A long text with
 * one start position gets fewer: SEARCH_LONG_CHEAP_BYTES / bytes. */
static inline uint32_t search_steps_cheap(const struct search_size *s)
{
	size_t steps = SEARCH_STEPS_CHEAP * (s->bytes + SEARCH_CHEAP_BYTES_MIN);
	if (s->starts > 1)
		steps = SEARCH_STEPS_CHEAP + SEARCH_STEPS_CHEAP *
						     SEARCH_CHEAP_BYTES_MIN /
						     (uint32_t)s->starts;
	else if (search_is_long(s))
		steps = SEARCH_LONG_CHEAP_BYTES / s->bytes;
	size_t max = s->codes == 1 ? SEARCH_STEPS_MAX : search_steps_max(s);
	return (uint32_t)(steps < max ? steps : max);
}

/* The steps of the next attempt; the last one gets `max`.  For a long text, the
 * time of the last attempt tells little about that of the next one.  So the
 * next one gets as many more steps as surely fit into the time that is left, or
 * half as many again. */
static inline uint32_t search_steps_next(const struct search_size *s,
					 uint32_t steps, uint32_t max,
					 int64_t left_ns)
{
	uint64_t next = (uint64_t)steps * SEARCH_STEPS_FACTOR;
	if (search_is_long(s)) {
		uint64_t sure = (uint64_t)left_ns * SEARCH_BYTES_PER_NS /
				(s->bytes * s->starts);
		next = steps + (sure > steps / 2 ? sure : steps / 2 + 1);
	} else if (next > max / SEARCH_STEPS_FACTOR) {
		next = max;
	}
	return next < max ? (uint32_t)next : max;
}

#endif
