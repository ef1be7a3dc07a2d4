/* SPDX-License-Identifier: Apache-2.0 */
/* journal_inputs - which input an entry belongs to, across configurations.
 *
 * An input has a number: its place in the configuration.  A reload may change
 * it, so entries hold a row of a table in the journal's header instead:
 *
 *     row 0: identity | check | tag      <- number 1 of this configuration
 *     row 1: identity | check | tag      <- removed; entries may still name it
 *     row 2: identity | check | tag      <- number 0 of this configuration
 *
 * Opening binds the inputs of the configuration to rows: an input keeps the row
 * with its identity; a new one gets a row that no uncommitted entry names.  A
 * row is written before any entry names it and is not changed while one does,
 * so a killed process leaves every row in use intact.
 *
 * A journal from before this table has no rows; its entries hold numbers.  Such
 * a journal gets row N for number N.  Without inputs, entries hold what they
 * were given (tools and tests). */
#ifndef JOURNAL_JOURNAL_INPUTS_H
#define JOURNAL_JOURNAL_INPUTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "journal/journal.h"
#include "journal/journal_format.h"

/* The rows of the table that this configuration uses, and the other way. */
struct journal_inputs {
	size_t count; /* 0: no translation */
	uint8_t row_of[JOURNAL_INPUT_ROWS];
	uint8_t number_of[JOURNAL_INPUT_ROWS]; /* JOURNAL_NO_INPUT: removed */
};

enum { JOURNAL_NO_INPUT = 255 };

/* Bind the inputs.  False if every row is named by uncommitted entries of
 * removed inputs. */
bool journal_inputs_bind(struct journal_inputs *, struct journal_view *,
			 const struct journal_opts *, struct err *) MUST_USE;

/* Copy the table into another journal, which is empty. */
void journal_inputs_copy(struct journal_view *to,
			 const struct journal_view *from);

/* The `source` of an entry: from number to row, and back.  The mark of
 * peer_address.h is kept.  An entry of a removed input gets the source
 * JOURNAL_SOURCE_REMOVED and its tag. */
uint16_t journal_inputs_row(const struct journal_inputs *, uint16_t source);
void journal_inputs_translate(const struct journal_inputs *,
			      const struct journal_view *,
			      struct journal_entry *);

/* For reading without a configuration: the identity of the entry's input, 0 if
 * the table does not know it. */
uint64_t journal_inputs_identity(const struct journal_view *, uint16_t source);

#endif
