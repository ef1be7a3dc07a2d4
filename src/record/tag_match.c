/* SPDX-License-Identifier: Apache-2.0 */
#include "record/tag_match.h"

#include <stdlib.h>

#include "base/mem.h"
#include "record/tag_glob.h"
#include "regex/pattern.h"

static bool regex_takes(struct pattern *regex, struct span tag)
{
	bool present;
	if (!pattern_matches(regex, tag))
		return false;
	/* The regex engine reports the leftmost match, so if a match starts at
	 * the first character, it is the reported one. */
	struct span match = pattern_group(regex, 0, &present);
	return match.ptr == tag.ptr && match.len > 0;
}

bool tag_match_init(struct tag_match *m, const char *match,
		    const char *match_regex, struct err *e)
{
	*m = (struct tag_match){0};
	if (match_regex != NULL) {
		m->regex = pattern_new(span_of(match_regex), e);
		if (m->regex == NULL)
			return false;
	}
	if (match != NULL) {
		m->text = mem_text(match);
		m->glob = span_of(m->text);
		m->takes_all = span_equals(m->glob, SPAN("*"));
		m->is_plain = m->regex == NULL && strchr(match, '*') == NULL;
	}
	return true;
}

void tag_match_fini(struct tag_match *m)
{
	pattern_free(m->regex);
	free(m->text);
	*m = (struct tag_match){0};
}

bool tag_match_is_set(const struct tag_match *m)
{
	return m->text != NULL || m->regex != NULL;
}

bool tag_match_takes_slow(const struct tag_match *m, struct span tag)
{
	return (m->text != NULL && tag_glob_matches(m->glob, tag)) ||
	       (m->regex != NULL && regex_takes(m->regex, tag));
}
