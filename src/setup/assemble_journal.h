/* SPDX-License-Identifier: Apache-2.0 */
/* assemble_journal - opens the journal of an assembly.
 *
 * A journal has one owner, so a dry run must not open it.  Therefore this is
 * not a part of assemble(), which a dry run calls, too. */
#ifndef SETUP_ASSEMBLE_JOURNAL_H
#define SETUP_ASSEMBLE_JOURNAL_H

#include "base/err.h"

struct assembly;
struct journal;

/* Open the journal.  Waits up to 10 seconds until the previous worker releases
 * it.  Log what was found in it, add decoders for removed inputs to the
 * assembly, and let the outputs write their notes into it.  `slots` is the
 * number of datagrams that one recvmmsg can receive; died_of_other is as in
 * journal_opts.  NULL on failure; the caller closes it. */
struct journal *assemble_journal(struct assembly *, unsigned slots,
				 bool died_of_other, struct err *);

#endif
