/* SPDX-License-Identifier: Apache-2.0 */
/* assemble_journal - opens the journal of an assembly.
 *
 * A journal has one owner, so a dry run must not open it.  Therefore
 * assemble(), which a dry run calls, too, does not open the journal: it only
 * calls assemble_journal_check.  A dry run and a reload call
 * assemble_journal_try. */
#ifndef SETUP_ASSEMBLE_JOURNAL_H
#define SETUP_ASSEMBLE_JOURNAL_H

#include <stdbool.h>

#include "base/check.h"
#include "base/err.h"

struct assembly;
struct journal;
struct retired;

enum { ASSEMBLE_JOURNAL_SLOTS = 64 }; /* datagrams for one recvmmsg */

/* Whether the sizes in the configuration fit together: the longest message must
 * fit into the journal.  Also whether the file at its path, if there is one, is
 * a journal; any file is good if the last worker had its journal there.
 * Creates nothing. */
bool assemble_journal_check(const struct assembly *, struct err *) MUST_USE;

/* For a dry run and a reload: could the journal be opened or created now?
 * A directory of the first socket in which it cannot be created is no error
 * here.  For a reload, another sluiced that has the journal is one. */
bool assemble_journal_try(const struct assembly *, bool is_reload,
			  struct err *) MUST_USE;

struct assemble_journal_opts {
	bool died_of_other; /* as in journal_opts */
	bool keeps_file;    /* the same */
	int fd; /* the previous worker's journal, or -1; taken over or closed */
	struct retired *retired; /* their numbers are set */
};

/* Open the journal.  If another sluiced has it, wait for up to 10 seconds.  Log
 * what was found in it, add decoders for removed inputs to the assembly, and
 * let the outputs write their notes into it.  If the journal has room only for
 * shorter messages than configured (journal.h), the inputs' message_bytes_max
 * becomes less.  NULL on failure.  The caller closes the journal. */
struct journal *assemble_journal(struct assembly *,
				 const struct assemble_journal_opts *,
				 struct err *);

/* Set the functions by which the outputs write their notes.  They work once
 * assemble_journal() has opened the journal. */
void assemble_journal_notes(struct assembly *);

#endif
