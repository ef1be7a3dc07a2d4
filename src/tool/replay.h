/* SPDX-License-Identifier: Apache-2.0 */
/* replay - `sluiced replay FILE -c CONFIG [--rate N]`: send them again.
 *
 * FILE is one of dead letters (file/dead_letter.h) or a journal that was set
 * aside (journal/journal.h).  Each message in it goes, byte for byte, to the
 * socket of the configuration's input of the same name, or, where there is
 * none now, to the first one (tool/target.h).  It arrives anew: with another
 * arrival time, which only shows where the message has no time of its own.
 *
 * Sending waits while the receiver's queue is full.  FILE is read up to where
 * it ended at the start, since a message that still cannot become a line is
 * put behind it again, and is neither changed nor deleted. */
#ifndef TOOL_REPLAY_H
#define TOOL_REPLAY_H

#include <stdint.h>

struct replay_opts {
	const char *path; /* FILE */
	const char *conf_path;
	uint32_t rate; /* messages a second at most; 0: as fast as it goes */
};

/* Prints how many were sent, and on standard error FILE:LINE and why for each
 * line that is no dead letter or could not be sent.  0 when all were sent,
 * EXIT_CODE_SYSTEM when not, EXIT_CODE_CONFIG when it could not begin. */
int replay(const struct replay_opts *);

#endif
