/* SPDX-License-Identifier: Apache-2.0 */
/* file_keys - what an [OUTPUT] with Name file says of its files. */
#ifndef FILE_FILE_KEYS_H
#define FILE_FILE_KEYS_H

#include <stdbool.h>

#include "base/check.h"
#include "base/err.h"
#include "conf/conf_keys.h"

struct conf_section;

extern const struct conf_key_spec file_keys_table[];

struct file_keys {
	const char *path;     /* or NULL */
	const char *file;     /* NULL: the tag is the name */
	bool is_sanitized;    /* Tag_Path sanitized, as Fluent Bit 5 does */
	bool mkdir;	      /* make directories that are missing */
	bool follow_symlinks; /* also one that leads out of Path */
};

/* What Fluent Bit 5 can and sluiced cannot is an error when it is asked for,
 * and known when it is not. */
bool file_keys_read(struct conf_section *, struct file_keys *,
		    struct err *) MUST_USE;

#endif
