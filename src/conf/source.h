/* SPDX-License-Identifier: Apache-2.0 */
/* source - the files that a configuration is read from. */
#ifndef CONF_SOURCE_H
#define CONF_SOURCE_H

#include <glob.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/err.h"

struct buf;
struct conf;

/* Append what is in the file; what is far too large is none. */
bool source_slurp(const char *path, struct buf *, struct err *) MUST_USE;

/* The same of a file of the configuration, which may be read only once. */
bool source_read(struct conf *, const char *path, struct buf *,
		 struct err *) MUST_USE;

/* As glob(3): what the pattern matches in dir, which is itself no pattern;
 * source_find looks in the working directory first. */
int source_find_in(const char *dir, const char *pattern, glob_t *);
int source_find(const char *dir, const char *pattern, glob_t *);

#endif
