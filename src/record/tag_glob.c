/* SPDX-License-Identifier: Apache-2.0 */
#include "record/tag_glob.h"

/* On a mismatch only the last star has to match more characters: if an earlier
 * star could match more characters, the last one can match them as well. */
bool tag_glob_matches(struct span glob, struct span tag)
{
	size_t g = 0, t = 0;
	size_t after_star = 0; /* index in the glob; 0: no star yet */
	size_t star_end = 0;   /* end of the text that it matches */
	if (span_equals(glob, SPAN("*")))
		return true;
	while (t < tag.len) {
		if (g < glob.len && glob.ptr[g] == '*') {
			after_star = ++g;
			star_end = t;
		} else if (g < glob.len && glob.ptr[g] == tag.ptr[t]) {
			g++;
			t++;
		} else if (after_star != 0) {
			g = after_star;
			t = ++star_end;
		} else {
			return false;
		}
	}
	while (g < glob.len && glob.ptr[g] == '*')
		g++;
	return g == glob.len;
}
