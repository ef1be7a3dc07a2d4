/* SPDX-License-Identifier: Apache-2.0 */
/* random - numbers for random tests that can be repeated.
 *
 * A random test begins with random_seed(), which prints the seed.  Run the
 * test program again with SEED=n in the environment to repeat that run. */
#ifndef UNIT_RANDOM_H
#define UNIT_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

/* Start a sequence: from the environment variable SEED if it is set, otherwise
 * from `seed`.  `test` names the test in the line that is printed. */
struct random random_seed(const char *test, uint64_t seed);

/* The next number, from 0 to 2^31 - 1. */
uint32_t random_next(struct random *);

/* A number from 0 to limit - 1; limit is at least 1. */
uint32_t random_below(struct random *, uint32_t limit);

#endif
