/* SPDX-License-Identifier: Apache-2.0 */
/* format - the contract of how a record becomes a line.
 *
 * A kind is one file with one `const struct format_ops` and one row in the
 * table in format.c.  A line ends with '\n' and has no other: a control
 * character inside a value is written escaped, so that no value can forge a
 * second line (CWE-117).  Escape off writes what Fluent Bit writes. */
#ifndef OUTPUT_FORMAT_H
#define OUTPUT_FORMAT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

struct buf;
struct conf_section;
struct format;
struct record;

struct format_ops {
	const char *name; /* as in the configuration */
	struct format *(*open)(struct conf_section *, struct err *);
	/* Append the line, its '\n' included. */
	void (*render)(struct format *, const struct record *, struct buf *);
	/* Append the line that an empty file begins with, when this record is
	 * the first of its lines.  NULL: none, also when it was opened so. */
	void (*render_head)(struct format *, const struct record *,
			    struct buf *);
	void (*close)(struct format *);
};

struct format { /* each kind embeds this as its first member */
	const struct format_ops *ops;
	bool is_raw;   /* Escape off */
	bool has_head; /* render_head is to be called */
};

/* Open the one that the section's Format names, out_file when it has none. */
struct format *format_open(struct conf_section *, struct err *);
void format_close(struct format *);

#endif
