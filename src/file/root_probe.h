/* SPDX-License-Identifier: Apache-2.0 */
/* root_probe - whether files can be written below a directory. */
#ifndef FILE_ROOT_PROBE_H
#define FILE_ROOT_PROBE_H

#include <stdbool.h>

#include "base/check.h"
#include "base/err.h"

/* Create, append to and remove a hidden file in the directory, whose path ends
 * with '/'.  With `may_make`, create the directory, too, as the first line
 * would.  Waits for the disk.  False with *e set if anything fails. */
bool root_probe(const char *directory, bool may_make, struct err *e) MUST_USE;

#endif
