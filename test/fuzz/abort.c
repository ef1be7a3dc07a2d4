/* SPDX-License-Identifier: Apache-2.0 */
/* A failed CHECK is a finding, but libFuzzer keeps the input only if the process
 * aborts.  This file is linked before libcore.a and replaces base/check.c. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "check=\"%s\" file=%s line=%d\n", expr, file, line);
	abort();
}
