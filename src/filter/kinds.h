/* SPDX-License-Identifier: Apache-2.0 */
/* kinds - the list of all kinds of filter.
 *
 * To add a filter, write src/filter/NAME.c, which defines
 * `const struct filter_ops filter_NAME`, and add X(NAME) here.  The accepted
 * names, the accepted keys, the metrics and the plug-in lists in the HTTP
 * answers follow from this list. */
#ifndef FILTER_KINDS_H
#define FILTER_KINDS_H

#include "conf/conf_keys.h"
#include "filter/filter.h"

/* clang-format off */
#define FILTER_KINDS(X)    \
	X(record_modifier) \
	X(modify)          \
	X(nest)            \
	X(parser)          \
	X(grep)            \
	X(rewrite_tag)     \
	X(lua)

#define X(name) extern const struct filter_ops filter_##name;
FILTER_KINDS(X)
#undef X

enum {
#define X(name) + 1
	FILTER_KIND_COUNT = 0 FILTER_KINDS(X)
#undef X
};
/* clang-format on */

/* The kinds in the order of the list above, then NULL. */
extern const struct filter_ops *const filter_kinds[];

/* The keys that every filter accepts. */
extern const struct conf_key_spec filter_common_keys[];

/* The kind of that name, ignoring case; NULL if there is none. */
const struct filter_ops *filter_kind_named(const char *name);

#endif
