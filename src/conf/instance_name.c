/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/instance_name.h"

#include <stdio.h>

#include "base/mem.h"
#include "conf/conf.h"

void instance_name_default(char name[INSTANCE_NAME_BYTES], const char *plugin,
			   size_t number)
{
	snprintf(name, INSTANCE_NAME_BYTES, "%s.%zu", plugin, number);
}

static bool is_taken(const struct instance_name_opts *opts, const char *name)
{
	return opts->is_taken != NULL && opts->is_taken(opts->data, name);
}

char *instance_name(struct conf_section *s,
		    const struct instance_name_opts *opts, struct err *e)
{
	char by_number[INSTANCE_NAME_BYTES];
	instance_name_default(by_number, opts->plugin, opts->number);
	const char *name = by_number;
	if (!conf_get_text(s, "Alias", &name, e))
		return NULL;
	if (name != by_number && !opts->is_strict && is_taken(opts, name)) {
		conf_warn(s, "Alias", "ignoring this Alias",
			  "another %s is called %s; this one becomes %s",
			  opts->kind, name, by_number);
		name = by_number;
	}
	if (!is_taken(opts, name))
		return mem_text(name);
	conf_err_key(s, "Alias", e,
		     "another %s is called \"%s\"; give one of the two another "
		     "Alias",
		     opts->kind, name);
	return NULL;
}
