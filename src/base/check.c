/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log_output.h"

void check_failed(const char *expr, const char *file, int line)
{
	char text[LOG_OUTPUT_LINE_BYTES_MAX];
	int n = snprintf(text, sizeof text,
			 "level=bug check=\"%s\" file=%s line=%d\n", expr, file,
			 line);
	log_output_flush();
	log_output_write_stderr(text, n < (int)sizeof text ? (size_t)n
							   : sizeof text - 1);
	_exit(EXIT_CODE_BUG);
}
