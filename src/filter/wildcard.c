/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/wildcard.h"

#include <strings.h>

#include "base/check.h"

static bool is_long_enough(const struct wildcard *w, struct span name)
{
	return w->is_start ? name.len >= w->text.len : name.len == w->text.len;
}

struct wildcard wildcard_of(const char *text)
{
	struct wildcard w = {.text = span_of(text)};
	CHECK(w.text.len > 0);
	w.is_start = text[w.text.len - 1] == '*';
	w.text.len -= w.is_start;
	return w;
}

bool wildcard_matches(const struct wildcard *w, struct span name)
{
	return is_long_enough(w, name) &&
	       span_equals(w->text, span_make(name.ptr, w->text.len));
}

bool wildcard_matches_any_case(const struct wildcard *w, struct span name)
{
	return is_long_enough(w, name) &&
	       (w->text.len == 0 ||
		strncasecmp(w->text.ptr, name.ptr, w->text.len) == 0);
}
