/* SPDX-License-Identifier: Apache-2.0 */
/* json - JSON text (RFC 8259) to values and back.
 *
 * json_flat.h reads objects as nginx writes them; yajl reads all other texts.
 * A text must be exactly one object; blanks may surround it and NULs may follow
 * it.  Its fields are appended to a record in their order, even if a key occurs
 * twice.  Strings without an escape stay spans into the text; other strings are
 * decoded into the arena, where a single surrogate becomes U+FFFD.  As in
 * Fluent Bit, invalid UTF-8 passes unchanged (nginx's escape=json writes it),
 * and so do control characters inside strings.  A number is an integer if it
 * has no '.', 'e' or 'E' and fits an int64, otherwise a float; a number that
 * fits neither is not JSON.
 * One reader serves any number of texts and does not allocate for each. */
#ifndef RECORD_JSON_H
#define RECORD_JSON_H

#include "base/span.h"
#include "record/value.h"

struct buf;
struct json_reader;
struct record;

enum json_verdict {
	JSON_READ,
	JSON_CUT,	/* valid so far, but the end is missing */
	JSON_BROKEN,	/* not JSON */
	JSON_NO_OBJECT, /* not an object, or more than one value */
	JSON_TOO_DEEP,	/* nested deeper than JSON_DEPTH_MAX */
};

enum { JSON_DEPTH_MAX = 512 };

/* A new reader. */
struct json_reader *json_reader_new(void);

/* NULL is fine. */
void json_reader_free(struct json_reader *);

/* Append the fields of the object to the record.  On any verdict but JSON_READ
 * the record is unchanged.  The text must stay valid as long as the record. */
enum json_verdict json_read(struct json_reader *, struct span text,
			    struct record *into);

/* The same without json_flat.h, which json_read tries first.  The fuzz test
 * compares both functions. */
enum json_verdict json_read_any(struct json_reader *, struct span text,
				struct record *into);

/* What a byte that is not UTF-8 becomes: U+FFFD, or the text \xHH. */
enum json_bad_bytes { JSON_BAD_REPLACED, JSON_BAD_ESCAPED };

/* Append the value as JSON without blanks.  If a key occurs twice in a map,
 * only its last field is written.  Control characters, also those of
 * base/utf8.h, are escaped, and a byte that is not UTF-8 becomes \ufffd.  A
 * whole float below 2^63 is written with one decimal, as 5.0; other floats have
 * up to 16 digits; infinities and NaN become null. */
void json_write(struct buf *, const struct value *);

/* Append the text as a JSON string, with quotes. */
void json_write_string(struct buf *, struct span);

/* Append the record's fields as an object, as json_write does. */
void json_write_record(struct buf *, enum json_bad_bytes,
		       const struct record *);

#endif
