/* SPDX-License-Identifier: Apache-2.0 */
/* parser_conf - [PARSER] sections to parsers. */
#ifndef SETUP_PARSER_CONF_H
#define SETUP_PARSER_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/err.h"

struct conf;
struct conf_section;
struct parser_set;

/* Which sections named the parsers so far: a name twice is an error.
 * Zero-initialised; the caller frees `sections`. */
struct parser_names {
	struct conf_section **sections;
	size_t count;
};

/* Read every [PARSER] of the file.  names may be NULL. */
bool parser_conf_read(struct parser_set *, const struct conf *,
		      struct parser_names *, struct err *) MUST_USE;

/* The same of a Parsers_File, where nothing else may stand. */
bool parser_conf_read_file(struct parser_set *, const struct conf *,
			   struct parser_names *, struct err *) MUST_USE;

#endif
