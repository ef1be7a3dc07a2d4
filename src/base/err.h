/* SPDX-License-Identifier: Apache-2.0 */
/* err - why setting something up failed, in one sentence.
 *
 * The function that detects the failure writes the sentence, its callers put
 * context in front with err_in, and process/ or tool/ prints it once.  The
 * setters return false, so that failing takes one line: `return err_sys(e,
 * errno, "open %s", path);` */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/check.h"

struct err {
	int exit_code; /* of the process; every setter sets it */
	char text[1024];
};

/* Set the text; the exit code becomes EXIT_CODE_CONFIG.  Always false. */
bool err_set(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);
bool err_vset(struct err *e, const char *format, va_list) PRINTF_LIKE(2, 0);

/* Set "text: strerror(errno_value)"; the exit code becomes EXIT_CODE_SYSTEM.
 * Always false. */
bool err_sys(struct err *e, int errno_value, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* Put "text: " in front of the sentence.  Always false. */
bool err_in(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
