/* SPDX-License-Identifier: Apache-2.0 */
/* err - why setting something up failed, in one sentence.
 *
 * Whoever detects the failure writes the sentence; callers put context in
 * front with err_in; run/ prints it once.  The setters return false, so that
 * failing is one line: `return err_sys(e, errno, "open %s", path);` */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/check.h"

struct err {
	int exit_code; /* what the process ends with; every setter sets it */
	char text[1024];
};

/* "format": the configuration or an argument is wrong.  Always false. */
bool err_set(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);
bool err_vset(struct err *e, const char *format, va_list) PRINTF_LIKE(2, 0);

/* "format: strerror(errno_value)"; the exit code becomes EXIT_CODE_SYSTEM.
 * Always false. */
bool err_sys(struct err *e, int errno_value, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* Put "format: " in front of what is there.  Always false. */
bool err_in(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
