/* SPDX-License-Identifier: Apache-2.0 */
/* format_delimiter - the delimiters that Fluent Bit knows by name. */
#ifndef OUTPUT_FORMAT_DELIMITER_H
#define OUTPUT_FORMAT_DELIMITER_H

#include <stdbool.h>

#include "base/check.h"
#include "base/err.h"

struct conf_section;

/* Read a key with the value `\t`, tab, space or comma.  As in Fluent Bit, any
 * other value leaves the default in *out; a warning is logged. */
bool format_delimiter_get(struct conf_section *, const char *key, char *out,
			  struct err *) MUST_USE;

#endif
