/* SPDX-License-Identifier: Apache-2.0 */
/* journal_show - `sluiced journal [-v] FILE`: what is in a journal.
 *
 *     version: 2
 *     ...
 *     pending: 1
 *     seq=7 time=2026-11-21T02:50:00.123456789Z input=0 bytes=812 [text="..."]
 *
 * First what it is, one `key: value` a line; then the messages that are not
 * yet settled, oldest first.  `input` is the number of the [INPUT].  Reads
 * only, also while a sluiced works on it: then the two parts may be of two
 * moments. */
#ifndef TOOL_JOURNAL_SHOW_H
#define TOOL_JOURNAL_SHOW_H

#include <stdbool.h>

/* With `verbose`, the messages' text too.  0, or EXIT_CODE_SYSTEM when it
 * cannot be read or is damaged: why is said on standard error, and what was
 * good before is printed. */
int journal_show(const char *path, bool verbose);

#endif
