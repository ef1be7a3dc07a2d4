/* SPDX-License-Identifier: Apache-2.0 */
/* wildcard - names of fields in a configuration: `pid`, `http_*`, `*`.
 *
 * A * at the end stands for the rest of the name; elsewhere it is an ordinary
 * character. */
#ifndef FILTER_WILDCARD_H
#define FILTER_WILDCARD_H

#include <stdbool.h>

#include "base/span.h"

struct wildcard {
	struct span text; /* without the final * */
	bool is_start;	  /* the text is the start of a name, not all of it */
};

/* The result points into the text, which must not be empty. */
struct wildcard wildcard_of(const char *text);

/* Whether the wildcard matches the whole name. */
bool wildcard_matches(const struct wildcard *, struct span name);

/* The same without regard to the case of ASCII letters. */
bool wildcard_matches_any_case(const struct wildcard *, struct span name);

#endif
