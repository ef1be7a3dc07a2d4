/* SPDX-License-Identifier: Apache-2.0 */
/* places - whether two parts of the configuration would use one socket, one
 * port or one file.
 *
 * The kernel would refuse the second one, or each would destroy what the other
 * writes.  A dry run reports this too, because the check reads only the
 * configuration and the directories that it names: two paths are equal if they
 * have the same clean spelling, or the same name in the same directory. */
#ifndef SETUP_PLACES_H
#define SETUP_PLACES_H

#include <stddef.h>

#include "base/check.h"
#include "base/err.h"

struct assembly;
struct conf_section;

/* Compare the socket of the input `index`, whose section is `s`, with those of
 * the inputs before it. */
bool places_check_input(const struct assembly *, size_t index,
			const struct conf_section *s, struct err *) MUST_USE;

/* Compare the HTTP port with the inputs.  Compare the sockets, the journal and
 * Dead_Letter with each other, with Log_File and with the outputs' files.
 * Several outputs may write one file. */
bool places_check(const struct assembly *, struct err *) MUST_USE;

/* Reserve these paths, so that no tag leads to one (file/reserved_paths.h). */
void places_reserve(struct assembly *);

#endif
