/* SPDX-License-Identifier: Apache-2.0 */
/* commands - the sub-commands of sluiced, one row each.
 *
 * A new sub-command is a file in tool/ with a function of this shape, its
 * header, and one row in the table in commands.c.  The command line and --help
 * follow from the row. */
#ifndef TOOL_COMMANDS_H
#define TOOL_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "setup/assemble.h"

/* The values from the command line; all borrowed. */
struct command_args {
	const struct assemble_opts *assemble;
	const char *operand; /* the argument after the command, or NULL */
	uint32_t rate;	     /* --rate; 0: no limit */
	bool again;	     /* --again */
	bool is_verbose;     /* -v */
	bool is_plain;	     /* --plain */
};

struct command {
	const char *name;
	const char *usage; /* its arguments: "FILE -c FILE" */
	const char *help;  /* sentences, for --help */
	bool needs_operand;
	bool takes_operand;
	bool needs_conf; /* it needs -c FILE */
	/* Returns the exit code of the process.  It prints errors itself. */
	int (*run)(const struct command_args *);
};

/* The sub-command in this row of the table; NULL after the last row. */
const struct command *commands_at(size_t index);

/* NULL if there is no such command. */
const struct command *commands_find(const char *name);

#endif
