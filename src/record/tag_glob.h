/* SPDX-License-Identifier: Apache-2.0 */
/* tag_glob - does a tag match?  `*` stands for any run of characters, also
 * none and also dots; the rest is exact, case-sensitive, the whole tag. */
#ifndef RECORD_TAG_GLOB_H
#define RECORD_TAG_GLOB_H

#include <stdbool.h>

#include "base/span.h"

bool tag_glob_matches(struct span glob, struct span tag);

#endif
