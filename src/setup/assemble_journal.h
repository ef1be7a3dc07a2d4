/* SPDX-License-Identifier: Apache-2.0 */
/* assemble_journal - opens the journal of an assembly.
 *
 * A journal has one owner, so a dry run must not open it.  Therefore this is
 * not a part of assemble(), which a dry run calls, too; only
 * assemble_journal_check is. */
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

/* Open the journal.  Waits up to 10 seconds until the previous worker releases
 * it.  Log what was found in it, add decoders for removed inputs to the
 * assembly, and let the outputs write their notes into it.  If the journal has
 * room only for shorter messages than configured (journal.h), the inputs'
 * message_bytes_max becomes less.  `slots` is the number of datagrams that one
 * recvmmsg can receive; died_of_other is as in journal_opts.  Sets the numbers
 * of the retired sockets.  NULL on failure; the caller closes it. */
struct journal *assemble_journal(struct assembly *, unsigned slots,
				 bool died_of_other, struct retired *,
				 struct err *);

#endif
