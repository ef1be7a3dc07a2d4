/* SPDX-License-Identifier: Apache-2.0 */
/* format_delimiter - the character between columns. */
#ifndef OUTPUT_FORMAT_DELIMITER_H
#define OUTPUT_FORMAT_DELIMITER_H

#include <stdbool.h>

#include "base/check.h"
#include "base/err.h"

struct conf_section;

/* Read a key with the value `\t`, tab, space or comma, which Fluent Bit knows,
 * or any printable ASCII character but the double quote.  Without the key, *out
 * stays unchanged. */
bool format_delimiter_get(struct conf_section *, const char *key, char *out,
			  struct err *) MUST_USE;

#endif
