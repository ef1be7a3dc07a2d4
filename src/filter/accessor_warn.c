/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/accessor_warn.h"

#include <stddef.h>

#include "conf/conf.h"
#include "record/accessor.h"

void accessor_warn(const struct accessor *a, const struct conf_section *s,
		   const char *key)
{
	struct accessor_warning w;
	if (a != NULL && accessor_warning(a, &w))
		conf_warn(s, key, w.action, "%s", w.what);
}
