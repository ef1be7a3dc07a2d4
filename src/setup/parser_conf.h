/* SPDX-License-Identifier: Apache-2.0 */
/* parser_conf - turns [PARSER] sections into parsers. */
#ifndef SETUP_PARSER_CONF_H
#define SETUP_PARSER_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/err.h"
#include "conf/conf_keys.h"

struct conf;

struct conf_section;
struct parser_set;

/* The keys of [PARSER]. */
extern const struct conf_key_spec parser_conf_keys[];

/* The sections that have named parsers so far: a second parser with the same
 * name is an error.  Zero-initialised; the caller frees `sections`. */
struct parser_names {
	struct conf_section **sections;
	size_t count;
};

/* Read every [PARSER] of the file.  If names is NULL, names are not checked: a
 * later parser replaces an earlier one of the same name. */
bool parser_conf_read(struct parser_set *, const struct conf *,
		      struct parser_names *, struct err *) MUST_USE;

/* The same for a Parsers_File, which may have no other sections. */
bool parser_conf_read_file(struct parser_set *, const struct conf *,
			   struct parser_names *, struct err *) MUST_USE;

#endif
