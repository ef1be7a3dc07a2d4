/* SPDX-License-Identifier: Apache-2.0 */
/* plugins - the list of outputs and inputs, and the keys of every section.
 *
 * To add an output, write a file that defines `const struct sink_ops
 * NAME_sink_ops` and add X(NAME) here.  Filters are listed in filter/kinds.h,
 * formats in output/kinds.h, sub-commands in tool/commands.c. */
#ifndef SETUP_PLUGINS_H
#define SETUP_PLUGINS_H

#include <stddef.h>

#include "conf/conf_keys.h"
#include "output/sink.h"

/* clang-format off */
#define OUTPUT_KINDS(X) \
	X(file)         \
	X(stdout)       \
	X(null)

#define X(name) extern const struct sink_ops name##_sink_ops;
OUTPUT_KINDS(X)
#undef X
/* clang-format on */

/* The outputs in the order of the list above, then NULL. */
extern const struct sink_ops *const output_kinds[];

/* An input: all of them receive syslog today. */
struct input_kind {
	const char *name; /* as the user writes it */
	const struct conf_key_spec *keys;
};

/* The inputs; a row without a name ends them. */
extern const struct input_kind input_kinds[];

/* Every table of keys: of a section, or of a plug-in in it.  False after the
 * last one. */
struct plugin_keys {
	const char *section; /* "OUTPUT" */
	const char *plugin;  /* "file", or NULL for the whole section */
	const char *format;  /* "csv", or NULL */
	const struct conf_key_spec *keys;
};
bool plugins_keys(size_t index, struct plugin_keys *out);

#endif
