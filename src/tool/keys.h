/* SPDX-License-Identifier: Apache-2.0 */
/* keys - `sluiced keys [--plain] [NAME]`: lists the keys of the configuration.
 *
 * Lists every key of every section and plug-in, from the tables that the
 * readers of the configuration use themselves.  With --plain, one key per line,
 * fields separated by tabs: section, plug-in, format, key, type, default or
 * "required", and "ignored" for keys of Fluent Bit that have no effect; "-" is
 * an empty field. */
#ifndef TOOL_KEYS_H
#define TOOL_KEYS_H

#include "tool/commands.h"

/* Returns 0.  If no section, plug-in or format is called NAME, prints an error
 * on standard error and returns EXIT_CODE_USAGE. */
int keys_list(const struct command_args *);

#endif
