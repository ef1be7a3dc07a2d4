/* SPDX-License-Identifier: Apache-2.0 */
/* removed_input - decodes messages that wait in the journal or in a retired
 * socket when the configuration no longer has their input.
 *
 * The messages keep their tag, and the parser with the same name as before
 * decodes them.  If the configuration no longer has that parser, they are
 * decoded like messages of an input of the same mode without Parser.
 * Raw_Message_Key and Source_Address_Key are not added.  If no output matches
 * the tag, they are dropped and counted as unrouted, like any other record. */
#ifndef SETUP_REMOVED_INPUT_H
#define SETUP_REMOVED_INPUT_H

#include <stddef.h>

#include "base/check.h"
#include "base/err.h"

struct assembly;
struct journal;
struct journal_input;
struct retired;

/* Describe the nth input for the journal. */
void removed_input_describe(const struct assembly *, size_t n,
			    struct journal_input *);

/* Set the numbers of the retired sockets.  `inputs` describes the inputs of the
 * assembly.  A socket whose input is not among them gets the next number, a
 * decoder, and a description in `inputs`. */
bool removed_input_add_retired(struct assembly *, struct retired *,
			       struct journal_input *inputs,
			       struct err *) MUST_USE;

/* Add a decoder for each removed input of the journal after all others of the
 * assembly.  For an input that the journal does not describe, the first input's
 * tag and parser are used. */
bool removed_input_add_all(struct assembly *, const struct journal *,
			   struct err *) MUST_USE;

#endif
