/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_format - reads Fluent Bit's YAML format into the same sections of keys.
 *
 *     env: {NAME: value}           @SET NAME=value
 *     includes: [more/a.yaml]      @INCLUDE more/a.yaml
 *     service: {flush: 1}          [SERVICE]
 *     parsers: [{name: p}]         [PARSER]
 *     pipeline:
 *       inputs: [{name: syslog}]   [INPUT], and so for filters and outputs
 *
 * A key with a list of values becomes one key for each value.  Keys may be
 * written in camelCase.  A value has the type that its reader asks for: `5` and
 * `"5"` are the same text. */
#ifndef CONF_YAML_FORMAT_H
#define CONF_YAML_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/err.h"

struct conf;

/* Whether a file of that name is YAML: .yaml or .yml, ignoring case. */
bool yaml_format_is_name(const char *path);

/* Add the sections of the file and of the files that it includes.  conf->dir
 * must be set. */
bool yaml_format_file(struct conf *, const char *path, struct err *) MUST_USE;

/* Add the sections of the text; `name` replaces the path in messages. */
bool yaml_format_text(struct conf *, const char *name, const char *text,
		      size_t length, struct err *) MUST_USE;

#endif
