/* SPDX-License-Identifier: Apache-2.0 */
/* unit - cmocka with the headers that it needs before it, and the seed of the
 * random tests. */
#ifndef UNIT_H
#define UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>

/* The seed of a random test: SEED of the environment, otherwise `usual`.  It
 * is printed, so that the output of a failed test contains it. */
static inline unsigned unit_seed(unsigned usual)
{
	const char *text = getenv("SEED");
	unsigned seed =
		text == NULL ? usual : (unsigned)strtoul(text, NULL, 10);
	print_message("random test: SEED=%u\n", seed);
	return seed;
}

#endif
