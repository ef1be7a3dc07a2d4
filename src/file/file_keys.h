/* SPDX-License-Identifier: Apache-2.0 */
/* file_keys - the keys of an [OUTPUT] with Name file that concern its files. */
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
	bool is_sanitized;    /* Tag_Path sanitized, as in Fluent Bit 5 */
	bool mkdir;	      /* make missing directories */
	bool follow_symlinks; /* even if they lead out of Path */
};

/* Read the keys.  A feature of Fluent Bit 5 that sluiced lacks is an error if
 * it is switched on, and accepted if it is switched off. */
bool file_keys_read(struct conf_section *, struct file_keys *,
		    struct err *) MUST_USE;

#endif
