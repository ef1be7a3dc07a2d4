/* SPDX-License-Identifier: Apache-2.0 */
/* kinds - the list of all output formats, and the outputs in this folder.
 *
 * To add a format, write src/output/format_NAME.c, which defines
 * `const struct format_ops format_NAME_ops`, and add X(NAME) here.  The
 * accepted names and keys follow from this list.  Outputs are listed in
 * setup/plugins.h. */
#ifndef OUTPUT_KINDS_H
#define OUTPUT_KINDS_H

#include "output/format.h"
#include "output/sink.h"

/* clang-format off */
#define FORMAT_KINDS(X) \
	X(out_file) /* the default, as in Fluent Bit */ \
	X(plain)    \
	X(template) \
	X(csv)      \
	X(ltsv)

#define X(name) extern const struct format_ops format_##name##_ops;
FORMAT_KINDS(X)
#undef X

enum {
#define X(name) + 1
	FORMAT_KIND_COUNT = 0 FORMAT_KINDS(X)
#undef X
};
/* clang-format on */

/* The formats in the order of the list above, then NULL. */
extern const struct format_ops *const format_kinds[];

/* The keys that an output with formats accepts whatever its Format. */
extern const struct conf_key_spec format_common_keys[];

/* The keys that every output accepts. */
extern const struct conf_key_spec output_common_keys[];

extern const struct sink_ops stdout_sink_ops; /* Name stdout */
extern const struct sink_ops null_sink_ops;   /* Name null */

#endif
