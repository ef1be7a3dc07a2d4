/* SPDX-License-Identifier: Apache-2.0 */
/* journal_replay - sends the messages of a journal that no process owns.
 *
 * After each message, the journal's header notes how far the replay has come
 * (struct journal_replayed).  So a second replay sends only the messages that
 * are left, and a sluiced that opens the journal later drops the messages that
 * were sent (journal_entry.is_replayed).  If the replay is killed, at most one
 * message is sent twice.  After a power cut, or if the file cannot be written,
 * more messages may be.
 *
 * A message that cannot be sent is left for the next replay.  The header has
 * room for JOURNAL_UNSENT_MAX such messages; at the next one, the replay ends.
 *
 * The file stays locked until journal_replay_close, so no sluiced can open it
 * meanwhile.  Nothing else in it is changed. */
#ifndef JOURNAL_JOURNAL_REPLAY_H
#define JOURNAL_JOURNAL_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "journal/journal.h"

struct journal_replay;

/* Open and lock the journal.  With `again`, all messages are sent; without it,
 * those that were not yet sent.  NULL, with *e set, if it is in use, or if its
 * header is damaged.  Without `again`, also if lines of the messages may be in
 * the output files already. */
struct journal_replay *journal_replay_open(const char *path, bool again,
					   struct err *e);

/* The errno for which the last note failed, or why the file cannot be written;
 * otherwise 0. */
int journal_replay_note_error(const struct journal_replay *);

enum journal_sent {
	JOURNAL_SENT,
	JOURNAL_UNSENT,	     /* this message cannot be sent */
	JOURNAL_UNREACHABLE, /* nor can the next ones */
};

typedef enum journal_sent (*journal_send_fn)(void *,
					     const struct journal_entry *,
					     const struct journal_input *);

struct journal_replay_result {
	uint64_t sent_before; /* by earlier replays; not sent now */
	uint64_t left;	      /* messages after the replay has ended early */
};

/* Send each message.  False with *e set if messages of the journal are damaged,
 * or if too many messages cannot be sent. */
bool journal_replay_send(struct journal_replay *, journal_send_fn, void *data,
			 struct journal_replay_result *,
			 struct err *e) MUST_USE;

/* NULL is allowed. */
void journal_replay_close(struct journal_replay *);

#endif
