/* SPDX-License-Identifier: Apache-2.0 */
/* match_check - warns of filters and outputs that never receive a record.
 *
 * The possible tags are the tags of the inputs and the tags that filters such
 * as rewrite_tag give to records.  Of a tag with a "$", only the part before
 * the "$" is known.  A Match that matches no possible tag is nearly always a
 * spelling mistake, which no later error would reveal. */
#ifndef SETUP_MATCH_CHECK_H
#define SETUP_MATCH_CHECK_H

#include <stdbool.h>

struct conf;
struct conf_section;

/* Whether there is one input and one output, which then needs no Match.  A
 * filter that emits copies of records, such as rewrite_tag, counts as an input,
 * as in Fluent Bit. */
bool match_is_only_route(const struct conf *);

/* The tag_roots of sink.h: of each tag with a "$" that a filter can make, the
 * part up to the last '/' before the "$".  NULL follows the last one. */
char **match_tag_roots(const struct conf *);
void match_tag_roots_free(char **roots);

/* The same for the tags that this output may receive. */
char **match_tag_roots_of(const struct conf *, struct conf_section *output);

/* Whether the output may receive a tag with a "$" that a filter can make and
 * that begins with no such directory. */
bool match_has_rootless_tags(const struct conf *, struct conf_section *output);

/* Log a warning for each Match that matches no possible tag, and for each
 * output without Match.  (The chain warns of filters without Match.) */
void match_check(const struct conf *);

#endif
