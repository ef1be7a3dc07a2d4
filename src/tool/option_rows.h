/* SPDX-License-Identifier: Apache-2.0 */
/* option_rows - the table of all options of the command line.
 *
 * Reading (options.h) and --help (help.h) follow from it.  It has all options
 * of Fluent Bit, also those that sluiced does not support. */
#ifndef TOOL_OPTION_ROWS_H
#define TOOL_OPTION_ROWS_H

#include <stddef.h>

/* In place of a letter, for options that have none. */
enum {
	OPTION_NO_LETTER = 256, /* the first of them */
	OPTION_RATE = OPTION_NO_LETTER,
	OPTION_PLAIN,
	OPTION_SUPERVISOR,
	OPTION_OTHERS, /* and above */
};

enum { OPTION_ROWS_MAX = 64 };

/* What follows `sluiced` without a sub-command. */
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
	const char *command; /* the only sub-command that it is for, or NULL */
	const char *refused; /* why this option of Fluent Bit is an error */
};

/* NULL after the last one. */
const struct option_row *option_rows_at(size_t index);

/* The first row with that letter, which is not another name; NULL if there is
 * none. */
const struct option_row *option_rows_find(int letter);

#endif
