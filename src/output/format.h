/* SPDX-License-Identifier: Apache-2.0 */
/* format - the contract of an output format, which turns a record into a line.
 *
 * A format is one file with one `const struct format_ops` and one row in
 * output/kinds.h.  A line ends with '\n' and contains no other '\n': control
 * characters inside a value are escaped, so that no value can forge a second
 * line (CWE-117).  With Escape off and UTF8 keep, the bytes are written as
 * Fluent Bit writes them.  render runs in the pipeline thread. */
#ifndef OUTPUT_FORMAT_H
#define OUTPUT_FORMAT_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/conf_keys.h"

struct buf;
struct conf_section;
struct format;
struct record;

struct format_ops {
	const char *name;		  /* as in the configuration */
	const struct conf_key_spec *keys; /* NULL: it has no keys of its own */
	bool is_json;			  /* a line is JSON and nothing else */
	struct format *(*open)(struct conf_section *, struct err *);
	/* Append the line with its '\n'. */
	void (*render)(struct format *, const struct record *, struct buf *);
	/* Append the line with which an empty file begins, for the first record
	 * in it.  NULL if the format has no such line. */
	void (*render_head)(struct format *, const struct record *,
			    struct buf *);
	void (*close)(struct format *);
};

struct format { /* each kind embeds this as its first member */
	const struct format_ops *ops;
	bool is_raw;	 /* Escape off */
	unsigned escape; /* what is escaped in values: enum format_escape */
	bool has_head;	 /* call render_head */
};

/* Open the format that the section's Format names, by default out_file.
 * Declares the keys of all formats: Fluent Bit accepts each with every format,
 * so a key of another format is a warning.  NULL on failure. */
struct format *format_open(struct conf_section *, struct err *);

/* NULL is allowed. */
void format_close(struct format *);

#endif
