/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include <stdio.h>
#include <stdlib.h>

struct random random_seed(const char *test, uint64_t seed)
{
	const char *text = getenv("SEED");
	if (text != NULL && *text != '\0')
		seed = strtoull(text, NULL, 10);
	printf("%s: SEED=%llu\n", test, (unsigned long long)seed);
	fflush(stdout); /* also if the test crashes, and before a fork */
	return (struct random){seed};
}

/* Knuth's MMIX generator; its high bits are the good ones. */
uint32_t random_next(struct random *r)
{
	r->state = r->state * UINT64_C(6364136223846793005) +
		   UINT64_C(1442695040888963407);
	return (uint32_t)(r->state >> 33);
}

uint32_t random_below(struct random *r, uint32_t limit)
{
	return random_next(r) % limit;
}
