/* SPDX-License-Identifier: Apache-2.0 */
/* pattern - regular expressions in Ruby's syntax (Onigmo's, as Fluent Bit
 * reads them), matched by PCRE2 with JIT.
 *
 * What differs is translated: ^ and $ match at every line, \h is a hex digit,
 * a class may nest ([(?<pid>[0-9]+)] is ONE class), with a named group the
 * plain ones do not capture, a name may occur twice.  What cannot be
 * translated is an error.  A character of UTF-8 is one, where that makes a
 * difference; in text that is not UTF-8 each byte is: a cut or broken sequence
 * never stops a match.
 * A match gives up after a bounded number of steps. */
#ifndef REGEX_PATTERN_H
#define REGEX_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct pattern;

/* text: with or without slashes around it ("/re/").  NULL on failure. */
struct pattern *pattern_new(struct span text, struct err *);
void pattern_free(struct pattern *);

/* Search anywhere in the text.  After true, pattern_group is valid until the
 * next match or the end of the text's life. */
bool pattern_matches(struct pattern *, struct span text) MUST_USE;

/* The last pattern_matches that returned false gave up at the limit. */
bool pattern_gave_up(const struct pattern *);

/* Groups: 0 is the whole match, then 1 .. pattern_groups().  With named
 * groups these, numbered as they stand.  *present is false for one that took
 * no part. */
size_t pattern_groups(const struct pattern *);
struct span pattern_group(const struct pattern *, size_t index, bool *present);

/* The name of group 1 .. pattern_groups(), empty for a plain one. */
struct span pattern_group_name(const struct pattern *, size_t index);

#endif
