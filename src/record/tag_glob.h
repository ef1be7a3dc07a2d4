/* SPDX-License-Identifier: Apache-2.0 */
/* tag_glob - whether a tag matches a Match such as `kube.*`.
 *
 * A * stands for any run of characters, including none and including dots.
 * All other characters must be equal, with regard to case. */
#ifndef RECORD_TAG_GLOB_H
#define RECORD_TAG_GLOB_H

#include <stdbool.h>

#include "base/span.h"

/* Whether the glob matches the whole tag. */
bool tag_glob_matches(struct span glob, struct span tag);

#endif
