/* SPDX-License-Identifier: Apache-2.0 */
#include "record/tag_match.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/tag_glob.h"
#include "regex/pattern.h"

static bool regex_takes(const struct tag_match *m, struct span tag,
			struct search_cost *cost)
{
	bool present;
	if (!pattern_matches(m->regex, tag, cost))
		return false;
	/* The regex engine reports the leftmost match, so if a match starts at
	 * the first character, it is the reported one. */
	struct span match = pattern_group(m->regex, 0, &present);
	return match.ptr == tag.ptr && (match.len > 0 || m->is_assertion);
}

/* The text after the closing bracket of the group with which `text` begins;
 * NULL if there is none.  A bracket in a class or after a backslash does not
 * count. */
static const char *skip_group(const char *text)
{
	int depth = 0;
	bool is_class = false;
	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] != '\0')
			text++;
		else if (*text == '[' || *text == ']')
			is_class = *text == '[';
		else if (*text == '(' && !is_class)
			depth++;
		else if (*text == ')' && !is_class && --depth == 0)
			return text + 1;
	}
	return NULL;
}

/* Whether the regex consists only of lookarounds and anchors, like ^(?!a$|b$).
 */
static bool is_assertion(const char *regex)
{
	static const char *const openings[] = {"(?=", "(?!", "(?<=", "(?<!"};
	bool has_lookaround = false;
	while (regex != NULL && *regex != '\0') {
		bool is_lookaround = false;
		for (size_t i = 0; i < sizeof openings / sizeof *openings; i++)
			is_lookaround |= strncmp(regex, openings[i],
						 strlen(openings[i])) == 0;
		if (!is_lookaround && *regex != '^' && *regex != '$')
			return false;
		regex = is_lookaround ? skip_group(regex) : regex + 1;
		has_lookaround |= is_lookaround;
	}
	return has_lookaround;
}

bool tag_match_init(struct tag_match *m, const char *match,
		    const char *match_regex, struct err *e)
{
	*m = (struct tag_match){0};
	if (match_regex != NULL) {
		m->regex =
			pattern_new(span_of(match_regex),
				    "write one section for each part of it", e);
		if (m->regex == NULL)
			return false;
		m->is_assertion = is_assertion(match_regex);
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

bool tag_match_takes_slow(const struct tag_match *m, struct span tag,
			  struct search_cost *cost)
{
	return (m->text != NULL && tag_glob_matches(m->glob, tag)) ||
	       (m->regex != NULL && regex_takes(m, tag, cost));
}
