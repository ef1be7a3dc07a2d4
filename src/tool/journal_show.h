/* SPDX-License-Identifier: Apache-2.0 */
/* journal_show - `sluiced journal [-v] FILE`: what is in a journal.
 *
 *     version: 2
 *     ...
 *     pending: 1
 *     seq=7 time=2026-11-21T02:50:00.123456789Z input=0 bytes=812 [text="..."]
 *
 * A summary comes first, one `key: value` per line.  The uncommitted messages
 * follow, oldest first.  `input` is the row of the input in the journal's table
 * (journal/journal.h).  The file is only read, even while a sluiced works on
 * it; then the summary and the messages may differ by what happened between. */
#ifndef TOOL_JOURNAL_SHOW_H
#define TOOL_JOURNAL_SHOW_H

#include "tool/commands.h"

/* With -v, the text of the messages, too.  0, or EXIT_CODE_SYSTEM if the file
 * cannot be read or is damaged: the reason is printed on standard error, and
 * the messages before the damage on standard output. */
int journal_show(const struct command_args *);

#endif
