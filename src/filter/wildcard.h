/* SPDX-License-Identifier: Apache-2.0 */
/* wildcard - names of fields in a configuration: `pid`, `http_*`, `*`.
 *
 * A * counts at the end only, where it stands for the rest of the name. */
#ifndef FILTER_WILDCARD_H
#define FILTER_WILDCARD_H

#include <stdbool.h>

#include "base/span.h"

struct wildcard {
	struct span text; /* without the * */
	bool is_start;	  /* of a name; else all of it */
};

/* Points into the text, which has at least one character. */
struct wildcard wildcard_of(const char *text);

bool wildcard_fits(const struct wildcard *, struct span name);
bool wildcard_fits_any_case(const struct wildcard *, struct span name);

#endif
