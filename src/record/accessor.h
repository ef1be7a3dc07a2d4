/* SPDX-License-Identifier: Apache-2.0 */
/* accessor - Fluent Bit's record accessors, and texts composed with them.
 *
 *     vhost   $vhost   $kubernetes['labels']['app']   $list[0]
 *     /log/$log_file_path   $TAG   $TAG[1]   $1
 *
 * A look-up takes the last of two equal keys. */
#ifndef RECORD_ACCESSOR_H
#define RECORD_ACCESSOR_H

#include "base/err.h"
#include "base/span.h"
#include "record/value.h"

struct accessor;
struct buf;
struct composer;
struct pattern;
struct record;

/* A bare text is a top-level key as a whole.  $name reaches up to a [ or one
 * of `. ,"`, which ends the accessor: what is behind it is ignored, and that is
 * said.  NULL on a syntax error. */
struct accessor *accessor_new(struct span text, struct err *);
void accessor_free(struct accessor *);

/* NULL when the record has no such thing.  As in Fluent Bit steps behind a key
 * whose value is neither map nor array lead to that value. */
const struct value *accessor_find(const struct accessor *,
				  const struct record *);

/* Text with $key.., $TAG, $TAG[n] (dot-separated part n, else nothing) and
 * $0..$9 (groups of the last match, nothing when the pattern has none).  A key
 * here is of letters, digits, _ and -, with subscripts.
 * Oddities of Fluent Bit that hold here: the character right behind $TAG or
 * $TAG[n] is text, also a $; one of `. ,"` right behind a key is lost when it
 * is the last character; so is a $ at the end; of $12 the 2 stays as text,
 * behind group 12.
 * NULL on a broken subscript, or a $ before anything else. */
struct composer *composer_new(struct span text, struct err *);
void composer_free(struct composer *);

/* Append the text: strings as they are, integers %d, floats %f, true, false,
 * null; nothing for what is missing, for maps and arrays.
 * groups may be NULL. */
void composer_put(const struct composer *, const struct record *,
		  const struct pattern *groups, struct buf *out);

#endif
