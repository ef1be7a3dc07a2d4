/* SPDX-License-Identifier: Apache-2.0 */
/* A CHECK that fails is a finding, and libFuzzer keeps the input only of what
 * aborts.  Linked before libcore.a, this takes the place of base/check.c. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "check=\"%s\" file=%s line=%d\n", expr, file, line);
	abort();
}
