/* SPDX-License-Identifier: Apache-2.0 */
/* options - reads the command line.
 *
 *     sluiced -c FILE [OPTION...]
 *     sluiced COMMAND [OPERAND] [OPTION...]
 *
 * The options are in option_rows.h, the sub-commands in commands.h.  Many
 * options of Fluent Bit set a key of [SERVICE].  For an option of Fluent Bit
 * that sluiced does not support, the error says why. */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include <stdbool.h>

#include "base/check.h"
#include "setup/assemble.h"
#include "tool/commands.h"

struct err;

enum options_action {
	OPTIONS_COLLECT, /* no sub-command */
	OPTIONS_COMMAND,
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

struct options {
	enum options_action action;
	struct assemble_opts assemble; /* owns .options */
	const char *workdir;	       /* or NULL */
	bool no_supervisor;
	const struct command *command; /* of OPTIONS_COMMAND */
	struct command_args args;      /* for command->run */
};

/* Read the command line.  The texts are borrowed from argv, which is reordered
 * so that the operands come last.  args points into *o, so do not copy *o.
 *
 * False with *e set to EXIT_CODE_USAGE and a sentence that names the mistake
 * and what would be right.  In either case, call options_fini, which frees the
 * memory that *o owns. */
bool options_read(struct options *o, int argc, char **argv,
		  struct err *e) MUST_USE;
void options_fini(struct options *);

#endif
