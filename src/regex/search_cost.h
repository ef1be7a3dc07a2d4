/* SPDX-License-Identifier: Apache-2.0 */
/* search_cost - what the searches of one message have cost so far.
 *
 * pattern.h limits the work of one search.  A sender chooses how many keys,
 * values and records a message has, and so how many searches, so their sum
 * needs a limit too.  Nearly all searches are cheap and are not counted.  PCRE2
 * does not tell how many steps a search took, so for expensive searches,
 * `steps` is the sum of the steps that they were allowed.  If it grows beyond
 * SEARCH_STEPS_UNTIMED, the true cost may be large, and the CPU time of further
 * expensive searches is measured.  For texts longer than SEARCH_LONG_BYTES it
 * is always measured.  Once that CPU time reaches SEARCH_CPU_NS_MAX, only cheap
 * searches of this message get an answer. */
#ifndef REGEX_SEARCH_COST_H
#define REGEX_SEARCH_COST_H

#include <stdint.h>

enum {
	SEARCH_STEPS_UNTIMED = 20000000, /* at most about 50 ms */
	SEARCH_CPU_NS_MAX = 100000000,
};

struct search_cost { /* zero-initialised: nothing yet */
	uint64_t steps;
	int64_t cpu_ns;
};

#endif
