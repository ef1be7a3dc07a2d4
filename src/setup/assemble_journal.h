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

/* Whether the sizes in the configuration fit together: the longest message must
 * fit into the journal.  Opens nothing. */
bool assemble_journal_check(const struct assembly *, struct err *) MUST_USE;

/* For a dry run and a reload: could the journal be created?  A missing
 * directory of the first socket is no error here. */
bool assemble_journal_try(const struct assembly *, struct err *) MUST_USE;

struct assemble_journal_opts {
	unsigned slots;	    /* datagrams that one recvmmsg can receive */
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
