/* SPDX-License-Identifier: Apache-2.0 */
/* json - JSON text (RFC 8259) to values and back; json_flat.h reads what nginx
 * writes, yajl the rest.
 *
 * Reading takes exactly one object, with blanks around it and NULs behind it,
 * and appends its fields to a record in their order, doubles included.  Strings
 * without an escape stay spans into the text, the others are decoded into the
 * arena; half a surrogate pair is U+FFFD.  Invalid UTF-8 passes as it is
 * (nginx's escape=json lets it through), and so do control characters within
 * strings, as in Fluent Bit.  A number is an integer when it has no
 * '.', 'e' or 'E' and fits an int64, else a float; one that fits none is not
 * JSON.
 * One reader serves any number of texts and allocates nothing for each. */
#ifndef RECORD_JSON_H
#define RECORD_JSON_H

#include "base/span.h"
#include "record/value.h"

struct buf;
struct json_reader;
struct record;

enum json_verdict {
	JSON_READ,
	JSON_CUT,	/* valid as far as it goes, but it ends too early */
	JSON_BROKEN,	/* not JSON */
	JSON_NO_OBJECT, /* another value than an object, or more than one */
	JSON_TOO_DEEP,	/* nested deeper than JSON_DEPTH_MAX */
};

enum { JSON_DEPTH_MAX = 512 };

struct json_reader *json_reader_new(void);
void json_reader_free(struct json_reader *);

/* On any answer but JSON_READ the record has no field that it had not before.
 * The text must stay valid as long as the record. */
enum json_verdict json_read(struct json_reader *, struct span text,
			    struct record *into);

/* The same, without the short way of json_flat.h, which json_read tries first:
 * what the tests hold that against. */
enum json_verdict json_read_any(struct json_reader *, struct span text,
				struct record *into);

/* Append the value as JSON without blanks.  Of a key that occurs twice in a
 * map the last is written.  Control characters are escaped, a byte that is
 * not UTF-8 becomes \ufffd; a float without fraction is written 1.0, others
 * with up to 16 digits, inf and nan as null. */
void json_write(struct buf *, const struct value *);
void json_write_string(struct buf *, struct span);

/* The record's fields as an object, as json_write does. */
void json_write_record(struct buf *, const struct record *);

#endif
