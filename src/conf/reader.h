/* SPDX-License-Identifier: Apache-2.0 */
/* reader - Fluent Bit's classic format to sections of keys, with @INCLUDE and
 * @SET. */
#ifndef CONF_READER_H
#define CONF_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/err.h"

struct conf;

/* Add the sections of the file and of what it includes; conf->dir is set. */
bool reader_file(struct conf *, const char *path, struct err *) MUST_USE;

/* Add the sections of the text; `name` stands for the file in messages. */
bool reader_text(struct conf *, const char *name, const char *text,
		 size_t length, struct err *) MUST_USE;

#endif
