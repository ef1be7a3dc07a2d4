/* SPDX-License-Identifier: Apache-2.0 */
/* input_conf - an [INPUT] section: the socket it wants and its decoder. */
#ifndef SETUP_INPUT_CONF_H
#define SETUP_INPUT_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "conf/conf_keys.h"

struct conf_section;
struct decoder;
struct input;
struct parser;
struct parser_set;

/* The keys of every input, and those of Name syslog. */
extern const struct conf_key_spec input_common_keys[];
extern const struct conf_key_spec input_syslog_keys[];

struct input_env { /* all borrowed */
	const struct parser_set *parsers;
	/* For an input without Parser; NULL: the built-in one. */
	struct parser *unix_parser;
	struct parser *network_parser;
	const struct input *inputs; /* the inputs before this one */
};

/* Read the input with the number `index`.  Fills *input, whose texts belong to
 * the configuration or the decoder.  NULL on failure. */
struct decoder *input_conf_read(struct conf_section *, size_t index,
				const struct input_env *, struct input *,
				struct err *);

#endif
