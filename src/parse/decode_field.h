/* SPDX-License-Identifier: Apache-2.0 */
/* decode_field - Decode_Field and Decode_Field_As: fields whose text is itself
 * encoded.
 *
 *     Decode_Field_As json log     log={"a":1}  ->  log={a=1}
 *     Decode_Field    json log     log={"a":1}  ->  log={"a":1} ... a=1
 *
 * The rules of a field are tried in their order.  After a rule that succeeds,
 * no further rule is tried, unless the rule has do_next: then the next rule
 * decodes its result.  After a rule that fails, no further rule is tried,
 * unless the rule has try_next or do_next.  A rule that fails leaves the field
 * unchanged. */
#ifndef PARSE_DECODE_FIELD_H
#define PARSE_DECODE_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

struct decode_field;
struct json_reader;
struct record;

enum decode_as {
	DECODE_JSON, /* an object; only this decoder can add fields */
	DECODE_ESCAPED,
	DECODE_ESCAPED_UTF8,
	DECODE_MYSQL_QUOTED,
};

enum decode_then { DECODE_STOP, DECODE_TRY_NEXT, DECODE_DO_NEXT };

struct decode_rule {
	char *key;
	enum decode_as as;
	enum decode_then then;
	bool in_place; /* Decode_Field_As */
};

/* Read a rule like "json log do_next".  False if it is not a rule.  Free its
 * key with free(). */
bool decode_rule_read(const char *text, bool in_place,
		      struct decode_rule *) MUST_USE;

/* A decoder with these rules, which it copies. */
struct decode_field *decode_field_new(const struct decode_rule *, size_t count);

/* NULL is allowed. */
void decode_field_free(struct decode_field *);

/* Decode the record's fields.  Added fields are appended. */
void decode_field_apply(struct decode_field *, struct record *);

#endif
