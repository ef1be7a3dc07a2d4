/* SPDX-License-Identifier: Apache-2.0 */
/* option_rows - the table of all options of the command line.
 *
 * options.c reads the command line with it, and help.c prints it.  It has all
 * options of Fluent Bit, also those that sluiced does not support. */
#ifndef TOOL_OPTION_ROWS_H
#define TOOL_OPTION_ROWS_H

#include <stdbool.h>
#include <stddef.h>

/* Values for `letter` of options that have no letter. */
enum {
	OPTION_NO_LETTER = 256, /* the lowest of these values */
	OPTION_RATE = OPTION_NO_LETTER,
	OPTION_AGAIN,
	OPTION_PLAIN,
	OPTION_SUPERVISOR,
	OPTION_OTHERS, /* this and higher values: options that are refused */
};

enum { OPTION_ROWS_MAX = 64 };

/* The arguments of `sluiced` without a sub-command. */
#define OPTION_USAGE "-c FILE [OPTION...]"

/* Either `help` or `refused` is set.  Only a row with the letter of the row
 * before it has neither: it is another name of that option. */
struct option_row {
	int letter;
	const char *name;
	const char *argument; /* NULL: none */
	const char *help;
	const char *key;     /* the key of [SERVICE] that it sets, or NULL */
	const char *value;   /* the value of the key; NULL: the argument */
	const char *command; /* the only sub-command that takes it, or NULL */
	bool no_command;     /* no sub-command takes it */
	const char *refused; /* why this option of Fluent Bit is an error */
};

/* The row with that index; NULL after the last row. */
const struct option_row *option_rows_at(size_t index);

/* The first row with that letter, which is not another name; NULL if there is
 * none. */
const struct option_row *option_rows_find(int letter);

#endif
