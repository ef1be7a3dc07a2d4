/* SPDX-License-Identifier: Apache-2.0 */
/* keys - `sluiced keys [--plain] [NAME]`: which keys a configuration may have.
 *
 * Lists every key of every section and plug-in, from the tables that the
 * readers of the configuration use themselves.  With --plain, one key per line,
 * fields separated by tabs: section, plug-in, format, key, type, default, and
 * "ignored" for keys of Fluent Bit that have no effect; "-" stands for nothing.
 */
#ifndef TOOL_KEYS_H
#define TOOL_KEYS_H

#include "tool/commands.h"

/* 0, or EXIT_CODE_USAGE if no section, plug-in or format is called NAME; that
 * is printed on standard error. */
int keys_list(const struct command_args *);

#endif
