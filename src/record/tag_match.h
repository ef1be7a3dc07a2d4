/* SPDX-License-Identifier: Apache-2.0 */
/* tag_match - the Match and the Match_Regex of a filter or an output.
 *
 * A tag is taken when either of the two takes it.  As in Fluent Bit the regex
 * has to match at the start of the tag, one character at least, and need not
 * reach its end. */
#ifndef RECORD_TAG_MATCH_H
#define RECORD_TAG_MATCH_H

#include <stdbool.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct pattern;

struct tag_match { /* zero-initialised it takes nothing */
	char *text;
	struct span glob;      /* of the text; without one NULL */
	struct pattern *regex; /* or NULL */
	bool takes_all;	       /* `Match *` */
	bool is_plain;	       /* the text without a star, no regex */
};

/* Either text may be NULL.  On failure the regex is wrong, and there is
 * nothing to free. */
bool tag_match_init(struct tag_match *, const char *match,
		    const char *match_regex, struct err *) MUST_USE;
void tag_match_fini(struct tag_match *);

/* Either of the two texts was there. */
bool tag_match_is_set(const struct tag_match *);

/* For tag_match_takes, where there is more to do. */
bool tag_match_takes_slow(const struct tag_match *, struct span tag);

/* Each filter asks for each record, mostly with `Match *` or one name. */
static inline bool tag_match_takes(const struct tag_match *m, struct span tag)
{
	if (m->is_plain)
		return span_equals(m->glob, tag);
	return m->takes_all || tag_match_takes_slow(m, tag);
}

#endif
