/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdio.h>
#include <unistd.h>

void check_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "level=bug check=\"%s\" file=%s line=%d\n", expr, file,
		line);
	_exit(EXIT_CODE_BUG);
}
