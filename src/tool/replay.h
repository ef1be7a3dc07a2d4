/* SPDX-License-Identifier: Apache-2.0 */
/* replay - `sluiced replay FILE -c CONFIG [--rate N] [--again]`: send messages
 * again.
 *
 * FILE holds dead letters (file/dead_letter.h), or it is a journal that no
 * process uses, for example one that was set aside (journal/journal.h).  Each
 * message in it is sent, byte for byte, to the socket of the input from which
 * it came or, if the configuration has no such input, to the first one.  It
 * gets a new arrival time, which matters only if the message contains no time.
 *
 * If a process was killed or stopped before it had written a whole batch, the
 * journal has notes of what is in the output files.  A sluiced that opens the
 * journal continues after those bytes.  replay cannot: it sends whole messages
 * to another process.  So it refuses such a journal without --again.
 *
 * replay notes in a journal which messages it has sent, so a second replay
 * sends only the rest (journal/journal_replay.h).  --again sends all of them.
 *
 * FILE may also be a spill (file/spill.h), for example one that was set aside
 * as NAME.damaged.  Its lines are complete, so replay appends them to the file
 * for which they were rendered (file/spill_replay.h).
 *
 * If FILE is of another kind, replay sends nothing and prints one error.
 *
 * A journal or a spill that a running sluiced uses is refused, because sluiced
 * writes its lines itself.  No sluiced can open the journal meanwhile.
 *
 * Sending waits while the receiver's queue is full.  Only the part of FILE that
 * exists at the start is read: if a message still cannot become a line, the
 * running sluiced appends it to the same file.  replay does not delete FILE.
 * In a journal and in a spill, it saves how far it has come. */
#ifndef TOOL_REPLAY_H
#define TOOL_REPLAY_H

#include "tool/commands.h"

/* Prints how many messages were sent or how many lines were appended, and on
 * standard error the position in FILE and the reason for each unsent message.
 * Returns 0 if everything was sent or appended, EXIT_CODE_CONFIG if the
 * configuration is wrong, otherwise EXIT_CODE_SYSTEM. */
int replay(const struct command_args *);

#endif
