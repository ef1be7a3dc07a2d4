/* SPDX-License-Identifier: Apache-2.0 */
/* instance_name - the names of inputs, filters and outputs.
 *
 * A section is called by its Alias or, without one, by its plug-in and its
 * number among the sections of its kind: "syslog.0", "parser.1", "file.0".
 * Metrics and log lines use the name, so no two inputs, no two filters and no
 * two outputs have the same one. */
#ifndef CONF_INSTANCE_NAME_H
#define CONF_INSTANCE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct conf_section;

enum { INSTANCE_NAME_BYTES = 64 };

/* Write PLUGIN.NUMBER, the name of a section without Alias. */
void instance_name_default(char name[INSTANCE_NAME_BYTES], const char *plugin,
			   size_t number);

struct instance_name_opts {
	const char *kind;   /* "filter", for the messages */
	const char *plugin; /* "parser" */
	size_t number;
	/* Whether an earlier section has the name; NULL: do not check. */
	bool (*is_taken)(const void *data, const char *name);
	const void *data;
	/* Whether a taken Alias is an error.  If not, a warning is logged and
	 * the section gets its default name. */
	bool is_strict;
};

/* Read Alias and return the name, which the caller frees.  NULL on failure. */
char *instance_name(struct conf_section *, const struct instance_name_opts *,
		    struct err *);

#endif
