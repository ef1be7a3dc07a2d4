/* SPDX-License-Identifier: Apache-2.0 */
/* yaml - Fluent Bit's YAML format to the same sections of keys.
 *
 *     env: {NAME: value}           @SET NAME=value
 *     includes: [more/a.yaml]      @INCLUDE more/a.yaml
 *     service: {flush: 1}          [SERVICE]
 *     parsers: [{name: p}]         [PARSER]
 *     pipeline:
 *       inputs: [{name: syslog}]   [INPUT], and so for filters and outputs
 *
 * A key may have a list of values: the key comes once for each.  Keys may be
 * written in camelCase.  A value's type is that of its consumer: `5`, `"5"`
 * and `5` in a block are the same text. */
#ifndef CONF_YAML_H
#define CONF_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/err.h"

struct conf;

/* Whether a file of that name is YAML: .yaml or .yml, any case. */
bool yaml_is_name(const char *path);

/* Add the sections of the file and of what it includes; conf->dir is set. */
bool yaml_file(struct conf *, const char *path, struct err *) MUST_USE;

/* Add the sections of the text; `name` stands for the file in messages. */
bool yaml_text(struct conf *, const char *name, const char *text, size_t length,
	       struct err *) MUST_USE;

#endif
