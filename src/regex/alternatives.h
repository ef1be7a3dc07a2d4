/* SPDX-License-Identifier: Apache-2.0 */
/* alternatives - halves a regular expression that is too large for PCRE2.
 *
 *     ^(?:a|b|c|d)$   becomes   ^(?:a|b)$   and   ^(?:c|d)$
 *
 * A text matches the expression if and only if it matches one of the halves.
 * The halves may match at another place or with other groups, so they are only
 * useful for a caller that needs no groups, only whether a text matches.
 *
 * An alternation is not halved in a repeated group, a lookaround or an atomic
 * group, where one repetition or one position may need both halves.  An
 * expression with a back reference, a call or a condition is not halved,
 * because the groups that it refers to may be in the other half. */
#ifndef REGEX_ALTERNATIVES_H
#define REGEX_ALTERNATIVES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/span.h"

/* Append the two halves of the expression, which is a text of ruby_regex, to
 * empty buffers.  Splits at the | that makes the larger half smallest.  False
 * if the expression cannot be halved; *why is then the rest of a sentence that
 * begins with "it", for example "refers to its groups".  The text of *why is
 * static. */
bool alternatives_halve(struct span text, struct buf halves[static 2],
			const char **why) MUST_USE;

#endif
