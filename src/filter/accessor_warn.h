/* SPDX-License-Identifier: Apache-2.0 */
/* accessor_warn - logs the mistake in an accessor with its place. */
#ifndef FILTER_ACCESSOR_WARN_H
#define FILTER_ACCESSOR_WARN_H

struct accessor;
struct conf_section;

/* If the accessor, which the key's last value contains, has a mistake that is
 * no error, log a warning.  The accessor may be NULL. */
void accessor_warn(const struct accessor *, const struct conf_section *,
		   const char *key);

#endif
