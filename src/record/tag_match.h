/* SPDX-License-Identifier: Apache-2.0 */
/* tag_match - the Match and the Match_Regex of a filter or an output.
 *
 * A tag matches if either of the two matches it.  As in Fluent Bit, the regex
 * must match at the start of the tag and match at least one character; it need
 * not match to the end.  In Fluent Bit a regex of assertions alone, such as
 * ^(?!audit$), therefore matches no tag.  In sluiced it matches a tag for which
 * the assertions hold. */
#ifndef RECORD_TAG_MATCH_H
#define RECORD_TAG_MATCH_H

#include <stdbool.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct pattern;
struct search_cost;

struct tag_match { /* if zero-initialised, it matches nothing */
	char *text;
	struct span glob;      /* the text; NULL without Match */
	struct pattern *regex; /* or NULL */
	bool is_assertion;     /* the regex never matches a character */
	bool takes_all;	       /* `Match *` */
	bool is_plain;	       /* a Match without a star, no regex */
};

/* Either text may be NULL.  False with *e set if the regex is wrong; then there
 * is nothing to free. */
bool tag_match_init(struct tag_match *, const char *match,
		    const char *match_regex, struct err *) MUST_USE;
/* Free the memory that init allocated.  Harmless on a zero-initialised struct.
 */
void tag_match_fini(struct tag_match *);

/* Whether there is a Match or a Match_Regex. */
bool tag_match_is_set(const struct tag_match *);

/* The part of tag_match_takes that needs a call. */
bool tag_match_takes_slow(const struct tag_match *, struct span tag,
			  struct search_cost *);

/* Whether the tag matches; for *cost see regex/pattern.h.  Each filter calls
 * this for each record, mostly with `Match *` or one name, so these two cases
 * are inline. */
static inline bool tag_match_takes(const struct tag_match *m, struct span tag,
				   struct search_cost *cost)
{
	if (m->is_plain)
		return span_equals(m->glob, tag);
	return m->takes_all || tag_match_takes_slow(m, tag, cost);
}

#endif
