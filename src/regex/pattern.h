/* SPDX-License-Identifier: Apache-2.0 */
/* pattern - regular expressions in Ruby's syntax (Onigmo's, as Fluent Bit reads
 * them), matched by PCRE2 with JIT.
 *
 * Differences are translated: ^ and $ match at every line, \h is a hex digit,
 * classes may nest ([(?<pid>[0-9]+)] is ONE class), plain groups do not capture
 * if there are named groups, and a name may occur twice.  An expression that
 * cannot be translated is an error.  Each valid sequence of UTF-8 is one
 * character.  Each other byte is one too, which [^x] and a dot match, so that a
 * truncated or invalid sequence never prevents a match.
 *
 * The number of steps of a match is limited: at one position to 65,536 and 256
 * for each byte of the text, at most a million.  If a match can start anywhere,
 * each position has a quarter of that, and less for long texts, so that a match
 * takes at most about 0.2 s.  The parts of an expression that was split share a
 * million at each position, whatever the length of the text (fewer for long
 * texts).  A step may try all alternatives, and a step with a back reference
 * or a lookaround may read the whole text.  With thousands of alternatives, or
 * with one of these within a repetition, a match may take seconds; the watchdog
 * (process/watchdog.h) limits that.  For texts longer than 4 KiB, the CPU time
 * of a match is limited, too (search_steps.h).  A match that reaches the limit
 * ends as if the text did not match; see pattern_hit_limit. */
#ifndef REGEX_PATTERN_H
#define REGEX_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct pattern;
struct search_cost;

/* `text` may have slashes around it, as in "/re/i".  NULL on failure.  PCRE2
 * compiles an expression to at most 64 KiB.  If it would be larger, the error
 * ends with `advice`, which says what to write instead. */
struct pattern *pattern_new(struct span text, const char *advice, struct err *);

/* The same for a caller that uses no group, not even group 0.  An expression
 * that is too large for PCRE2 is split at its alternatives, so it may have
 * thousands of alternatives.  The parts share one limit of steps, so together
 * they take at most as long as one expression. */
struct pattern *pattern_new_groupless(struct span text, const char *advice,
				      struct err *);

/* NULL is allowed. */
void pattern_free(struct pattern *);

/* Search anywhere in the text.  If true, the groups are valid until the next
 * match, as long as the text lives.  All searches of a message share *cost, so
 * that the expensive ones together take at most about 0.15 s, plus the time of
 * the last one.  NULL if the search belongs to no message. */
bool pattern_matches(struct pattern *, struct span text,
		     struct search_cost *cost) MUST_USE;

/* Whether the last pattern_matches returned false because it reached the limit
 * of steps or of CPU time, or because it was expensive after the searches of
 * its message had used up their CPU time (search_cost.h). */
bool pattern_hit_limit(const struct pattern *);

/* Group 0 is the whole match; 1 to pattern_groups() are the groups, or the
 * named groups if there are any, in their order.  *present is false for a group
 * that took no part in the match. */
size_t pattern_groups(const struct pattern *);
struct span pattern_group(const struct pattern *, size_t index, bool *present);

/* The name of group 1 to pattern_groups(); empty for a plain group. */
struct span pattern_group_name(const struct pattern *, size_t index);

#endif
