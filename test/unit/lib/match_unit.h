/* SPDX-License-Identifier: Apache-2.0 */
/* What a regular expression matches in a text. */
#ifndef UNIT_MATCH_UNIT_H
#define UNIT_MATCH_UNIT_H

#include <stddef.h>

#include "base/span.h"
#include "regex/pattern.h"

struct match_case {
	const char *regex, *text, *expected;
};

/* The compiled expression.  The test fails if it has an error. */
struct pattern *match_pattern(const char *regex);

/* Expected is "0|1|-": the groups, with - for one that took no part; or "no" if
 * the regex does not match; or "limit". */
void check_match(const char *regex, struct span text, const char *expected);

void check_matches(const struct match_case *cases, size_t count);

#define CHECK_MATCHES(cases) check_matches(cases, COUNT(cases))

#endif
