/* SPDX-License-Identifier: Apache-2.0 */
/* The input is "REGEX \n TEXT".  Whatever both are, the groups lie within the
 * text. */
#include "fuzz.h"

#include <string.h>

#include "regex/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = span_make((const char *)data, size);
	const char *end = size > 0 ? memchr(all.ptr, '\n', size) : NULL;
	if (end == NULL || size > 512)
		return 0;
	struct err e;
	size_t len = (size_t)(end - all.ptr);
	struct span text = span_make(end + 1, size - len - 1);
	struct pattern *p = pattern_new(span_make(all.ptr, len), "", &e);
	if (p == NULL)
		return 0;
	for (size_t i = 0;
	     pattern_matches(p, text, NULL) && i <= pattern_groups(p); i++) {
		bool present;
		struct span group = pattern_group(p, i, &present);
		CHECK(!present ||
		      (group.ptr >= text.ptr &&
		       group.ptr + group.len <= text.ptr + text.len));
	}
	pattern_free(p);
	return 0;
}
