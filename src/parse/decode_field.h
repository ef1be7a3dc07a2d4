/* SPDX-License-Identifier: Apache-2.0 */
/* decode_field - Decode_Field and Decode_Field_As: fields whose text is itself
 * encoded.
 *
 *     Decode_Field_As json log     log={"a":1}  ->  log={a=1}
 *     Decode_Field    json log     log={"a":1}  ->  log={"a":1} ... a=1
 *
 * The rules of a field are tried in their order.  The first rule that succeeds
 * ends this, unless it has do_next: then the following rules continue with its
 * result.  A rule that fails ends it, too, unless it has try_next or do_next.
 * A failing rule leaves the field unchanged. */
#ifndef PARSE_DECODE_FIELD_H
#define PARSE_DECODE_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

struct decode_field;
struct json_reader;
struct record;

enum decode_as {
	DECODE_JSON, /* an object; the only one that can add fields */
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

/* Copies the rules. */
struct decode_field *decode_field_new(const struct decode_rule *, size_t count);
void decode_field_free(struct decode_field *);

/* Decode the record's fields; added fields follow them. */
void decode_field_apply(struct decode_field *, struct record *);

#endif
