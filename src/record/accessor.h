/* SPDX-License-Identifier: Apache-2.0 */
/* accessor - Fluent Bit's record accessors, and texts composed with them.
 *
 *     vhost   $vhost   $kubernetes['labels']['app']   $list[0]
 *     /log/$log_file_path   $TAG   $TAG[1]   $1
 *
 * If a key occurs twice, a look-up finds the last field. */
#ifndef RECORD_ACCESSOR_H
#define RECORD_ACCESSOR_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "record/value.h"

struct accessor;
struct buf;
struct composer;
struct pattern;
struct record;

/* Parse an accessor.  A text without $ is the key of a top-level field.  $name
 * ends at a [, which starts a subscript, or at a separator: one of the four
 * characters `. ,"`.  A separator also ends the accessor; the text after it is
 * ignored.  NULL with *e set on a syntax error. */
struct accessor *accessor_new(struct span text, struct err *);

/* A mistake in the text that Fluent Bit accepts silently: `what` is wrong, and
 * what the accessor does about it.  False if there is none.  Both texts belong
 * to the accessor.  Whoever reads the configuration logs them with its place
 * (filter/accessor_warn.h). */
struct accessor_warning {
	const char *what;
	const char *action;
};
bool accessor_warning(const struct accessor *, struct accessor_warning *);

/* NULL is fine. */
void accessor_free(struct accessor *);

/* The value in the record; NULL if there is none.  As in Fluent Bit, if the
 * top-level value is neither a map nor an array, the subscripts are ignored and
 * that value is returned.  Valid until the record changes. */
const struct value *accessor_find(struct accessor *, const struct record *);

/* Parse a text with $key, $TAG, $TAG[n] (part n of the tag between dots, or
 * nothing) and $0 to $9 (a group of the last match, or nothing if the pattern
 * has no groups).  A key consists of letters, digits, _ and -, and may have
 * subscripts.
 * These oddities of Fluent Bit are kept:
 * - The character directly after $TAG or $TAG[n] is text, even a $.
 * - If the text ends with a key and one separator (`. ,"`), the separator is
 *   lost.  A $ at the end of the text is lost, too.
 * - $12 stands for group 12 followed by the text 2.
 * NULL with *e set on a broken subscript, or on a $ that no key, TAG or digit
 * follows. */
struct composer *composer_new(struct span text, struct err *);

/* NULL is fine. */
void composer_free(struct composer *);

/* Append the composed text: strings as they are, integers as %d, floats as
 * buf_put_float does, true, false and null as words; nothing for missing
 * values, maps and arrays.  groups may be NULL. */
void composer_put(const struct composer *, const struct record *,
		  const struct pattern *groups, struct buf *out);

#endif
