/* SPDX-License-Identifier: Apache-2.0 */
#include "match_unit.h"

#include <string.h>

#include "base/buf.h"
#include "unit.h"

struct pattern *match_pattern(const char *regex)
{
	struct err e = {0};
	struct pattern *p = pattern_new(span_of(regex), "", &e);
	if (p == NULL)
		fail_msg("%s: %s", regex, e.text);
	return p;
}

void check_match(const char *regex, struct span text, const char *expected)
{
	struct pattern *p = match_pattern(regex);
	struct buf got = {0};
	if (!pattern_matches(p, text, NULL)) {
		buf_put_text(&got, pattern_hit_limit(p) ? "limit" : "no");
	} else {
		for (size_t i = 0; i <= pattern_groups(p); i++) {
			bool present;
			struct span group = pattern_group(p, i, &present);
			buf_put_text(&got, i > 0 ? "|" : "");
			buf_put_span(&got, present ? group : SPAN("-"));
		}
	}
	if (strcmp(buf_text(&got), expected) != 0)
		fail_msg("%s on %.*s: %s, expected %s", regex, (int)text.len,
			 text.ptr, buf_text(&got), expected);
	buf_fini(&got);
	pattern_free(p);
}

void check_matches(const struct match_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_match(cases[i].regex, span_of(cases[i].text),
			    cases[i].expected);
}
