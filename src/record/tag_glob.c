/* SPDX-License-Identifier: Apache-2.0 */
#include "record/tag_glob.h"

/* Only the last star ever has to take more: an earlier one that took more
 * would only shift what the last one can take anyway. */
bool tag_glob_matches(struct span glob, struct span tag)
{
	size_t g = 0, t = 0;
	size_t behind_star = 0; /* 0: there was none yet */
	size_t star_end = 0;	/* what the star takes ends here */
	if (span_equals(glob, SPAN("*")))
		return true;
	while (t < tag.len) {
		if (g < glob.len && glob.ptr[g] == '*') {
			behind_star = ++g;
			star_end = t;
		} else if (g < glob.len && glob.ptr[g] == tag.ptr[t]) {
			g++;
			t++;
		} else if (behind_star != 0) {
			g = behind_star;
			t = ++star_end;
		} else {
			return false;
		}
	}
	while (g < glob.len && glob.ptr[g] == '*')
		g++;
	return g == glob.len;
}
