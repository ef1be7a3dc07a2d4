/* SPDX-License-Identifier: Apache-2.0 */
/* unsupported - reports a plug-in or section that sluiced does not have.
 *
 * If Fluent Bit has it, the name is not a spelling mistake: the error says so
 * and lists the plug-ins of sluiced.  Otherwise the error suggests the nearest
 * name. */
#ifndef CONF_UNSUPPORTED_H
#define CONF_UNSUPPORTED_H

#include <stdbool.h>

#include "base/err.h"

struct conf_section;

/* Report that the plug-in in Name is not in `known`, which NULL terminates.
 * `kind` is input, filter or output.  Always false. */
bool unsupported_plugin(const struct conf_section *, const char *kind,
			const char *const *known, struct err *);

/* The same for the section's name. */
bool unsupported_section(const struct conf_section *, const char *const *known,
			 struct err *);

#endif
