/* SPDX-License-Identifier: Apache-2.0 */
/* conf_file - the files that a configuration consists of. */
#ifndef CONF_CONF_FILE_H
#define CONF_CONF_FILE_H

#include <glob.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/err.h"

struct buf;
struct conf;

/* Append the content of the file.  False with *e set if it cannot be read or is
 * larger than 64 MiB. */
bool conf_file_slurp(const char *path, struct buf *, struct err *) MUST_USE;

/* The same for a file of this configuration.  Reading one file twice is an
 * error. */
bool conf_file_read(struct conf *, const char *path, struct buf *,
		    struct err *) MUST_USE;

/* Find the files in `dir` that match the pattern; `dir` itself is not a
 * pattern.  conf_file_find looks in the working directory first.  Both return
 * the result of glob(3). */
int conf_file_find_in(const char *dir, const char *pattern, glob_t *);
int conf_file_find(const char *dir, const char *pattern, glob_t *);

#endif
