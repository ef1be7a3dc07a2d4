/* SPDX-License-Identifier: Apache-2.0 */
/* classic_format - reads Fluent Bit's classic format, with @INCLUDE and @SET.
 */
#ifndef CONF_CLASSIC_FORMAT_H
#define CONF_CLASSIC_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/err.h"

struct conf;

/* Add the sections of the file and of the files that it includes.  conf->dir
 * must be set. */
bool classic_format_file(struct conf *, const char *path,
			 struct err *) MUST_USE;

/* Add the sections of the text; `name` replaces the path in messages. */
bool classic_format_text(struct conf *, const char *name, const char *text,
			 size_t length, struct err *) MUST_USE;

#endif
