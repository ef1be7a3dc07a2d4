/* SPDX-License-Identifier: Apache-2.0 */
/* journal_show - `sluiced journal [-v] FILE`: shows the contents of a journal.
 *
 *     version: 2
 *     ...
 *     pending: 1
 *     seq=7 time=2026-11-21T02:50:00.123456789Z input=syslog.0 bytes=812
 *
 * A summary comes first, one `key: value` per line.  The uncommitted messages
 * follow, oldest first.  `input` is the name of the input, or only its number
 * if the journal does not describe it (journal/journal.h).  `from` follows if
 * the peer address is known, and with -v `text`, as a JSON string.
 *
 * The command only reads the file, so a running sluiced may use the file at the
 * same time.  In that case, the list may not agree with the summary. */
#ifndef TOOL_JOURNAL_SHOW_H
#define TOOL_JOURNAL_SHOW_H

#include "tool/commands.h"

/* Returns 0, or EXIT_CODE_SYSTEM if the file cannot be read or is damaged; the
 * reason is printed on standard error.  If the file is damaged, the messages in
 * front of the damage are printed first, on standard output. */
int journal_show(const struct command_args *);

#endif
