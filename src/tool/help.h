/* SPDX-License-Identifier: Apache-2.0 */
/* help - the text of `sluiced --help`. */
#ifndef TOOL_HELP_H
#define TOOL_HELP_H

#include <stdio.h>

/* Print it in lines of at most 80 columns. */
void help_put(FILE *);

#endif
